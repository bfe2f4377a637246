"""Models whose ranks depend on what is fed: what is asked for, and when one graph serves two feeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.errors import NeedsContent, UnsupportedOp
from sardonyx.frontend import load, specialise
from tests.unit.frontend.models import outputs, parsed


def f32(data: Any) -> np.ndarray[Any, Any]:
    return np.array(data, np.float32)


SUM = "g (float[2,3] x, int64[1] axes) => (float[?] y) { y = ReduceSum<keepdims = 0>(x, axes) }"
SQUEEZE = "g (float[N,1,3] x) => (float[?] y) { y = Squeeze(x) }"


def test_contents_that_decide_a_rank_are_asked_for() -> None:
    with pytest.raises(NeedsContent) as asked:
        load(parsed(SUM))
    assert asked.value.inputs == ("axes",)


def test_a_graph_is_built_for_one_content() -> None:
    feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "axes": np.array([1])}
    loaded, dependence = specialise(parsed(SUM), feeds)
    np.testing.assert_array_equal(outputs(loaded, *feeds.values())[0], [3, 12])
    key = dependence.reader(["x", "axes"])
    assert key([feeds["x"], feeds["axes"]]) == key([-feeds["x"], feeds["axes"]])
    assert key([feeds["x"], feeds["axes"]]) != key([feeds["x"], np.array([0])])


def test_a_squeeze_asks_only_whether_a_size_is_one() -> None:
    feeds = {"x": np.ones((2, 1, 3), np.float32)}
    loaded, dependence = specialise(parsed(SQUEEZE), feeds)
    assert dependence.units == {("N", "x", 0)}
    assert outputs(loaded, np.ones((5, 1, 3), np.float32))[0].shape == (5, 3)
    key = dependence.reader(["x"])
    assert key([np.ones((2, 1, 3))]) == key([np.ones((5, 1, 3))]) != key([np.ones((1, 1, 3))])
    single, _ = specialise(parsed(SQUEEZE), {"x": np.ones((1, 1, 3), np.float32)}, dependence=dependence)
    assert outputs(single, np.ones((1, 1, 3), np.float32))[0].shape == (3,)


MADE_OF_SIZES = (
    "g (float[N,3] x) => (float[?] y) { s = Shape(x) z = ConstantOfShape(s) y = Squeeze(z) }",
    "g (float[N,M,1] x) => (float[?] y) { k = Constant<value_ints = [1, 0]>() a, z = Split<axis = 2>(x, k) "
    "y = Squeeze(z) }",
)


@pytest.mark.parametrize("text", MADE_OF_SIZES)
def test_what_was_made_before_a_question_is_made_again(text: str) -> None:
    model = parsed(text)
    for batch in (2, 1, 4):
        feed = np.zeros((batch, 3, 1)[: text.partition("]")[0].count(",") + 1], np.float32)
        with pytest.raises(NeedsContent) as asked:
            load(model)  # whose values the error keeps
        loaded, _ = specialise(model, {"x": feed})
        (y,) = outputs(loaded, feed)
        assert asked.value.units and y.ndim == feed.ndim - (batch == 1) and 1 not in y.shape


def test_an_undeclared_rank_is_asked_for() -> None:
    model = parsed("g (float[N] x) => (float[N] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    feeds = {"x": f32([[1, -1]])}
    loaded, dependence = specialise(model, feeds)
    assert dependence.shapes == {"x"}
    np.testing.assert_array_equal(outputs(loaded, feeds["x"])[0], [[1, 0]])


def test_sizes_that_decide_a_rank_are_asked_for() -> None:
    model = parsed("g (float[A,B] x, int64[I,D] i) => (float[?] y) { y = GatherND(x, i) }")
    feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "i": np.array([[1, 2]])}
    loaded, dependence = specialise(model, feeds)
    assert dependence.sizes == {("D", "i", 1)}
    np.testing.assert_array_equal(outputs(loaded, *feeds.values())[0], [5])


def test_what_is_computed_from_large_inputs_is_asked_for_itself() -> None:
    text = """g (float[N,2] x) => (float[?] y) {
        a = ArgMax<axis = 0, keepdims = 0>(x)  y = ReduceSum<keepdims = 0>(x, a)
    }"""
    with pytest.raises(NeedsContent) as asked:
        load(parsed(text))
    assert (asked.value.inputs, asked.value.tensors) == ((), ("a",))
    x = f32([[0, 9], [9, 0]])
    for feed, expected in ((x, [18]), (x[::-1].copy(), [18])):
        loaded, dependence = specialise(parsed(text), {"x": feed})
        assert dependence.tensors == {"a"}
        np.testing.assert_array_equal(outputs(loaded, feed)[0].reshape(-1), expected)


def test_contents_that_may_be_anything_are_not_asked_for() -> None:
    text = "g (float[N,3] x) => (float[?] y) { "
    text += "a = Cast<to = 7>(x) v = Constant<value_ints = [-1]>() f = Reshape(a, v) y = ReduceSum(x, f) }"
    with pytest.raises(UnsupportedOp) as refused:
        load(parsed(text))
    assert not isinstance(refused.value, NeedsContent)
