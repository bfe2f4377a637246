"""Texts that native code looks up get the numbers that Python gives them; what is no text goes to Python."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.ort import session as sessions
from sardonyx.runtime import interpreter, shortcut, texts
from tests.ways import knows

HEAD = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 4]>\n'
TABLE = """g (string[N,1] x, float[N,2] z, string[N,2] v) => (float[N,6] y) <int64[2] s = {-1, 2}> {
    a = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(x)
    b = ai.onnx.ml.LabelEncoder<keys_strings = ["red", "", "blå"], values_floats = [1.0, 2.0, 3.0]>(v)
    c = Reshape(a, s) y = Concat<axis = 1>(c, b, z) }"""
LABELS = """g (string[N] x) => (int64[N] y) {
    y = ai.onnx.ml.LabelEncoder<keys_strings = [KEYS], values_int64s = [NUMBERS]>(x) }"""
WORDS = np.array(["red", "cat", "dog", "", "blå", "r\ud800", "red\0", "森" * 20], object)
LOOKED_UP = np.array([1, 0, 0, 2, 3, 0, 0, 0], np.float32)

pytestmark = pytest.mark.skipif(
    interpreter.words() is None, reason="native code cannot work with this Python"
)


@pytest.fixture(scope="module", autouse=True)
def at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcut, "AFTER", 1)
        patch.setattr(sessions, "FIRST_RUNS", 1)
        yield


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of the runs that Python does."""
    runs: list[Any] = []
    call = shortcut.Shortcut.__call__
    monkeypatch.setattr(shortcut.Shortcut, "__call__", lambda *args: runs.append(args) or call(*args))
    return runs


@pytest.fixture(scope="module")
def made(at_once: None) -> Any:
    return session(TABLE)


def session(text: str) -> Any:
    options = sardonyx.SessionOptions()
    options.log_severity_level = 4
    return sardonyx.InferenceSession(onnx.parser.parse_model(HEAD + text).SerializeToString(), options)


def feed(words: np.ndarray) -> dict[str, np.ndarray]:
    x = words.reshape(-1, 1)
    return {"x": x, "z": np.ones((len(x), 2), np.float32), "v": np.concatenate([x, x[::-1]], 1)}


