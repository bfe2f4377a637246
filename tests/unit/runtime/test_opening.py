"""Steps of the host before one native segment cost a run little more, and change no result."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.runtime.opening import opening_steps
from sardonyx.runtime.program import Program
from sardonyx.runtime.segments import SegmentRun

HEAD = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 4]>\n'
ENCODED = """g (string[N,2] x) => (float[N,2,2] y) {
    y = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(x) }"""
WITH_NUMBERS = """g (string[N,2] x, float[N,2] z) => (float[N,2] y) {
    n = ai.onnx.ml.LabelEncoder<
        keys_strings = ["red", "cat"], values_floats = [3.0, 4.0], default_float = 9.0>(x)
    y = Add(n, z) }"""
OF_A_COLUMN = """g (string[N,2] x) => (float[N,1,2] y) <int64[1] i = {1}> {
    c = Gather<axis=1>(x, i) y = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(c) }"""
TWO_STEPS = """g (string[N,2] x, string[N,2] z) => (float[N,2,2] y) {
    a = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(x)
    b = ai.onnx.ml.OneHotEncoder<cats_strings = ["cat", "red"]>(z) y = Add(a, b) }"""
IN_A_ROW = """g (string[N,1] x, string[N,1] z) => (float[N,2,2] y) <string[1] p = {"a "}> {
    a = Concat<axis = 1>(x, z) b = StringConcat(p, a)
    y = ai.onnx.ml.OneHotEncoder<cats_strings = ["a red", "a cat"]>(b) }"""
COLUMNS = """g (string[N,1] x, string[N,1] z) => (float[N,1,2] y, float[N,1,2] w)
    <int64[1] i = {0}, int64[1] j = {1}> {
    a = Concat<axis = 1>(x, z) b = Gather<axis = 1>(a, i) c = Gather<axis = 1>(a, j)
    y = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(b)
    w = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "cat"]>(c) }"""
BETWEEN = "g (float[N] x) => (float[N] y) { r = Relu(x) t = Cast<to = 8>(r) u = Cast<to = 1>(t) y = Exp(u) }"
WORDS = np.array([["red", "cat"], ["dog", "red"], ["cat", "cat"]], dtype=object)


def session(body: str) -> Any:
    return sardonyx.InferenceSession(onnx.parser.parse_model(HEAD + body).SerializeToString())


def encoded(words: np.ndarray) -> np.ndarray:
    return np.stack([words == "red", words == "cat"], -1).astype(np.float32)


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes every run that goes from segment to segment."""
    noted: list[int] = []
    run = SegmentRun.run
    monkeypatch.setattr(SegmentRun, "run", lambda *args: noted.append(1) or run(*args))
    return noted


@pytest.mark.parametrize(
    ("body", "opens"),
    [
        (ENCODED, 1),
        (WITH_NUMBERS, 1),
        (OF_A_COLUMN, 1),
        (TWO_STEPS, 2),
        (IN_A_ROW, 3),
        (COLUMNS, 2),
        (BETWEEN, 0),
    ],
)
def test_which_programs_open_with_steps(body: str, opens: int) -> None:
    program = session(body)._program
    assert isinstance(program, Program)
    assert len(opening_steps(program.data)) == opens


def test_a_run_is_one_segment(long_ways: list[int]) -> None:
    s = session(ENCODED)
    for words in (WORDS, WORDS[:1], WORDS[::-1].copy(), WORDS[:1], np.tile(WORDS, (40, 1)), WORDS[:0]):
        (y,) = s.run(None, {"x": words})
        assert y.tolist() == encoded(words).tolist()
    assert not long_ways
    assert [y.tolist() for y in s._program.profile([WORDS])[0]] == [encoded(WORDS).tolist()]


def test_other_inputs_are_read_beside_it(long_ways: list[int], rng: np.random.Generator) -> None:
    s, z = session(WITH_NUMBERS), rng.standard_normal((3, 2)).astype(np.float32)
    for _ in range(2):
        (y,) = s.run(None, {"x": WORDS, "z": z})
        known = np.where(WORDS == "red", 3, np.where(WORDS == "cat", 4, 9)).astype(np.float32)
        assert np.array_equal(y, known + z)
    assert not long_ways


@pytest.mark.parametrize("body", [TWO_STEPS, IN_A_ROW, COLUMNS])
def test_a_run_of_several_steps_is_one_segment(body: str, long_ways: list[int]) -> None:
    s, columns = session(body), body is not TWO_STEPS
    for words in (WORDS, WORDS[:1], WORDS[:0], WORDS[1:], WORDS[:1]):
        left, right = (words[:, :1], words[:, 1:]) if columns else (words, words[:, ::-1].copy())
        results = s.run(None, {"x": left.copy(), "z": right.copy()})
        if body is TWO_STEPS:
            expected = [encoded(left) + encoded(right)[..., ::-1]]
        else:
            expected = [encoded(left), encoded(right)] if body is COLUMNS else [encoded(words)]
        assert [y.tolist() for y in results] == [y.tolist() for y in expected]
        profiled = s._program.profile([left.copy(), right.copy()])[0]
        assert [y.tolist() for y in profiled] == [y.tolist() for y in results]
    assert len(long_ways) == 5


def test_a_step_that_fails_says_so() -> None:
    s = session("g (string[N] x, float[N] z) => (float[N] y) { n = Cast<to = 1>(x) y = Add(n, z) }")
    z = np.ones(2, np.float32)
    for _ in range(2):
        (y,) = s.run(None, {"x": np.array(["1.5", "2"], object), "z": z})
        assert y.tolist() == [2.5, 3]
        with pytest.raises(Exception, match="could not convert|one"):
            s.run(None, {"x": np.array(["1.5", "one"], object), "z": z})


def test_other_programs_give_the_same_as_before() -> None:
    (y,) = session(OF_A_COLUMN).run(None, {"x": WORDS})
    assert y.tolist() == encoded(WORDS[:, 1:]).tolist()
    (y,) = session(BETWEEN).run(None, {"x": np.array([1.5, -2], np.float32)})
    assert np.allclose(y, np.exp([1.5, 0]))


def test_threads_run_sizes_that_are_new_to_all() -> None:
    s, wrong = session(ENCODED), []

    def work() -> None:
        for rows in range(1, 60):
            words = np.resize(WORDS, (rows, 2))
            if not np.array_equal(s.run(None, {"x": words})[0], encoded(words)):
                wrong.append(rows)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
