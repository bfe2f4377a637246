"""Sessions whose kernels use matrix registers, beside whoever else uses them, and where they are not lent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx import targets
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, int_
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.objects import loaded

TILES = isa.V4.matrices
BY = TILES[0].instruction
FEATURES = {feature for tile in TILES for feature in tile.features}
NEEDED = isa.with_features(isa.V4, FEATURES)
TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 96] x) => (float[N, 80] y, int32[N, 48] z) <float[96, 80] w, int8[96, 48] v> {
    p = MatMul(x, w)  y = Relu(p)
    q, scale, zero = DynamicQuantizeLinear(x)
    z = MatMulInteger(q, v, zero)
}
"""
ROWS = 1, 7, 16, 33, 400
Array = Any


@pytest.fixture(scope="module", autouse=True)
def _registers() -> None:
    if not set(targets.detect().features) >= FEATURES:
        pytest.skip("this machine has no matrix registers, or lends none")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one product of floats and one of bytes."""
    rng, proto = np.random.default_rng(0), onnx.parser.parse_model(TEXT)
    del proto.graph.initializer[:]
    w, v = rng.normal(size=(96, 80)).astype(np.float32), rng.integers(-128, 128, (96, 48)).astype(np.int8)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for a, n in ((w, "w"), (v, "v")))
    file = tmp_path_factory.mktemp("registers") / "model.onnx"
    onnx.save(proto, file)
    return file


def opened(path: Path, threads: int = 1, **entries: str) -> Any:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    for name, value in entries.items():
        options.add_session_config_entry(f"sardonyx.{name}", value)
    return sardonyx.InferenceSession(path, options)


def feed(rows: int) -> Array:
    return np.random.default_rng(rows).normal(size=(rows, 96)).astype(np.float32)


def run(session: Any, rows: int) -> list[Array]:
    results: list[Array] = session.run(None, {"x": feed(rows)})
    return results


def same(first: list[Array], second: list[Array]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@cache
def others() -> LoadedImage:
    """`occupy()`, which leaves registers of few rows in use, and `told(ptr)`: how they are configured."""
    module = Module()
    f = Function(module, "occupy", [])
    matrix.configure(f, BY, dict.fromkeys(range(8), int_(3)))
    matrix.zero(f, BY, 0)
    f.ret()
    f.finish()
    f = Function(module, "told", [("to", "ptr")])
    module.declare("llvm.x86.sttilecfg", "void", ["ptr"])
    f.line(f"call void @llvm.x86.sttilecfg({f.params[0]})")
    f.ret()
    f.finish()
    return loaded([engine.compile_object(module.text(), NEEDED)], NEEDED)


def occupy() -> None:
    """What another library does that uses the registers in this thread."""
    ctypes.CFUNCTYPE(None)(others().address("occupy"))()


def configuration() -> bytes:
    """How this thread's registers are configured; zeros if they are not in use."""
    words = (ctypes.c_uint8 * 64)()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(others().address("told"))(ctypes.addressof(words))
    return bytes(words)


@pytest.mark.parametrize(("precision", "floats"), [("fp32", "bf16x3"), ("strict", ""), ("bf16", "bf16")])
def test_floats_and_bytes_in_one_program(path: Path, precision: str, floats: str) -> None:
    session = opened(path, precision=precision)
    (w, v) = (onnx.numpy_helper.to_array(t).astype(np.float64) for t in onnx.load(path).graph.initializer)
    for rows in ROWS:
        y, z = run(session, rows)
        exact = np.maximum(feed(rows).astype(np.float64) @ w, 0)
        error = np.sqrt(np.mean((y - exact) ** 2) / np.mean(exact**2))
        assert error < (MATRIX_BOUNDS[floats] if floats else 1e-6)
        low, high = min(feed(rows).min(), 0), max(feed(rows).max(), 0)
        scale = np.float32((high - low) / np.float32(255))
        zero = np.rint(-low / scale)
        points = np.clip(np.rint(feed(rows) / scale) + zero, 0, 255) - zero
        assert np.mean(z != points @ v) < 0.05, "a number may lie between two points"
    used = {kernel.arithmetic for kernel in session.report.kernels}
    assert {tile.name for tile in TILES if str(tile) in used} == {"u8s8", floats} - {""}


