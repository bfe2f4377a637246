"""Sessions in event loops, in forked children and in other processes."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 64] x) => (float[N, 64] y) <float[64, 64] w> { h = MatMul(x, w)  y = Relu(h) }
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    proto = onnx.parser.parse_model(TEXT)
    del proto.graph.initializer[:]
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    file = tmp_path_factory.mktemp("process") / "model.onnx"
    onnx.save(proto, file)
    return file


def feed(seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=(512, 64)).astype(np.float32)


def test_awaited_runs_leave_the_loop_free(path: Path) -> None:
    session = sardonyx.InferenceSession(path)

    async def serve() -> list[Any]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        runs = [asyncio.to_thread(session.run, ["y"], {"x": feed(seed)}) for seed in range(8)]
        results = await asyncio.gather(*runs)
        ticking.cancel()
        assert ticks > 0
        return results

    results = asyncio.run(serve())
    for seed, (y,) in enumerate(results):
        np.testing.assert_array_equal(y, session.run(None, {"x": feed(seed)})[0])


def test_callbacks_resolve_futures(path: Path) -> None:
    session = sardonyx.InferenceSession(path)

    async def run(value: Any) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def done(results: Any, user_data: object, error: str) -> None:
            loop.call_soon_threadsafe(
                lambda: future.set_exception(RuntimeError(error)) if error else future.set_result(results)
            )

        session.run_async(["y"], {"x": value}, done, None)
        return await future

    (y,) = asyncio.run(run(feed(1)))
    np.testing.assert_array_equal(y, session.run(None, {"x": feed(1)})[0])
    with pytest.raises(RuntimeError, match="Unexpected input data type"):
        asyncio.run(run(feed(1).astype(np.float64)))


def test_a_failing_callback_is_logged_and_the_next_one_runs(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, done = sardonyx.InferenceSession(path), threading.Event()

    def fail(*args: object) -> None:
        raise ZeroDivisionError("mine")

    session.run_async(None, {"x": feed(1)}, fail, None)
    session.run_async(None, {"x": feed(1)}, lambda *args: done.set(), None)
    assert done.wait(30)
    assert "ZeroDivisionError: mine" in capsys.readouterr().err
    with pytest.raises(TypeError, match="the callback must be callable"):
        session.run_async(None, {"x": feed(1)}, None, None)  # type: ignore[arg-type]


FORKED = """
import os, sys, threading
import numpy as np, sardonyx
path, threads = sys.argv[1], int(sys.argv[2])
options = sardonyx.SessionOptions()
options.intra_op_num_threads = threads
session = sardonyx.InferenceSession(path, options)
x = np.random.default_rng(0).normal(size=(512, 64)).astype(np.float32)
expected, first = (session.run(None, {"x": rows})[0] for rows in (x, x[:7]))
done = threading.Event()
session.run_async(None, {"x": x}, lambda *args: done.set(), None)
done.wait(30)

def child():
    assert np.array_equal(session.run(None, {"x": x})[0], expected)
    again = threading.Event()
    session.run_async(None, {"x": x}, lambda *args: again.set(), None)
    assert again.wait(30)
    other = sardonyx.InferenceSession(path, options)
    assert np.array_equal(other.run(None, {"x": x[:7]})[0], first)

children = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        try:
            child()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(pid)
    assert np.array_equal(session.run(None, {"x": x})[0], expected)
print([os.waitpid(pid, 0)[1] for pid in children])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("threads", [1, 2])
def test_forked_children_run_sessions_of_their_parent(path: Path, threads: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(path), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0, 0, 0]"


def test_pickled_sessions_run_elsewhere(path: Path, tmp_path: Path) -> None:
    options = sardonyx.SessionOptions()
    options.add_free_dimension_override_by_name("N", 512)
    options.add_initializer("w", sardonyx.OrtValue.ortvalue_from_numpy(np.eye(64, dtype=np.float32)))
    session = sardonyx.InferenceSession(path, options)
    file = tmp_path / "session.pickle"
    file.write_bytes(pickle.dumps(session))
    code = """
import pickle, sys, numpy as np
session = pickle.load(open(sys.argv[1], "rb"))
x = np.random.default_rng(3).normal(size=(512, 64)).astype(np.float32)
print(session.get_inputs()[0].shape, np.array_equal(session.run(None, {"x": x})[0], np.maximum(x, 0)))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", code, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "[512, 64] True", done.stderr


ENDING = """
import atexit, sys, threading, time
import numpy as np, sardonyx
path, threads, daemons = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = np.ones((300, 300), np.float32)
atexit.register(lambda: print(np.array_equal(session.run(None, {"t0": x})[0], expected), flush=True))
options = sardonyx.SessionOptions()
options.intra_op_num_threads = threads
session = sardonyx.InferenceSession(path, options)
expected = session.run(None, {"t0": x})[0]

def serve():
    while True:
        session.run(None, {"t0": x})

for _ in range(daemons):
    threading.Thread(target=serve, daemon=True).start()
time.sleep(0.05)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("daemons", [0, 1, 4])
def test_a_process_ends_while_daemon_threads_run(tmp_path: Path, threads: int, daemons: int) -> None:
    """The products are large enough for the memory of their operands to go back to the system if freed."""
    products = " ".join(f"t{n + 1} = MatMul(t{n}, w)" for n in range(20))
    text = f"g (float[N, 300] t0) => (float[N, 300] t20) {{ {products} }}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(300, dtype=np.float32), "w"))
    path = tmp_path / "products.onnx"
    onnx.save(model, path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", ENDING, str(path), str(threads), str(daemons)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.strip() == "True"
