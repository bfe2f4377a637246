"""Sizes that are fed as numbers, or computed: a shortcut goes from segment to segment as Python does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from sardonyx.base.shortcut import ROW_SETS, ROW_WAYS, set_of
from sardonyx.ort import session as sessions
from sardonyx.runtime import interpreter, rows, shortcut
from tests.unit.runtime.programs import NONZERO, WRITTEN, f32, model, program
from tests.unit.runtime.test_shortcut import by_python, outcome, session
from tests.ways import knows

__all__ = ["by_python"]

pytestmark = pytest.mark.skipif(
    interpreter.words() is None, reason="native code cannot work with this Python"
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "AFTER", 1)
    monkeypatch.setattr(sessions, "FIRST_RUNS", 1)


class Case(NamedTuple):
    """A model, and a feed for each of some small numbers."""

    text: str
    feed: Callable[[int], dict[str, Any]]


def _float(x: float) -> Any:
    return np.array(x, np.float32)


def _flags(n: int) -> Any:
    return np.arange(9) < n


CASES = {
    "fed": Case(
        "g (int64 a, int64 b) => (int64[K] y) { one = Constant<value_int = 1>()  y = Range(a, b, one) }",
        lambda n: {"a": np.array(1), "b": np.array(n)},
    ),
    "fed int32": Case(
        "g (float[N] x, int32[1] s) => (float[K] y) { b = Sub(s, s)  y = Slice(x, b, s) }",
        lambda n: {"x": f32(9), "s": np.array([n - 4], np.int32)},
    ),
    "fed floats": Case(
        "g (float a, float b, float c) => (float[K] y) { y = Range(a, b, c) }",
        lambda n: {"a": _float(0), "b": _float(n), "c": _float(0.5)},
    ),
    "computed": Case(
        "g (float[N] x, bool[N] c) => (float[K] y) { y = Compress<axis = 0>(x, c) }",
        lambda n: {"x": f32(9), "c": _flags(n)},
    ),
    "computed and more": Case(NONZERO, lambda n: {"x": _flags(n).astype(np.float32), "z": f32(3)}),
    "several times": Case(
        "g (float[N] x, int64[2] s) => (float[K] y, float[L] z) { y, z = Split(x, s) }",
        lambda n: {"x": f32(9), "s": np.array([n, 9 - n])},
    ),
    "written to an output": Case(
        """g (float[N] x) => (int64[1] n, int64[K] y) {
            i = Cast<to = 7>(x)  n = ReduceMax<keepdims = 1>(i)  s = Squeeze(n)
            z = Constant<value_int = 0>()  one = Constant<value_int = 1>()  y = Range(z, s, one) }""",
        lambda n: {"x": np.array([0, n], np.float32)},
    ),
}


QUICK = ("fed", "computed and more", "several times")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_a_shortcut_gives_what_python_gives(name: str, by_python: list[Any]) -> None:
    text, feed = CASES[name]
    made = session(text)
    for n in (1, 0, 4, 7):
        by_python.clear()
        first = outcome(made.run, None, feed(n))
        again = outcome(made.run, None, feed(n))
        assert len(by_python) == 1, "the first run alone"
        assert first == again == outcome(made._caller.call_checked, None, feed(n))
    by_python.clear()
    for n in (7, 1, 0, 4):
        assert outcome(made.run, None, feed(n)) == outcome(made._caller.call_checked, None, feed(n))
    assert not by_python
    assert knows(made) == 1


def test_outputs_by_name_and_of_the_caller() -> None:
    text, feed = CASES["several times"]
    made = session(text)
    made.run(None, feed(4))
    (z,) = made.run(["z"], feed(4))
    z[:] = 0
    z, y = made.run(["z", "y"], feed(4))
    assert np.array_equal(np.concatenate([y, z]), f32(9))
    assert not np.shares_memory(y, z)


def test_more_numbers_than_are_kept(by_python: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "set_of", lambda numbers: set_of(numbers) if numbers == (1, 0, 1) else 0)
    most = ROW_WAYS
    text, feed = CASES["fed"]
    made = session(text)
    for n in range(20):
        for _ in range(2):
            assert np.array_equal(made.run(None, feed(n + 1))[0], np.arange(1, n + 1))
    assert len(made._call.__self__.owner._rows.known[0, 0].followers.known) == most
    by_python.clear()
    for n in range(20):
        made.run(None, feed(n + 1))
    assert len(by_python) >= 20 - most


def test_older_rows_make_room() -> None:
    table, made = rows.Rows(), [SimpleNamespace(key=(n, -n), address=n + 1) for n in range(3000)]
    for row in made:
        before = len(table.known)
        assert table.put(row) == (len(table.known) > before)  # type: ignore[arg-type]
    assert len(table.known) == len(table._keys) == np.count_nonzero(table._words) == ROW_SETS * ROW_WAYS
    for place, key in table._keys.items():
        assert place // ROW_WAYS == set_of(key)
        assert table._words[place] == table.known[key].address
    table.drop(made[-1].key)
    assert made[-1].key not in table.known
    assert made[-1].address not in table._words
    table.clear()
    assert not table.known
    assert not table._words.any()


def test_where_most_numbers_are_new_all_are_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MISSES", 4)
    monkeypatch.setattr(shortcut, "_PAUSE", 3)
    text, feed = CASES["fed"]
    made = session(text)
    monkeypatch.setattr(rows, "set_of", lambda numbers: 0)
    for n, known in enumerate((1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1)):
        assert len(made.run(None, feed(n + 1))[0]) == n
        assert knows(made) == known, n


def test_rows_of_many_segments_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "_MOST_ROWS", 6)
    text, feed = CASES["several times"]
    made = session(text)
    for n in (1, 2, 3, 4, 1, 2):
        assert outcome(made.run, None, feed(n)) == outcome(made.run, None, feed(n))
        assert sum(row.size() for row in made._call.__self__.owner._rows.known.values()) <= 7


@pytest.mark.parametrize("number", [1 << 60, (1 << 63) - 1])
def test_numbers_that_no_memory_holds(number: int) -> None:
    text, feed = CASES["fed"]
    made = session(text)
    made.run(None, feed(4))
    for _ in range(3):
        kind, message = outcome(made.run, None, {"a": np.array(0), "b": np.array(number)})
        assert issubclass(kind, Exception)
        assert "sizes" in message
    assert made.run(None, {"a": np.array(0), "b": np.array(-(1 << 63))})[0].size == 0
    assert np.array_equal(made.run(None, feed(4))[0], [1, 2, 3])


def test_what_has_rows() -> None:
    assert rows.has_rows(program(model(NONZERO)).data)
    assert not rows.has_rows(program(model(WRITTEN)).data), "it goes through Python"


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_several_threads_with_several_numbers(threads: int) -> None:
    text = """g (float[N,64] x, int64[1] e) => (float[K,64] y, int64[2,L] z) {
        s = Constant<value_ints = [0]>()  c = Slice(x, s, e)  y = Softmax(c)  r = Relu(y)  z = NonZero(c) }"""
    made = session(text, threads)
    x = np.maximum(f32(900, 64), 0)
    feeds = [{"x": x, "e": np.array([n])} for n in range(1, 900, 9)]
    expected = [[a.tobytes() for a in made._caller.call_checked(None, feed)] for feed in feeds]
    end, wrong = time.monotonic() + 1.5, []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while time.monotonic() < end:
            n = int(rng.integers(len(feeds)))
            if [a.tobytes() for a in made.run(None, feeds[n])] != expected[n]:
                wrong.append(n)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
