"""Programs are found in the cache: without compiler or ONNX, only if nothing changed, only if sound."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx import targets
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import Report
from sardonyx.compiler.build import Build, Code
from sardonyx.errors import CompileError, RunError
from sardonyx.runtime import cache
from sardonyx.store import identity, loader, programs
from sardonyx.store.loader import load_program
from tests.unit.runtime.programs import NONZERO, WRITTEN, check, f32, model, scaled
from tests.unit.stocked import stocked

HEAVY = (
    "copy",
    "dataclasses",
    "google.protobuf",
    "hashlib",
    "llvmlite",
    "ml_dtypes",
    "numpy.typing",
    "onnx",
    "onnx_ir",
    "pathlib",
    "sardonyx.compiler.compile",
    "sardonyx.frontend",
    "sardonyx.runtime.claim",
)
WARM = f"""
import sys
import numpy as np
import sardonyx
session = sardonyx.InferenceSession(sys.argv[1])
feeds = {{i.name: np.ones([3 if isinstance(n, str) else n for n in i.shape], np.float32)
          for i in session.get_inputs()}}
outputs = session.run(None, feeds)
print(session.report.counters["compiles"], *(m for m in {HEAVY!r} if m in sys.modules))
np.savez(sys.argv[2], *outputs)
"""


PRODUCT = "agraph (float[n,256] x) => (float[n,256] y) <float[256,256] w> { y = MatMul(x, w) }"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test."""
    made = stocked(tmp_path / "cache")
    monkeypatch.setenv("SARDONYX_CACHE", str(made))
    yield made


def options(**given: Any) -> CompileOptions:
    return CompileOptions.resolve(**given)


def compiles(source: Any, **given: Any) -> int:
    """How many kernels were compiled; -1 if the program was found as a whole."""
    written: list[object] = []

    def noted(*args: Any) -> bool:
        written.append(args)
        return write(*args)

    with pytest.MonkeyPatch.context() as patch:
        write = programs.write
        patch.setattr(programs, "write", noted)
        made = load_program(source, options(**given))
    count: int = made.report.counters["compiles"]
    return count if written or options(**given).cache == "off" else -1


def is_found(source: Any, **given: Any) -> bool:
    """Whether the program is taken from the cache."""
    return compiles(source, **given) < 0


