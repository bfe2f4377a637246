"""Which target a machine gets, and which it refuses."""

from __future__ import annotations

from pathlib import Path

import llvmlite.binding
import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx import targets
from sardonyx.errors import TargetError
from sardonyx.targets import reference
from sardonyx.targets.detect import _cache_sizes, host, parse_size
from sardonyx.targets.host import Host
from sardonyx.targets.x86_64 import cpuid, isa
from sardonyx.tools.cli import main
from tests.unit.objects import loaded
from tests.unit.runtime.programs import linear

HASWELL = frozenset(isa.V3.features) | {"lzcnt", "movbe", "popcnt"}
ZEN5 = HASWELL | set(isa.V4.features) | {"avxvnni", "avx512bf16", "avx512vnni", "gfni"}


@pytest.fixture
def haswell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "this_machine", lambda: Host("x86_64", HASWELL))


def test_the_highest_level_is_chosen_with_the_extras_that_kernels_know() -> None:
    target = targets.choose(Host("x86_64", ZEN5 | {"amx-fp16"}, 48 << 10, 0, unit_bits=256))
    assert (target.name, target.lanes) == ("x86_64-v4", 16)
    assert target.has("avx512bf16")
    assert target.has("avx512vnni")
    assert not target.has("amx-fp16")
    assert (target.l1_bytes, target.l2_bytes, target.unit_lanes) == (48 << 10, isa.V4.l2_bytes, 8)
    assert isa.level(target).unit_lanes == 0


@pytest.mark.parametrize("missing", ["avx512bw", "avx512vl", "avx512dq"])
def test_a_part_of_avx512_is_not_enough_for_v4(missing: str) -> None:
    target = targets.choose(Host("amd64", ZEN5 - {missing}))
    assert (target.name, target.lanes) == ("x86_64-v3", 8)
    assert not any(feature.startswith("avx512") for feature in target.features)


@pytest.mark.parametrize("missing", ["avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe"])
def test_a_machine_without_avx2_is_told_what_it_lacks(missing: str) -> None:
    with pytest.raises(TargetError, match=rf"lacks {missing};"):
        targets.choose(Host("x86_64", ZEN5 - {missing}))
    with pytest.raises(TargetError, match="no target fits s390x"):
        targets.choose(Host("s390x", frozenset()))


def test_a_name_may_ask_for_features() -> None:
    assert targets.by_name("x86_64-v4+avx512vnni").has("avx512vnni")
    assert not targets.by_name("x86_64-v4").has("avx512vnni")
    with pytest.raises(TargetError, match="choose one of x86_64-v4, x86_64-v3, reference"):
        targets.by_name("x86_64-v5")
    with pytest.raises(TargetError, match="knows no feature avx512vnni"):
        targets.by_name("x86_64-v3+avx512vnni")


@pytest.mark.usefixtures("haswell")
def test_the_environment_names_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v3")
    assert targets.detect() == isa.V3
    monkeypatch.setenv("SARDONYX_TARGET", "reference")
    assert not targets.detect().is_machine
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v4")
    with pytest.raises(TargetError, match="cannot execute x86_64-v4: it lacks avx512f, avx512bw"):
        targets.detect()


