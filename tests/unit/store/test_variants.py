"""Models that are compiled anew for each content that decides their ranks, and only then."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.base.dependence import FeedDependence
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.report import Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import LoadError, UnsupportedOp
from sardonyx.runtime.program import Program
from sardonyx.store import variants
from sardonyx.store.loader import load_program
from sardonyx.store.variants import Variants

Array = np.ndarray[Any, Any]

SUM = "g (float[N,3] x, int64[K] axes) => (float[?] y) { y = ReduceSum<keepdims = 0>(x, axes) }"
RATE = """
g (float[N, T] x, int64 rate) => (float[?] y) <int64 fast = {16000}, int64[2] chunks = {-1, 4}> {
  quick = Equal(rate, fast)
  y = If (quick) <
    then_branch = t () => (float[?, 4] a) { r = Reshape(x, chunks)  a = Softmax(r) },
    else_branch = e () => (float[?, 1, ?] b)
      { one = Constant<value = int64[1] {1}>()  b = Unsqueeze(x, one) }>
}
"""


def program(text: str, **options: Any) -> Program | Variants:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]>\n{text}')
    return load_program(model.SerializeToString(), CompileOptions.resolve(threads=1, **options))


RAISING = """
g (float[N] x, int64 trips, bool going) => (float[?] y, int64[?] rows) {
  y, rows = Loop<body = b (int64[1] i, bool[1] go, float[?] a) => (bool[1] more, float[?] c, int64[?] row) {
    more = Identity(go)  z = Constant<value_ints = [0]>()  c = Unsqueeze(a, z)  row = Identity(i) }
  >(trips, going, x)
}
"""


def f32(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_loop_that_changes_ranks_has_a_program_for_each_trip_count() -> None:
    made = program(RAISING)
    for trips, going in ((0, True), (2, True), (5, True), (2, False), (2, True)):
        y, rows = made.run((f32(3), np.array(trips), np.array(going)), (0, 1))
        turns = trips if going else 0
        assert y.shape == (1,) * turns + (3,)
        assert rows.tolist() == [[n] for n in range(turns)]
    assert made.report.counters["variants"] == 4
    assert not made.report.fallbacks


def test_one_program_serves_all_feeds_of_one_content() -> None:
    made = program(SUM)
    assert isinstance(made, Variants)
    assert [i.name for i in made.inputs] == ["x", "axes"]
    assert made.report.counters["variants"] == 0
    for n in (2, 5, 7):
        np.testing.assert_allclose(made.run((f32(n, 3), np.array([0])), (0,))[0], f32(n, 3).sum(0))
    assert made.report.counters["variants"] == 1
    for axes in ([1], [0, 1], [-1], [1]):
        np.testing.assert_allclose(
            made.run((f32(4, 3), np.array(axes)), (0,))[0], f32(4, 3).sum(tuple(axes)), rtol=1e-6
        )
    assert made.report.counters["variants"] == 4
    assert not made.report.fallbacks


def test_an_ordinary_model_is_one_program() -> None:
    made = program("g (float[N,3] x) => (float[N,3] y) { y = Softmax(x) }")
    assert isinstance(made, Program)
    for n in (1, 4, 9):
        assert made.run((f32(n, 3),), (0,))[0].shape == (n, 3)


def test_branches_of_different_rank() -> None:
    made = program(RATE)
    slow, fast = np.array(8000), np.array(16000)
    assert made.run((f32(2, 4), slow), (0,))[0].shape == (2, 1, 4)
    assert made.run((f32(2, 8), fast), (0,))[0].shape == (4, 4)
    assert made.run((f32(3, 8), fast), (0,))[0].shape == (6, 4)
    assert made.run((f32(3, 5), slow), (0,))[0].shape == (3, 1, 5)
    assert made.report.counters["variants"] == 2


COMPUTED = """
g (float[N, 4] x) => (float[?] y, float[?] z) <float limit = {10}, float top = {15}> {
  most = ReduceMax<keepdims = 0>(x)  large = Greater(most, limit)  h = Exp(most)
  y = If (large) <
    then_branch = t () => (float[?] a) { a = ReduceMax<keepdims = 0>(x) },
    else_branch = e () => (float[?, 4] b) { b = Softmax(x) }>
  least = ReduceMin<keepdims = 0>(y)  deep = Greater(least, top)  free = Not(deep)
  z = If (free) <
    then_branch = u () => (float[?] c) { c = ReduceSum<keepdims = 0>(y) },
    else_branch = f () => (float[?, ?] d) { two = Constant<value_ints = [0, 1]>() d = Unsqueeze(y, two) }>
}
"""


@pytest.mark.parametrize("target", ["", "reference"])
def test_ranks_that_depend_on_what_is_computed(target: str) -> None:
    made = program(COMPUTED, target=target)
    for _ in range(2):
        for x in (f32(2, 4), f32(3, 4), -f32(3, 4), f32(1, 4), 2 * f32(3, 4), f32(5, 4)):
            y, z = made.run((x,), (0, 1))
            expected = x.max() if x.max() > 10 else np.exp(x) / np.exp(x).sum(1, keepdims=True)
            np.testing.assert_allclose(y, expected, rtol=1e-6)
            deep = expected.min() > 15
            np.testing.assert_allclose(z, expected[None, None] if deep else expected.sum(), rtol=1e-6)
    assert made.report.counters["variants"] == 3


COUNTED = """
g (float[N] x, float[A, B] m, bool[A] c) => (int64[?] y, float[?] z) {
  places = NonZero(x)  y = Squeeze(places)
  rows = Compress<axis = 0>(m, c)  less = Squeeze(rows)  z = Neg(less)
}
"""


@pytest.mark.parametrize("target", ["", "reference"])
def test_whether_a_count_that_is_computed_is_one_decides_alone(target: str) -> None:
    made = program(COUNTED, target=target)
    for hits in (0, 1, 2, 3, 1, 5):
        for rows in (1, 3, 2):
            x = (np.arange(7) < hits).astype(np.float32)
            y, z = made.run((x, f32(3, 4), np.arange(3) < rows), (0, 1))
            np.testing.assert_array_equal(y, np.arange(hits).squeeze())
            np.testing.assert_array_equal(z, -f32(3, 4)[:rows].squeeze())
    assert made.report.counters["variants"] == 4


def test_a_body_is_not_asked_whether_its_counts_are_one() -> None:
    text = """
    g (float[N] x, int64 n) => (float[?] y) {
      going = Constant<value = bool {1}>()
      y = Loop(n, going, x) <body = b (int64 i, bool k, float[?] v) => (bool m, float[?] w) {
        m = Identity(k)  p = NonZero(v)  s = Squeeze(p)  w = Cast<to = 1>(s) }>
    }
    """
    with pytest.raises(UnsupportedOp, match="whether a size to squeeze is 1"):
        program(text).run((f32(4), np.array(2)), (0,))


def test_what_matters_may_differ_between_contents() -> None:
    text = """
    g (float[A, B] x, int64 rate) => (float[?] y) <int64 fast = {16000}> {
      quick = Equal(rate, fast)
      y = If (quick) <
        then_branch = t () => (float[?] a) { a = Squeeze(x) },
        else_branch = e () => (float[?, ?, ?] b)
          { one = Constant<value = int64[1] {1}>()  b = Unsqueeze(x, one) }>
    }
    """
    made = program(text)
    slow, fast = np.array(8000), np.array(16000)
    for _ in range(2):
        assert made.run((f32(1, 4), fast), (0,))[0].shape == (4,)
        assert made.run((f32(3, 4), fast), (0,))[0].shape == (3, 4)
        assert made.run((f32(3, 1), fast), (0,))[0].shape == (3,)
        assert made.run((f32(1, 4), slow), (0,))[0].shape == (1, 1, 4)
        assert made.run((f32(9, 9), fast), (0,))[0].shape == (9, 9)
    assert isinstance(made, Variants)
    assert 4 <= made.report.counters["variants"] <= 6


def test_an_undeclared_rank() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]>\ng (float[N] x) => (float[N] y) { y = Neg(x) }'
    )
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    made = load_program(model.SerializeToString(), CompileOptions.resolve(threads=1))
    for shape in ((), (3,), (2, 2), (0, 2)):
        np.testing.assert_array_equal(made.run((f32(*shape),), (0,))[0], -f32(*shape))


def test_an_empty_axis_gets_a_program_of_its_own() -> None:
    made = program(
        "g (float[N,3] x) => (float[?,3] y, float[3] s) <int64[1] z = {0}> "
        "{ y = Concat<axis=0>(x, x)  s = ReduceSum<keepdims=0>(x, z) }"
    )
    for n in (2, 0, 3, 0):
        y, s = made.run((f32(n, 3),), (0, 1))
        assert y.shape == (2 * n, 3)
        np.testing.assert_allclose(s, f32(n, 3).sum(0))


def test_an_error_for_one_content_leaves_the_others_alone() -> None:
    made = program(SUM)
    for _ in range(2):
        with pytest.raises(LoadError, match="axis 5 is out of range"):
            made.run((f32(2, 3), np.array([5])), (0,))
        assert made.run((f32(2, 3), np.array([1])), (0,))[0].shape == (2,)


def test_threads_ask_for_the_same_program_at_once() -> None:
    made = program(SUM)
    found: list[Array] = []

    def work(axis: int) -> None:
        found.extend(
            made.run((f32(n, 3), np.array([axis])), (0,))[0] - f32(n, 3).sum(axis) for n in (2, 3, 4)
        )

    threads = [threading.Thread(target=work, args=(n % 2,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    assert not any(difference.any() for difference in found)
    assert made.report.counters["variants"] == 2


def test_a_session_with_a_model_that_depends_on_its_feeds(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]>\n{SUM}'), file)
    for _ in range(2):
        session = sardonyx.InferenceSession(file)
        for axis in (0, 1):
            y = session.run(None, {"x": f32(4, 3), "axes": np.array([axis])})[0]
            np.testing.assert_allclose(y, f32(4, 3).sum(axis))
    assert session.report.counters["compiles"] == 0


class _Fake:
    """Stands for a program in the table."""

    def __init__(self) -> None:
        self.report = Report()

    def run(self, feeds: Any, wanted: Any) -> list[int]:
        return [id(self)]


def test_programs_that_do_not_serve_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "_MOST", 4)
    asked = []

    def make(feeds: Any, dependence: FeedDependence) -> Any:
        asked.append(int(feeds["k"]))
        return _Fake(), dependence

    made = Variants(
        (TensorInfo("k", "tensor(int64)", ()),),
        (),
        (),
        ModelMeta(),
        dependence=FeedDependence(frozenset({"k"})),
        make=make,
    )
    for k in range(20):
        made.run((np.array(k),), ())
        made.run((np.array(0),), ())
    assert asked == list(range(20))
    made.run((np.array(19),), ())
    assert len(asked) == 20
    made.run((np.array(5),), ())
    assert asked[-1] == 5
