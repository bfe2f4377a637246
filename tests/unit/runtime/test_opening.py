"""A step of the host before one native segment costs a run little more, and changes no result."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.runtime.opening import opening_step
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
    [(ENCODED, True), (WITH_NUMBERS, True), (OF_A_COLUMN, True), (TWO_STEPS, False), (BETWEEN, False)],
)
def test_which_programs_open_with_a_step(body: str, opens: bool) -> None:
    program = session(body)._program
    assert isinstance(program, Program)
    assert (opening_step(program.data) is not None) == opens


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


def test_other_programs_give_the_same_as_before() -> None:
    (y,) = session(OF_A_COLUMN).run(None, {"x": WORDS})
    assert y.tolist() == encoded(WORDS[:, 1:]).tolist()
    (y,) = session(TWO_STEPS).run(None, {"x": WORDS, "z": WORDS})
    assert y.tolist() == (encoded(WORDS) + encoded(WORDS)[..., ::-1]).tolist()
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