@pytest.mark.parametrize("text", ["scaled", NONZERO, WRITTEN], ids=["scaled", "nonzero", "written"])
def test_a_warm_start_imports_neither_compiler_nor_onnx(text: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(scaled() if text == "scaled" else model(text))
    cold = sardonyx.InferenceSession(file)
    assert cold.report.counters["compiles"] > 0
    out = tmp_path / "out.npz"
    done = subprocess.run(
        [sys.executable, "-c", WARM, str(file), str(out)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.split() == ["0"]
    feeds = {
        i.name: np.ones([3 if isinstance(n, str) else n for n in i.shape], np.float32)
        for i in cold.get_inputs()
    }
    with np.load(out) as found:
        for a, e in zip(found.values(), cold.run(None, feeds), strict=True):
            np.testing.assert_array_equal(a, e)


DECODE = """
import sys
import numpy as np
import sardonyx
session = sardonyx.InferenceSession(sys.argv[1])
assert "sardonyx.frontend" not in sys.modules
(picture,) = session.run(None, {"x": np.fromfile(sys.argv[2], np.uint8)})
print(session.report.counters["compiles"], picture.tolist())
"""


def test_a_warm_start_finds_the_reference_evaluator_once_a_node_needs_it(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.uint8([[[1, 2, 3], [4, 5, 6]]])).save(tmp_path / "picture.png")
    file = tmp_path / "model.onnx"
    file.write_bytes(model("agraph (uint8[N] x) => (uint8[H, W, 3] y) { y = ImageDecoder(x) }"))
    assert [note.op for note in sardonyx.InferenceSession(file).report.fallbacks] == ["ImageDecoder"]
    done = subprocess.run(
        [sys.executable, "-c", DECODE, str(file), str(tmp_path / "picture.png")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "0 [[[1, 2, 3], [4, 5, 6]]]", done.stderr


def test_a_found_program_has_its_report() -> None:
    data = scaled()
    cold, warm = load_program(data, options()), load_program(data, options())
    assert warm.report.kernels == cold.report.kernels
    assert warm.report.decisions == cold.report.decisions
    assert warm.report.timings == cold.report.timings
    assert cold.report.counters["compiles"] > warm.report.counters["compiles"] == 0
    assert (warm.inputs, warm.outputs, warm.metadata) == (cold.inputs, cold.outputs, cold.metadata)
    check(warm, data, f32(3, 8))


def test_options_that_change_code_have_programs_of_their_own() -> None:
    data = scaled()
    assert not is_found(data)
    assert is_found(data)
    assert is_found(data, threads=2, spin_us=0, log=3)
    assert not is_found(data, precision="strict")
    assert is_found(data, target="x86_64-v3") == (targets.detect() == targets.named("x86_64-v3"))
    assert not is_found(data, dims={"N": 4})
    assert not is_found(data, initializers={"b": np.zeros(8, np.float32)})
    assert is_found(data, initializers={"b": np.zeros(8, np.float32)})
    assert not is_found(data, initializers={"b": np.ones(8, np.float32)})
    assert not is_found(scaled(seed=7))


def test_another_build_compiles_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = scaled()
    assert not is_found(data)
    monkeypatch.setattr(identity, "build", lambda: "another")
    assert not is_found(data)


def test_equal_bytes_are_one_model_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(scaled())
    (tmp_path / "b.onnx").write_bytes(scaled())
    assert not is_found(tmp_path / "a.onnx")
    assert is_found(tmp_path / "b.onnx")
    assert is_found(scaled())


def big(seed: int) -> bytes:
    """A model that is larger than what is read again each time."""
    return model("g (float[N,1] x) => (float[N,320000] y) { y = Mul(x, w) }", w=f32(320000, seed=seed))


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    for seed in (0, 1):
        file.write_bytes(big(seed))
        stamp = time.time() - 60
        os.utime(file, (stamp, stamp))
        assert not is_found(file)
        assert is_found(file)
        check(load_program(file, options()), big(seed), f32(1, 1))


def test_external_data_belongs_to_the_model(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    proto = onnx.load_from_string(scaled(0))
    onnx.save(proto, file, save_as_external_data=True, location="data.bin", size_threshold=0)
    feeds = (f32(2, 8),)
    first = load_program(file, options()).run(feeds, (0,))[0]
    assert is_found(file)
    data = tmp_path / "data.bin"
    data.write_bytes(np.negative(np.frombuffer(data.read_bytes(), np.float32)).tobytes())
    assert not is_found(file)
    assert not np.allclose(load_program(file, options()).run(feeds, (0,))[0], first)


@pytest.mark.parametrize("kind", ["plan", "image", "weights", "object", "external"])
@pytest.mark.parametrize("damage", ["removed", "cut", "changed", "emptied"])
def test_damaged_entries_are_compiled_again(kind: str, damage: str, folder: Path) -> None:
    data = scaled()
    assert not is_found(data)
    entries = [path for path in (folder / kind).rglob("*") if path.is_file()]
    assert entries
    for path in entries:
        content = bytearray(path.read_bytes())
        path.unlink()  # it may be a link to what other tests use
        if damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "emptied":
            path.write_bytes(b"")
        elif damage == "changed":
            content[-1] ^= 0x55
            content[len(content) // 2] ^= 0x55
            path.write_bytes(content)
    check(load_program(data, options()), data, f32(3, 8))
    assert is_found(data)


def test_a_plan_makes_objects_of_this_package_only(folder: Path) -> None:
    store = cache.at(folder)
    store.put("plan", "evil", b"[]\n" + pickle.dumps(os.system))
    assert programs.read(store, "evil") is None
    store.put("plan", "odd", b"[]\n" + pickle.dumps([1, 2]))
    assert programs.read(store, "odd") is None


def test_without_a_cache_everything_works() -> None:
    data = scaled()
    assert compiles(data, cache="off") > 0
    check(load_program(data, options(cache="off")), data, f32(3, 8))


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    data = scaled()
    with pytest.warns(RuntimeWarning, match="nothing will be cached"):
        made = load_program(data, options(cache=str(tmp_path / "file" / "below")))
    check(made, data, f32(3, 8))


def test_weights_are_mapped_and_shared(folder: Path) -> None:
    data = big(0)
    first, second = load_program(data, options()), load_program(data, options(precision="strict"))
    assert len(list((folder / "weights").rglob("*/*"))) == 1
    assert first.weights.size_bytes == second.weights.size_bytes >= 320000 * 4
    maps = Path("/proc/self/maps")
    if maps.exists():
        (name,) = (path.name for path in (folder / "weights").rglob("*/*"))
        assert name in maps.read_text()
    assert all(address % 64 == 0 for address in first.weights.addresses)


def test_a_variant_is_refused_if_the_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(scaled(0))
    made = load_program(file, options())
    file.write_bytes(scaled(1))
    with pytest.raises(RunError, match="has changed since the session was made"):
        made.run((f32(0, 8),), (0,))
    check(made, scaled(0), f32(2, 8))


def test_a_model_whose_graph_depends_on_its_feeds_starts_warm(tmp_path: Path) -> None:
    data = model("g (float[N,3] x, int64[A] axes) => (float y) { y = ReduceSum<keepdims = 0>(x, axes) }")
    feeds = f32(4, 3), np.array([0, 1])
    expected = load_program(data, options()).run(feeds, (0,))
    assert is_found(data)
    warm = load_program(data, options())
    np.testing.assert_array_equal(warm.run(feeds, (0,))[0], expected[0])
    assert warm.report.counters["compiles"] == 0


ROWS, WIDE = 600, 800
LARGE = f"""
g (int64[N] i) => (float[N,{WIDE}] y) <float[{ROWS},{WIDE}] table, float[{WIDE},{WIDE}] w> {{
    x = Gather(table, i)  y = MatMul(x, w)
}}
"""


def large(folder: Path, seed: int = 0) -> Path:
    """A model with a table that is used as it is and a matrix that is packed, both in a file beside it."""
    folder.mkdir(exist_ok=True)
    proto = onnx.ModelProto.FromString(model(LARGE, table=f32(ROWS, WIDE, seed=seed), w=f32(WIDE, WIDE)))
    at = 0
    with (folder / "data.bin").open("wb") as file:
        for tensor in proto.graph.initializer:
            onnx.external_data_helper.set_external_data(tensor, "data.bin", at, len(tensor.raw_data))
            at += file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    return folder / "m.onnx"


def test_weights_are_kept_while_code_is_made_unless_a_file_may_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **named: Any) -> Any:
            order.append(name)
            return call(*args, **named)

        return noting

    monkeypatch.setattr(programs, "keep_weights", noted("weights", programs.keep_weights))
    monkeypatch.setattr(Build, "code", noted("code", Build.code))
    load_program(scaled(), options())
    assert sorted(order[:2]) == ["code", "weights"]
    assert is_found(scaled())
    order.clear()
    check_large(large(tmp_path / "model"))
    assert order == ["code", "weights"]
    order.clear()
    load_program(model(NONZERO), options(cache="off"))
    assert order == ["code"], "nothing is packed that cannot be kept"


def test_a_model_without_constants_begins_no_thread_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    monkeypatch.setattr(loader, "Background", begun.append)
    plain = model("agraph (float[N] x) => (float[N] y) { y = Exp(x) }")
    load_program(plain, options())
    assert not begun
    assert is_found(plain)


def test_who_fails_to_compile_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(build: Build, report: Report) -> Code:
        raise CompileError("no code")

    begun, kept = threading.Event(), programs.keep_weights

    def keep(*args: Any) -> Any:
        begun.set()
        time.sleep(0.1)
        return kept(*args)

    monkeypatch.setattr(programs, "keep_weights", keep)
    monkeypatch.setattr(Build, "code", fail)
    with pytest.raises(CompileError):
        load_program(scaled(), options())
    assert begun.is_set()
    assert not [thread.name for thread in threading.enumerate() if "background" in thread.name]


def check_large(file: Path, seed: int = 0, **given: Any) -> None:
    """What the model gives."""
    i = np.array([3, ROWS - 1, 0])
    expected = f32(ROWS, WIDE, seed=seed)[i].astype(np.float64) @ f32(WIDE, WIDE).astype(np.float64)
    (got,) = load_program(str(file), options(**given)).run([i], (0,))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("strassen", "times"), [("off", 1), ("auto", 2)])
def test_large_weights_are_stored_packed_or_not_at_all(
    strassen: str, times: int, tmp_path: Path, folder: Path
) -> None:
    """And once more as sums of their quarters where these are multiplied."""
    file = large(tmp_path / "model")
    check_large(file, strassen=strassen, short_weights="off")
    assert compiles(str(file), strassen=strassen, short_weights="off") == -1
    check_large(file, strassen=strassen, short_weights="off")
    check_large(file, strassen=strassen, short_weights="off", cache="off")
    stored = sum(path.stat().st_size for path in (folder / "weights").rglob("*") if path.is_file())
    packed = 4 * WIDE * WIDE
    assert packed <= stored < 1.1 * times * packed


def test_large_weights_are_found_for_the_same_files_in_another_place(tmp_path: Path) -> None:
    check_large(large(tmp_path / "first"))
    second = large(tmp_path / "second")
    (tmp_path / "first" / "data.bin").unlink()
    assert compiles(str(second)) == -1
    check_large(second)


def test_a_changed_file_of_large_weights_is_noticed(tmp_path: Path) -> None:
    check_large(large(tmp_path / "model"))
    file = large(tmp_path / "model", seed=1)
    assert compiles(str(file)) != -1
    check_large(file, seed=1)


def test_damaged_large_weights_are_stored_again(tmp_path: Path, folder: Path) -> None:
    file = large(tmp_path / "model")
    check_large(file)
    (stored,) = (path for path in (folder / "weights").rglob("*") if path.is_file())
    stored.write_bytes(stored.read_bytes()[:-1])
    check_large(file)
    assert compiles(str(file)) == -1


def test_changed_weights_of_middling_size_are_packed_again(folder: Path) -> None:
    """They are packed when they are stored, and few enough to be compared with their digest."""
    data = model(PRODUCT, w=f32(256, 256))
    x = f32(3, 256, seed=1)
    (first,) = load_program(data, options()).run([x], (0,))
    np.testing.assert_allclose(first, x @ f32(256, 256), rtol=1e-3, atol=1e-2)
    (stored,) = (path for path in (folder / "weights").rglob("*") if path.stat().st_size > 1 << 17)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 0x55
    stored.unlink()
    stored.write_bytes(content)
    assert not is_found(data)
    assert is_found(data)
    (again,) = load_program(data, options()).run([x], (0,))
    assert np.array_equal(again, first)


@pytest.mark.parametrize(
    ("module", "name", "refusal"),
    [
        ("os", "system", r"does not hold os\.system"),
        ("builtins", "eval", r"does not hold builtins\.eval"),
        ("sardonyx", "op", r"does not hold sardonyx\.op"),
        (
            "sardonyx.store.programs",
            "pickle.loads",
            r"does not hold sardonyx\.store\.programs\.pickle\.loads",
        ),
        ("sardonyx.store.programs", "Cache", r"sardonyx\.store\.programs\.Cache is of another module"),
        ("numpy", "load", r"does not hold numpy\.load"),
        ("numpy.dtypes", "np.load", r"does not hold numpy\.dtypes\.np\.load"),
    ],
)
def test_an_entry_makes_nothing_but_what_programs_are_made_of(module: str, name: str, refusal: str) -> None:
    forged = f"c{module}\n{name}\n.".encode()
    with pytest.raises(pickle.UnpicklingError, match=refusal):
        programs._Unpickler(io.BytesIO(forged)).load()


def test_an_entry_makes_what_programs_are_made_of() -> None:
    held = (np.float32([1, 2]), np.dtype(np.int8), slice(1, 2), frozenset("a"), programs.Signature)
    loaded = programs._Unpickler(io.BytesIO(pickle.dumps(held))).load()
    np.testing.assert_array_equal(loaded[0], held[0])
    assert loaded[1:] == held[1:]
