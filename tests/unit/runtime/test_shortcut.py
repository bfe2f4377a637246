"""A run by the shortcut is the run by Python: same results, same errors, and nothing left behind."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import sardonyx
from sardonyx.base.shortcut import STATION_COUNT
from sardonyx.ort import session as sessions
from sardonyx.ort.exceptions import InvalidArgument
from sardonyx.ort.session import Session
from sardonyx.runtime import allocate, interpreter, shortcut
from tests.unit.runtime.programs import GATHER, f32, model
from tests.ways import knows

TWO = "g (float[N] x, float[N] z) => (float[N] y, float[N] w) { y = Add(x, z)  w = Mul(x, z) }"
SOFT = "g (float[N,64] x) => (float[N,64] y) { a = Softmax(x)  b = Exp(a)  c = Sin(b)  y = Tanh(c) }"
X, Z = f32(6), f32(6, seed=1)

pytestmark = pytest.mark.skipif(interpreter.words() is None, reason="only Python runs here")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "AFTER", 1)
    monkeypatch.setattr(sessions, "FIRST_RUNS", 1)


def session(text: str, threads: int = 1) -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return sardonyx.InferenceSession(model(text), options)


def known(text: str, feed: dict[str, Any], threads: int = 1) -> sardonyx.InferenceSession:
    """A session whose shortcut knows the sizes of a feed."""
    made = session(text, threads)
    made.run(None, feed)
    assert knows(made) == 1
    return made


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The feeds of the runs that Python does."""
    runs: list[Any] = []
    call = shortcut.Shortcut.__call__

    def counted(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        runs.append(args)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(shortcut.Shortcut, "__call__", counted)
    return runs


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives, or what it raises; comparable."""
    try:
        return [(type(r), r.dtype, r.shape, r.tobytes()) for r in call(*arguments)]
    except Exception as error:
        return type(error), str(error)


def test_sizes_are_taken_up_when_they_come_often(
    monkeypatch: pytest.MonkeyPatch, by_python: list[Any]
) -> None:
    monkeypatch.setattr(shortcut, "AFTER", 3)
    made = session(TWO)
    for n in range(6):
        y, w = made.run(None, {"x": X, "z": Z})
        assert np.array_equal(y, X + Z)
        assert np.array_equal(w, X * Z)
        assert len(by_python) == min(n + 1, 3)
    made.run(None, {"x": X[:4], "z": Z[:4]})
    assert len(by_python) == 4


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        *((None, True), (["y"], True), (["w"], True), (["w", "y"], True), (["".join(["", "w"])], True)),
        *(([], False), (["w", "w"], False), (("w",), False), (["v"], False), ("w", False), ([1], False)),
        *((["w", None], False), (["y", "w", "y"], False), ([b"y"], False), ({"y": 1}, False)),
    ],
)
def test_names_of_outputs(names: Any, plain: bool, by_python: list[Any]) -> None:
    made, feed = known(TWO, {"x": X, "z": Z}), {"x": X, "z": Z}
    by_python.clear()
    found = outcome(made.run, names, feed)
    assert len(by_python) == (not plain)
    assert found == outcome(made._caller.call_checked, names, feed)


class Own(np.ndarray[Any, Any]):
    """A kind of array of a user."""


def _unaligned(array: Any) -> Any:
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    memory[:] = array.view(np.uint8)
    return memory.view(array.dtype)


def _read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


FED: dict[str, tuple[Callable[[], Any], bool]] = {
    "plain": (lambda: {"x": X, "z": Z}, True),
    "other order": (lambda: {"z": Z, "x": X}, True),
    "one array twice": (lambda: {"x": X, "z": X}, True),
    "read-only": (lambda: {"x": _read_only(X), "z": Z}, True),
    "unpickled": (lambda: pickle.loads(pickle.dumps({"x": X, "z": Z})), True),
    "views": (lambda: {"x": np.arange(9, dtype=np.float32)[3:], "z": Z}, True),
    "overlapping": (lambda: dict(zip("xz", (lambda a: (a[:6], a[2:8]))(f32(8)), strict=True)), True),
    "strided": (lambda: {"x": f32(12)[::2], "z": Z}, False),
    "backwards": (lambda: {"x": X[::-1], "z": Z}, False),
    "unaligned": (lambda: {"x": _unaligned(X), "z": Z}, False),
    "swapped": (lambda: {"x": X.astype(">f4"), "z": Z}, False),
    "a subclass": (lambda: {"x": X.view(Own), "z": Z}, False),
    "masked": (lambda: {"x": np.ma.masked_array(X), "z": Z}, False),
    "a list": (lambda: {"x": X.tolist(), "z": Z}, False),
    "an OrtValue": (lambda: {"x": sardonyx.OrtValue.ortvalue_from_numpy(X), "z": Z}, False),
    "another dictionary": (lambda: OrderedDict(x=X, z=Z), False),
    "other sizes": (lambda: {"x": X[:3], "z": Z[:3]}, False),
    "sizes apart": (lambda: {"x": X, "z": Z[:3]}, False),
    "another rank": (lambda: {"x": X.reshape(1, 6), "z": Z}, False),
    "no axes": (lambda: {"x": X[0].reshape(()), "z": Z}, False),
    "empty": (lambda: {"x": X[:0], "z": Z[:0]}, False),
    "float64": (lambda: {"x": X.astype(np.float64), "z": Z}, False),
    "int32": (lambda: {"x": X.view(np.int32), "z": Z}, False),
    "objects": (lambda: {"x": X.astype(object), "z": Z}, False),
    "one missing": (lambda: {"x": X}, False),
    "one too many": (lambda: {"x": X, "z": Z, "q": Z}, False),
    "another name": (lambda: {"x": X, "q": Z}, False),
    "None": (lambda: {"x": X, "z": None}, False),
    "a number as name": (lambda: {"x": X, 1: Z}, False),
    "no dictionary": (lambda: None, False),
}


@pytest.mark.parametrize("kind", FED)
def test_feeds(kind: str, by_python: list[Any]) -> None:
    make, plain = FED[kind]
    made, feed = known(TWO, {"x": X, "z": Z}), make()
    by_python.clear()
    found = outcome(made.run, None, feed)
    assert len(by_python) == (not plain)
    assert found == outcome(made._caller.call_checked, None, feed)


def test_options_and_arguments_by_name(by_python: list[Any]) -> None:
    made, feed = known(TWO, {"x": X, "z": Z}), {"x": X, "z": Z}
    by_python.clear()
    expected = outcome(made.run, None, feed)
    assert outcome(made._call, None, feed, None) == expected
    assert not by_python
    assert outcome(made.run, None, feed, sardonyx.RunOptions()) == expected
    assert outcome(made._call, None, feed) == expected
    assert outcome(lambda: made._call(output_names=None, input_feed=feed)) == expected
    assert len(by_python) == 3
    with pytest.raises(TypeError):
        made._call()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint8, np.int64, np.uint64, np.bool_])
def test_types_and_no_axes(dtype: Any, by_python: list[Any]) -> None:
    number = sardonyx.base.dtype.by_numpy(np.dtype(dtype)).onnx_name
    made = session(f"g ({number} x) => ({number} y) {{ t = Identity(x)  y = Squeeze(t) }}")
    for _ in range(3):
        (y,) = made.run(None, {"x": np.array(1, dtype)})
        assert (y.dtype, y.shape, y.item()) == (np.dtype(dtype), (), 1)
    assert len(by_python) == 1


def test_results_are_the_callers(by_python: list[Any]) -> None:
    made, feed = known(TWO, {"x": X, "z": Z}), {"x": X, "z": Z}
    by_python.clear()
    first, second = made.run(None, feed), made.run(None, feed)
    assert first is not second
    arrays = [*first, *second, X, Z]
    for n, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[n + 1 :])
    for result in first:
        assert result.flags.owndata
        assert result.flags.writeable
        result[:] = 0
    assert np.array_equal(second[0], X + Z)
    assert not by_python


def test_more_sizes_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "_MOST_HELD", 3000)
    made = session(TWO)
    for n in [*range(1, 12)] * 3:
        x = f32(n)
        assert np.array_equal(made.run(None, {"x": x, "z": x})[0], x + x)
    assert 1 <= knows(made) < 11


def test_failing_runs_say_so_each_time_and_leave_the_rest_as_it_was() -> None:
    good = {"x": f32(4, 3), "i": np.array([0, 3])}
    made = known(GATHER, good)
    bad = {"x": good["x"], "i": np.array([0, 4])}
    errors = {outcome(made.run, None, bad) for _ in range(3)}
    assert len(errors) == 1
    assert "index 4 is out of range for an axis of size 4" in errors.pop()[1]
    assert np.array_equal(made.run(None, good)[0], good["x"][[0, 3]])


@pytest.mark.parametrize(
    ("feed", "names"),
    [({"x": X, "z": Z}, None), ({"x": X, "z": Z}, ["w"]), ({"x": X}, None), ({"x": X, "z": 1}, None)],
)
def test_references_are_given_back(feed: dict[str, Any], names: Any) -> None:
    made = known(TWO, {"x": X, "z": Z})
    held = made._call.__self__
    own = held.owner
    (row,) = own._rows.known.values()
    objects = [X, Z, feed, names, None, X.dtype, made._call, held, own, row, *own._outputs]
    objects += [name for name, _ in own._inputs] + [made.run(None, {"x": X, "z": Z})[0].dtype]
    gc.collect()  # what other tests left holds None
    before = [sys.getrefcount(one) for one in objects]
    for _ in range(2000):
        outcome(made.run, names, feed)
    gc.collect()  # errors and what led to them hold each other
    after = [sys.getrefcount(one) for one in objects]
    assert max(map(abs, (a - b for a, b in zip(after, before, strict=True)))) < 1000, "not one a run"


def test_a_session_goes_with_its_last_reference() -> None:
    made = known(TWO, {"x": X, "z": Z})
    gone = [weakref.ref(made), weakref.ref(made._program), weakref.ref(made._call.__self__)]
    gc.disable()
    try:
        del made
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_a_session_ends_while_it_runs() -> None:
    feed = {"x": f32(2000, 64)}
    made = known(SOFT, feed)
    expected = made.run(None, feed)[0]
    calls: list[Any] = [made._call] * 4
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(calls.pop()(None, feed, None)[0])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    del made
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, expected) for one in found)


class Sly:
    """A key that says it is an input, and does something when it is asked."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.hash, self.act = hash(name), act

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        self.act()
        return False


def test_code_that_runs_while_feeds_are_looked_up() -> None:
    made = known("g (float[N] x) => (float[N] y) { y = Neg(x) }", {"x": X})
    feed: dict[Any, Any] = {}

    def taken() -> None:
        feed.clear()
        made.run(None, {"x": X})

    feed[Sly("x", taken)] = X
    assert outcome(made.run, None, feed)[0] is ValueError

    def raised() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        made.run(None, {Sly("x", raised): X})
    assert np.array_equal(made.run(None, {"x": X})[0], -X)


def test_an_interrupt_of_a_look_up_ends_the_run() -> None:
    made = known("g (float[N] x) => (float[N] y) { y = Neg(x) }", {"x": X})
    left = [KeyboardInterrupt]

    def interrupted() -> None:
        while left:
            raise left.pop()

    with pytest.raises(KeyboardInterrupt):
        made.run(None, {Sly("x", interrupted): X})


def test_an_array_that_changes_when_another_is_looked_up() -> None:
    text = "g (float[N] x, float[K] z) => (float[N] y, float[K] w) { y = Neg(x)  w = Neg(z) }"
    made, changed = known(text, {"x": f32(24), "z": Z}), f32(6)

    class Key(str):
        """A name whose comparison turns 6 floats into 24 bytes."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            changed.__setstate__((1, (24,), np.dtype(np.int8), False, bytes(24)))
            return str.__eq__(self, other)

    found = outcome(made.run, None, {"x": changed, Key("z"): Z})
    assert issubclass(found[0], InvalidArgument), "24 floats are read where there are 6"
    assert "tensor(int8)" in found[1]


def test_a_run_inside_a_run() -> None:
    made, feed = known(TWO, {"x": X, "z": Z}), {"x": X, "z": Z}
    inner = []

    def again(phase: str, info: object) -> None:
        if phase == "start" and len(inner) < 50:
            inner.append(made.run(None, feed)[0])

    threshold = gc.get_threshold()
    gc.callbacks.append(again)
    gc.set_threshold(1)
    try:
        outer = [made.run(None, feed) for _ in range(200)]
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(again)
    assert inner
    assert all(np.array_equal(one, X + Z) for one in (*(results[0] for results in outer), *inner))


@pytest.mark.parametrize("threads", [1, 2])
def test_several_threads_with_several_sizes(threads: int) -> None:
    made = session(SOFT, threads)
    feeds = [{"x": f32(1 + 90 * n, 64, seed=n)} for n in range(11)]
    expected = [made.run(None, feed)[0] for feed in feeds]
    end, wrong = time.monotonic() + 0.7, []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while time.monotonic() < end:
            n = int(rng.integers(len(feeds)))
            if not np.array_equal(made.run(None, feeds[n])[0], expected[n]):
                wrong.append(n)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(STATION_COUNT + 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_feed_that_another_thread_exchanges() -> None:
    arrays = [f32(900, 64, seed=n) for n in range(3)]
    feed = {"x": arrays[0]}
    made = known(SOFT, feed)
    expected = [made.run(None, {"x": one})[0].tobytes() for one in arrays]
    end = time.monotonic() + 0.5

    def exchange() -> None:
        n = 0
        while time.monotonic() < end:
            n += 1
            feed["x"] = arrays[n % 3].copy()

    other = threading.Thread(target=exchange)
    other.start()
    while time.monotonic() < end:
        assert made.run(None, feed)[0].tobytes() in expected
    other.join()


def test_a_run_that_is_replaced_or_overridden_is_called() -> None:
    class Own(sardonyx.InferenceSession):
        def run(self, *args: Any, **kwargs: Any) -> list[Any]:
            return [1, *super().run(*args, **kwargs)]

    made, feed = Own(model(TWO)), {"x": X, "z": Z}
    for _ in range(3):
        assert len(made.run(None, feed)) == 3
    with mock.patch.object(Session, "run", return_value=["mine"]):
        assert known_run(feed) == ["mine"]
    again = pickle.loads(pickle.dumps(session(TWO)))
    assert outcome(again.run, None, feed) == outcome(again.run, None, feed)


def known_run(feed: dict[str, Any]) -> list[Any]:
    return session(TWO).run(None, feed)


def _unusual() -> Iterator[Any]:
    yield session(
        f"g ({', '.join(f'float[2] x{n}' for n in range(33))}) => (float[2] y) {{ y = Add(x0, x32) }}"
    )
    yield session("g (string[N] x) => (string[N] y) { y = Identity(x) }")
    yield session("g (float[N] x) => (float[N] y) { t = Cast<to = 8>(x)  u = Cast<to = 1>(t)  y = Exp(u) }")


def test_what_has_no_shortcut() -> None:
    for made in _unusual():
        made._call = made._caller.shortcut(made._caller.function())
        assert not hasattr(made._call, "__self__") or not isinstance(made._call.__self__, interpreter.Held)
    with mock.patch.object(allocate, "empty", lambda *args: np.empty(*args)):
        made = session(TWO)
        made.run(None, {"x": X, "z": Z})
        assert not knows(made)


def test_large_programs_are_left_to_python(by_python: list[Any]) -> None:
    made = session("g (float[N,2000] x) => (float[N,2000] y) { a = Softmax(x)  y = Softmax<axis = 0>(a) }")
    for _ in range(3):
        made.run(None, {"x": np.ones((500, 2000), np.float32)})
    assert len(by_python) == 3
    assert not knows(made)


END = """
import sys, threading, time
import numpy as np
import sardonyx
from sardonyx.runtime import shortcut
from sardonyx.ort import session
shortcut.AFTER = session.FIRST_RUNS = 1
made, feed = sardonyx.InferenceSession(sys.argv[1]), {"x": np.ones((3000, 64), np.float32)}
def work():
    while True:
        made.run(None, feed)
class Slow:
    def __del__(self):
        time.sleep(0.05)
slow = Slow()
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
"""
FORK = (
    END
    + """
import os
for _ in range(5):
    child = os.fork()
    if not child:
        for _ in range(40):
            made.run(None, feed)
        os._exit(len(set(map(lambda n: made.run(None, feed)[0].tobytes(), range(3)))) - 1)
    assert os.waitpid(child, 0)[1] == 0
"""
)


@pytest.mark.parametrize(
    "text",
    [END, pytest.param(FORK, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"))],
    ids=["end", "fork"],
)
def test_processes_end_and_fork_while_threads_run(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model(SOFT))
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, str(path)],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