def expected(words: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    columns = [
        words == "red",
        words == "cat",
        numbers,
        numbers[::-1],
        np.ones(len(words)),
        np.ones(len(words)),
    ]
    return np.stack([np.asarray(column, np.float32) for column in columns], 1)


def test_texts_are_looked_up_without_python(made: Any, by_python: list[Any]) -> None:
    for rows in (8, 1, 3):
        for n in range(3):
            words, numbers = np.roll(WORDS, n)[:rows], np.roll(LOOKED_UP, n)[:rows]
            (y,) = made.run(None, feed(words))
            assert np.array_equal(y, expected(words, numbers))
    assert len(by_python) == 3
    assert np.array_equal(made.run(None, feed(WORDS[:0]))[0], expected(WORDS[:0], LOOKED_UP[:0]))


class Own(str):
    """A kind of text of a user, which is asked nothing."""

    __slots__ = ()

    def __hash__(self) -> int:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError


def _with(value: object) -> np.ndarray:
    words = WORDS.copy()
    words[3] = value
    return words


def _never_filled() -> np.ndarray:
    words = _with(None)
    ctypes.memset(words.ctypes.data + 24, 0, 8)
    return words


STRANGE: dict[str, Callable[[], np.ndarray]] = {
    "None": lambda: _with(None),
    "never filled": _never_filled,
    "a number": lambda: _with(1.5),
    "NaN": lambda: _with(np.nan),
    "bytes": lambda: _with(b"red"),
    "bytes that are no text": lambda: _with(b"\xff"),
    "a text of numpy": lambda: _with(np.str_("red")),
    "a list": lambda: _with(["red"]),
    "of fixed width": lambda: WORDS[:3].astype("U"),
    "bytes of fixed width": lambda: WORDS[:3].astype("S"),
    "strided": lambda: np.repeat(WORDS, 2)[::2],
    "backwards": lambda: WORDS[::-1],
    "floats": lambda: np.ones(8, np.float32),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_plain_text_is_judged_by_python(kind: str, made: Any, by_python: list[Any]) -> None:
    words = STRANGE[kind]()
    given = feed(words) | {"x": words.reshape(-1, 1) if kind != "strided" else words[:, None]}
    made.run(None, feed(WORDS[: len(words)]))
    by_python.clear()
    assert outcome(made.run, given) == outcome(made._caller.call_checked, given)
    assert len(by_python) == 1


def outcome(run: Callable[..., Any], given: dict[str, Any]) -> Any:
    try:
        return run(None, given)[0].tolist()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("kind", ["of fixed width", "strided", "backwards"])
def test_texts_in_other_arrays_take_the_shortcut_too(
    kind: str, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = STRANGE[kind]()
    given = feed(words) | {"x": words[:, None]}
    known = {name: np.array(a, object if name != "z" else np.float32) for name, a in given.items()}
    (expected,) = made.run(None, known)
    monkeypatch.setattr(made._call.__self__.owner, "_call", None)
    before = dict(given)
    assert made.run(None, given)[0].tolist() == expected.tolist()
    assert all(given[name] is before[name] for name in before)


@pytest.mark.parametrize("native", [True, False])
def test_a_kind_of_text_is_asked_nothing(native: bool, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        monkeypatch.setattr(texts, "_reader", lambda: None)
    table = {"red": 4, "cat": 7}
    square, read_only = WORDS[:4].reshape(2, 2), WORDS.copy()
    read_only.flags.writeable = False
    found = texts.numbers(square, table)
    assert found is None if not native else found.tolist() == [[4, 7], [-1, -1]]
    assert texts.numbers(_with(Own("red")), table) is None
    for wrong in (WORDS[::2], WORDS.astype("U"), np.zeros(3), np.array(WORDS, [("a", object)])):
        assert texts.numbers(wrong, table) is None
    assert all(map(texts.are_texts, (square, square.T, WORDS[::2], WORDS[:0], read_only)))
    for strange in (None, 1.5, b"red", np.str_("red"), Own("red")):
        assert not texts.are_texts(_with(strange))
        assert not texts.are_texts(np.repeat(_with(strange), 2)[::2])


def test_many_categories_and_texts() -> None:
    keys = [f"key {n}" for n in range(300)]
    listed, numbers = ", ".join(f'"{key}"' for key in keys), ", ".join(map(str, range(0, 600, 2)))
    made = session(LABELS.replace("KEYS", listed).replace("NUMBERS", numbers))
    chosen = np.random.default_rng(0).integers(-100, 400, 2000)
    words = np.array([f"key {n}" for n in chosen], object)
    for _ in range(3):
        (y,) = made.run(None, {"x": words})
        assert np.array_equal(y, np.where((chosen < 0) | (chosen >= 300), -1, 2 * chosen))
    assert knows(made) == 1


@pytest.mark.slow
def test_references_are_given_back(made: Any) -> None:
    word = "".join(["re", "d "])
    words, other = np.full(8, word, object), _with(b"red")
    before = sys.getrefcount(word), sys.getrefcount(None), sys.getrefcount(words)
    for _ in range(1500):
        made.run(None, feed(words))
        outcome(made.run, feed(other))
    after = sys.getrefcount(word), sys.getrefcount(None), sys.getrefcount(words)
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 1000, "not one a run"


@pytest.mark.slow
def test_several_threads(made: Any) -> None:
    wrong = []

    def work(shift: int) -> None:
        words, numbers = np.roll(WORDS, shift), np.roll(LOOKED_UP, shift)
        for n in range(400):
            rows = 1 + n % 8
            if not np.array_equal(
                made.run(None, feed(words[:rows]))[0], expected(words[:rows], numbers[:rows])
            ):
                wrong.append(shift)

    workers = [threading.Thread(target=work, args=(shift,)) for shift in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process(made: Any) -> None:
    made.run(None, feed(WORDS))
    child = os.fork()
    if not child:
        right = all(
            np.array_equal(made.run(None, feed(WORDS))[0], expected(WORDS, LOOKED_UP)) for _ in range(3)
        )
        os._exit(not right)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.slow
def test_better_code_is_taken_up(made: Any) -> None:
    made.run(None, feed(WORDS))
    made._program.compile_fully()
    assert np.array_equal(made.run(None, feed(WORDS))[0], expected(WORDS, LOOKED_UP))


def test_an_interpreter_without_native_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "words", lambda: None)
    made = session(TABLE)
    for _ in range(3):
        assert np.array_equal(made.run(None, feed(WORDS))[0], expected(WORDS, LOOKED_UP))
    assert not knows(made)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("g (string[N] x, float[N] z) => (float[N] y) { y = Neg(z) }", 1),
        ("g (string[N] x, float[N] z) => (string[N] v, float[N] y) { v = StringConcat(x, x) y = Neg(z) }", 1),
        ("g (string[N] x, float[N] z) => (float[N] y) { n = Cast<to = 1>(x) y = Add(n, z) }", 0),
        ("g (string[N] x, float[N] z) => (float[N] y, string[N] v) { y = Neg(z) v = Identity(x) }", 0),
    ],
)
def test_texts_that_are_not_looked_up_are_texts_too(text: str, rows: int) -> None:
    made, z = session(text), np.ones(2, np.float32)
    for words in (["1", "2"], [b"1", "2"], [b"1", 2]):
        for _ in range(3):
            results = made.run(None, {"x": np.array(words, object), "z": z})
            if len(results) == 2:
                assert ["11", "22"] in [r.tolist() for r in results] or ["1", "2"] in [
                    r.tolist() for r in results
                ]
        with pytest.raises(Exception, match="not UTF-8"):
            made.run(None, {"x": np.array(["1", b"\xff"], object), "z": z})
    assert knows(made) == rows


JOINED = "g (string[N] x, string[N] z) => (string[N] y, bool[N] w) { y = StringConcat(x, z) w = Equal(x, z) }"


def test_models_of_texts_alone(by_python: list[Any]) -> None:
    made, other = session(JOINED), WORDS[::-1].copy()
    for _ in range(3):
        y, w = made.run(None, {"x": WORDS, "z": other})
        assert y.tolist() == [a + b for a, b in zip(WORDS, other, strict=True)]
        assert w.tolist() == (other == WORDS).tolist()
        assert made.run(["w"], {"x": WORDS, "z": WORDS})[0].all()
    assert len(by_python) == 1
    assert made._program.profile([WORDS, other])[0][0].tolist() == y.tolist()
    assert [made.run(None, {"x": WORDS[:0], "z": WORDS[:0]})[n].shape for n in (0, 1)] == [(0,), (0,)]
    with pytest.raises(Exception, match="do not broadcast"):
        made.run(None, {"x": WORDS, "z": WORDS[:3]})
