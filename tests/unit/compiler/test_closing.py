"""Which operations at the end of a graph are taken off it, and what is left."""

from __future__ import annotations

import pytest

from sardonyx.base.report import Report
from sardonyx.compiler.closing import close
from sardonyx.frontend import load
from tests.unit.frontend.models import parsed
from tests.unit.runtime.programs import model, program

ZIPPED = """g (float[N,3] x) => (int64[N] c, seq(map(int64, float)) z) {
    s = Softmax(x) c = ArgMax<axis = 1, keepdims = 0>(s)
    z = ai.onnx.ml.ZipMap<classlabels_int64s = [7, 8, 9]>(s) }"""
NAMED = """g (float[N,3] x) => (string[N] c) <string[3] n = {"a", "b", "c"}> {
    s = Softmax(x) i = ArgMax<axis = 1, keepdims = 0>(s) c = Gather(n, i) }"""
IN_A_ROW = """g (float[N] x) => (string[M] y) <int64[1] m = {-1}, int64[2] p = {-1, 1}> {
    e = Exp(x) t = Cast<to = 8>(e) u = Reshape(t, p) y = Reshape(u, m) }"""
READ_AGAIN = (
    "g (float[N] x) => (string[N] t, float[N] y) { t = Cast<to = 8>(x) u = Cast<to = 1>(t) y = Exp(u) }"
)
READ_TWICE = "g (float[N] x) => (string[N] t, string[N] u) { e = Exp(x) t = Cast<to = 8>(e) u = Identity(t) }"
TEXT_ALONE = 'g (string[N] x) => (string[N] y) { y = StringNormalizer<case_change_action = "LOWER">(x) }'
WITHOUT_WORDS = 'g (string[N] x) => (string[M] y) { y = StringNormalizer<stopwords = ["a"]>(x) }'
OF_DATA = """g (float[N] x) => (string[M] y) <int64[1] m = {-1}> {
    p = NonZero(x) q = Reshape(p, m) y = Cast<to = 8>(q) }"""
TEXTS_ALONE = (
    "g (string[N] x, string[N] z) => (string[N] y, bool[N] w) { y = StringConcat(x, z) w = Equal(x, z) }"
)
NATIVE = "g (float[N] x) => (float[N] y) { y = Exp(x) }"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        *((ZIPPED, 1), (NAMED, 1), (READ_AGAIN, 0), (READ_TWICE, 0), (OF_DATA, 0)),
        *((NATIVE, 0), (TEXT_ALONE, 1), (TEXTS_ALONE, 2), (WITHOUT_WORDS, 0)),
    ],
)
def test_what_is_taken_off(text: str, steps: int) -> None:
    closing = program(model(text)).data.closing
    assert (len(closing.steps) if closing is not None else 0) == steps


def test_steps_may_stand_in_a_row() -> None:
    data = program(model(IN_A_ROW)).data
    assert len(data.segments) == 1
    assert [s.kind for s in data.closing.steps[0].args] == ["made"]
    assert {s.kind for step in data.closing.steps[1:] for s in step.args} <= {"step", "constant"}


def test_what_steps_read_is_an_output_once() -> None:
    whole = load(parsed(IN_A_ROW.replace("=> (", "=> (float[N] e, "))).graph
    left, closing = close(whole, frozenset(), Report())
    assert closing is not None
    assert [name for name, _ in left.outputs] == ["e"]
    assert [source.kind for source in closing.results] == ["made", "step"]
    assert close(left, frozenset(), Report()) == (left, None)


def test_the_report_tells_of_them() -> None:
    made = program(model(ZIPPED))
    assert [note.op for note in made.report.fallbacks] == ["zip_map"]
    assert len(made.data.segments) == 1
    assert len(made.data.results) == 2