@pytest.mark.parametrize(("name", "unit_lanes"), [("x86_64-v4", 16), ("x86_64-v3", 8), ("reference", 0)])
def test_a_target_that_is_named_has_the_sizes_of_the_machine(
    name: str, unit_lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Host("x86_64", ZEN5, 48 << 10, 2 << 20, unit_bits=512)
    monkeypatch.setattr(targets, "this_machine", lambda: machine)
    monkeypatch.setenv("SARDONYX_TARGET", name)
    sizes = (
        (48 << 10, 2 << 20) if unit_lanes else (reference.REFERENCE.l1_bytes, reference.REFERENCE.l2_bytes)
    )
    target = targets.detect()
    assert (target.l1_bytes, target.l2_bytes, target.unit_lanes) == (*sizes, unit_lanes)


@pytest.mark.parametrize("unit_bits", [0, 256])
def test_a_session_for_a_lower_target_computes_as_machines_of_that_do(
    unit_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "this_machine", lambda: Host("x86_64", HASWELL, unit_bits=unit_bits))
    text = "net (float[M, 384] x) => (float[M, 384] y) { y = MatMul(x, w) }"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
    weights = np.random.default_rng(0).standard_normal((384, 384)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", "x86_64-v3")
    (kernel,) = sardonyx.InferenceSession(model.SerializeToString(), options).report.kernels
    assert ("strassen" in kernel.plan) == bool(unit_bits)


def test_units_count_as_far_as_vectors_reach() -> None:
    without_avx512 = Host("x86_64", HASWELL, unit_bits=512)
    assert targets.choose(without_avx512).unit_lanes == isa.V3.lanes


@pytest.mark.usefixtures("haswell")
def test_a_session_refuses_what_the_machine_cannot_execute(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = pytest.raises(sardonyx.capi.onnxruntime_pybind11_state.RuntimeException, match="lacks avx")
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", "x86_64-v3+avxvnni")
    with refused:
        sardonyx.InferenceSession(linear(), options)
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v4")
    with refused:
        sardonyx.InferenceSession(linear())


@pytest.mark.usefixtures("haswell")
@pytest.mark.parametrize("command", ["run", "explain", "compile"])
def test_commands_refuse_it_too(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "linear.onnx"
    path.write_bytes(linear())
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v4")
    assert main([command, str(path)]) == 1
    assert "it lacks avx512f" in capsys.readouterr().err


@pytest.mark.usefixtures("haswell")
def test_tests_load_no_code_that_the_machine_cannot_execute() -> None:
    with pytest.raises(pytest.skip.Exception, match="it lacks avx512f"):
        loaded([], isa.V4)


def test_this_machine_is_detected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SARDONYX_TARGET", raising=False)
    assert targets.detect() is targets.detect()
    assert host(targets.FAMILIES).features <= set(cpuid.FEATURES)
    assert not reference.REFERENCE.is_machine
    assert targets.executable(targets.detect()) is targets.detect()
    assert targets.executable(reference.REFERENCE) is reference.REFERENCE


def cpu(xcr0: int, *, leaves: int = 7) -> frozenset[str]:
    """The features of a CPU whose every bit of CPUID is set, up to a leaf."""

    def ask(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        every = 0xFFFF_FFFF
        return (leaves if leaf == 0 else 0x8000_0008 if leaf == 0x8000_0000 else every, every, every, every)

    return cpuid.decode(ask, lambda: xcr0)


def test_only_registers_that_the_system_saves_count() -> None:
    assert cpu(0x600E6) == set(cpuid.FEATURES)
    assert cpu(0xE6) == {name for name in cpuid.FEATURES if not name.startswith("amx")}
    assert cpu(0x07) == {name for name in cpuid.FEATURES if not name.startswith(("avx512", "amx"))}
    assert cpu(0x66) == cpu(0x200E6) - {name for name in cpuid.FEATURES if name.startswith("avx512")}
    assert cpu(0x03) == {"bmi", "bmi2", "fast-dpwssd", "lzcnt", "movbe", "popcnt"}
    assert cpu(0xE6, leaves=6) == {"f16c", "fast-dpwssd", "fma", "lzcnt", "movbe", "popcnt"}


def test_units_may_be_narrower_than_vectors() -> None:
    def bits(told: int, last: int = 0x8000_0021) -> int:
        return cpuid.unit_bits(lambda leaf, _: (last if leaf == 0x8000_0000 else told, 0, 0, 0))

    assert [bits(told) for told in (0b1110, 0b0110, 0b0011, 0b0000)] == [512, 256, 128, 0]
    assert bits(0b0010) == 512
    assert bits(0b1110, last=0x8000_0008) == 0
    assert cpuid.units_of_process("aarch64", "linux") == 0


def test_every_feature_of_a_target_can_be_detected() -> None:
    for target in isa.TARGETS:
        assert {*target.features, *isa.EXTRAS[target.name]} <= set(cpuid.FEATURES)


def test_llvm_finds_the_same_features() -> None:
    found = llvmlite.binding.get_host_cpu_features()
    named = {name: "sse4a" if name == "fast-dpwssd" else name for name in cpuid.FEATURES}
    assert host(targets.FAMILIES).features == {name for name in named if found.get(named[name])}


def test_the_families_are_asked_and_no_other_knows_a_feature() -> None:
    assert cpuid.of_process("aarch64", "linux") == frozenset()
    assert reference.FAMILY.features("x86_64", "linux") == frozenset()
    assert host(()).features == frozenset()


def test_macos_tells_features_by_names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"hw.optional.{name}": 1 for name in ("avx2_0", "fma", "f16c", "bmi1", "bmi2", "avx512f")}
    monkeypatch.setattr(cpuid, "sysctl", lambda name: known.get(name, 0))
    assert cpuid.of_process("x86_64", "darwin") == {*HASWELL, "avx512f"}
    assert cpuid.of_process("arm64", "darwin") == frozenset()


def test_cache_sizes_are_read_per_level(tmp_path: Path) -> None:
    for index, (level, kind, size) in enumerate(
        [(1, "Data", "48K"), (1, "Instruction", "64K"), (2, "Unified", "1M")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        (folder / "level").write_text(f"{level}\n")
        (folder / "type").write_text(f"{kind}\n")
        (folder / "size").write_text(f"{size}\n")
    assert _cache_sizes(tmp_path) == (48 << 10, 1 << 20)
    assert _cache_sizes(tmp_path / "missing") == (0, 0)
    assert parse_size("512") == 512