@pytest.mark.parametrize("threads", [1, 2])
def test_what_others_left_in_the_registers_is_no_matter(path: Path, threads: int) -> None:
    session = opened(path, threads)
    expected = {rows: run(session, rows) for rows in ROWS}
    for rows in ROWS:
        occupy()
        assert configuration() != bytes(64)
        assert same(run(session, rows), expected[rows])


def test_registers_are_given_back(path: Path) -> None:
    session = opened(path)
    for rows in ROWS:
        run(session, rows)
        assert configuration() == bytes(64)


def test_threads_of_the_caller_share_nothing(path: Path) -> None:
    """A run gives what one thread gives, or what several do: it may be done without the others."""
    sessions = [opened(path, threads) for threads in (1, 2)]
    alone, together = ({rows: run(session, rows) for rows in ROWS} for session in sessions)

    def several(seed: int) -> bool:
        order = np.random.default_rng(seed).permutation(np.repeat(ROWS, 8))
        results = [(int(rows), run(sessions[n % 2], int(rows))) for n, rows in enumerate(order)]
        return all(same(got, alone[rows]) or same(got, together[rows]) for rows, got in results)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(several, range(12)))


@pytest.fixture
def interrupted() -> Iterator[list[int]]:
    """Signals every fifth of a millisecond of this process's time."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are handled in the main thread alone")
    met: list[int] = []
    before = signal.signal(signal.SIGVTALRM, lambda number, _: met.append(number))
    signal.setitimer(signal.ITIMER_VIRTUAL, 2e-4, 2e-4)
    yield met
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def test_signals_leave_the_registers_as_they_are(path: Path, interrupted: list[int]) -> None:
    session = opened(path)
    first = run(session, 4000)
    for _ in range(1000):
        assert same(run(session, 4000), first)
        if len(interrupted) > 20:
            break
    assert interrupted


REFUSED = """
import ctypes, struct, sys
ARCH_PRCTL, REQUEST, ALLOW, REFUSE = 158, 0x1023, 0x7FFF0000, 0x50001
rows = [(0x20, 0, 0, 0), (0x15, 0, 3, ARCH_PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, REQUEST), (6, 0, 0, REFUSE)]
code = b"".join(struct.pack("HBBI", *row) for row in [*rows, (6, 0, 0, ALLOW)])
held = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit("no filter")
import numpy as np, sardonyx
from sardonyx import targets
session = sardonyx.InferenceSession(sys.argv[1])
y, z = session.run(None, {"x": np.load(sys.argv[2])})
np.savez(sys.argv[3], y=y, z=z)
print([f for f in targets.detect().features if f.startswith("amx")])
print([kernel.arithmetic for kernel in session.report.kernels if "tdp" in kernel.arithmetic])
"""


def test_a_system_that_lends_no_registers_gets_code_without_them(path: Path, tmp_path: Path) -> None:
    """From the same cache, in which code that uses them is."""
    expected = run(opened(path), 33)
    files = [tmp_path / name for name in ("x.npy", "results.npz")]
    np.save(files[0], feed(33))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", REFUSED, str(path), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    if done.stderr.strip() == "no filter":
        pytest.skip("the system lets this process forbid itself nothing")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
    with np.load(files[1]) as got:
        assert np.allclose(got["y"], expected[0], rtol=1e-4, atol=1e-4)
        assert np.array_equal(got["z"], expected[1])


FORKED = """
import os, sys
import numpy as np, sardonyx
options = sardonyx.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = sardonyx.InferenceSession(sys.argv[1], options)
x = np.load(sys.argv[2])
if sys.argv[4] == "before":
    expected = session.run(None, {"x": x})
pid = os.fork()
results = session.run(None, {"x": x})
if not pid:
    np.savez(sys.argv[5], *results)
    os._exit(0)
print(os.waitpid(pid, 0)[1])
with np.load(sys.argv[5]) as child:
    print(all(np.array_equal(child[f"arr_{n}"], mine) for n, mine in enumerate(results)))
"""


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("threads", [1, 2])
def test_children_use_the_registers_too(path: Path, tmp_path: Path, threads: int, first: str) -> None:
    """Those of a parent that used them before the fork, and of one that had not yet."""
    files = [tmp_path / name for name in ("x.npy", "results.npz")]
    np.save(files[0], feed(400))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [str(path), str(files[0]), str(threads), first, str(files[1])]
    command = [sys.executable, "-W", "ignore", "-c", FORKED, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "True"]
