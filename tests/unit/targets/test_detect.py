"""Which target a machine gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx import targets
from sardonyx.errors import CompileError
from sardonyx.targets.detect import Host, _cache_sizes, host, parse_cpuinfo, parse_size
from sardonyx.targets.x86_64 import isa

ZEN5 = parse_cpuinfo(
    "processor\t: 0\nmodel name\t: a name that says nothing\n"
    "flags\t\t: fpu sse4_1 pni abm fma f16c avx2 bmi1 bmi2 avx512f avx512dq avx512cd avx512bw avx512vl"
    " avx_vnni avx512_bf16 avx512_vnni gfni amx_tile\n"
    "processor\t: 1\nflags\t\t: fpu\n"
)


def test_cpuinfo_gives_llvm_names_of_the_first_processor() -> None:
    assert {"avx512bf16", "avx512vnni", "avxvnni", "sse4.1", "sse3", "lzcnt", "amx-tile"} <= ZEN5
    assert parse_cpuinfo("no such line") == frozenset()


def test_the_highest_level_is_chosen_with_the_extras_that_kernels_know() -> None:
    target = isa.choose(Host("x86_64", ZEN5, 48 << 10, 0))
    assert (target.name, target.lanes, target.tile_rows) == ("x86_64-v4", 16, 14)
    assert target.has("avx512bf16")
    assert target.has("avx512vnni")
    assert not target.has("amx-tile")
    assert (target.l1_bytes, target.l2_bytes) == (48 << 10, isa.V4.l2_bytes)


@pytest.mark.parametrize("missing", ["avx512bw", "avx512vl", "avx512dq"])
def test_a_part_of_avx512_is_not_enough_for_v4(missing: str) -> None:
    target = isa.choose(Host("amd64", ZEN5 - {missing}))
    assert (target.name, target.lanes, target.masked_tail) == ("x86_64-v3", 8, False)
    assert not any(feature.startswith("avx512") for feature in target.features)


def test_a_machine_without_avx2_is_told_what_it_lacks() -> None:
    with pytest.raises(CompileError, match="lacks avx2, f16c"):
        isa.choose(Host("x86_64", ZEN5 - {"avx2", "f16c"}))
    with pytest.raises(CompileError, match="no target fits s390x"):
        isa.choose(Host("s390x", frozenset()))


def test_the_environment_names_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v3")
    assert targets.detect() is not None
    assert targets.detect() == isa.V3
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v4+avx512vnni")
    assert targets.detect().has("avx512vnni")
    monkeypatch.setenv("SARDONYX_TARGET", "reference")
    assert not targets.detect().is_machine
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v5")
    with pytest.raises(CompileError, match="choose one of x86_64-v4, x86_64-v3, reference"):
        targets.detect()
    monkeypatch.setenv("SARDONYX_TARGET", "x86_64-v3+avx512vnni")
    with pytest.raises(CompileError, match="knows no feature avx512vnni"):
        targets.detect()


def test_this_machine_is_detected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SARDONYX_TARGET", raising=False)
    assert targets.detect() is targets.detect()
    assert host().features


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
