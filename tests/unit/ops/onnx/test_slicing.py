"""Slices whose starts, ends and steps are as far away as numbers go, known or fed, flat or in bodies."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import sardonyx
from tests.unit.frontend.models import parsed

Array = np.ndarray[Any, Any]
MOST, LEAST = 2**63 - 1, -(2**63)
PLACES = (MOST, LEAST, MOST - 1, LEAST + 1, 2**31 - 1, -(2**31), 2, -3, 6, -6)
STEPS = (1, 3, MOST, 2**31, -1, -2, LEAST, LEAST + 1, -(2**31))
NUMBERS = ("s", "e", "a", "t")
SIZE = 5


def sliced(x: Array, start: int, end: int, step: int) -> Array:
    """As ONNX clamps: where a step is negative a start before the axis is its first element."""
    if step < 0 and start < -len(x):
        start = 0
    return x[start:end:step]


def model(known: dict[str, int], size: str, body: bool) -> Any:
    fed = "".join(f", int64[1] {name}" for name in NUMBERS if name not in known)
    given = " ".join(f"{name} = Constant<value_ints = [{n}]>()" for name, n in known.items())
    call = "y = Slice(x, s, e, a, t)"
    if body:
        branches = f"then_branch = b1 () => (float[?] y) {{ {given} {call} }}"
        branches += ", else_branch = b2 () => (float[?] y) { y = Identity(x) }"
        return parsed(f"g (float[{size}] x{fed}, bool c) => (float[?] y) {{ y = If(c) <{branches}> }}")
    return parsed(f"g (float[{size}] x{fed}) => (float[?] y) {{ {given} {call} }}")


@pytest.mark.parametrize("body", [False, True], ids=["flat", "If"])
@pytest.mark.parametrize("size", [str(SIZE), "N"])
def test_numbers_that_are_fed(size: str, body: bool) -> None:
    x = np.arange(SIZE, dtype=np.float32)
    session = sardonyx.InferenceSession(model({"a": 0}, size, body).SerializeToString())
    for start, end, step in product(PLACES, PLACES, STEPS):
        feeds = {"x": x, "s": np.array([start]), "e": np.array([end]), "t": np.array([step])}
        feeds |= {"c": np.array(True)} if body else {}
        (y,) = session.run(None, feeds)
        assert y.tolist() == sliced(x, start, end, step).tolist(), (start, end, step)


@pytest.mark.parametrize("size", [str(SIZE), "N"])
@pytest.mark.parametrize(("start", "step"), [(MOST, LEAST), (LEAST, -1), (-1, -2), (LEAST, MOST), (MOST, 1)])
def test_numbers_that_are_known(start: int, step: int, size: str) -> None:
    x = np.arange(SIZE, dtype=np.float32)
    for end, body in product((MOST, LEAST, 2**31 - 1, -(2**31)), (False, True)):
        known = {"s": start, "e": end, "a": 0, "t": step}
        session = sardonyx.InferenceSession(model(known, size, body).SerializeToString())
        (y,) = session.run(None, {"x": x, **({"c": np.array(True)} if body else {})})
        assert y.tolist() == sliced(x, start, end, step).tolist(), end


PLACED = """g (float[4, 5, 6] x, bool[K] c, int64[K] first, int64[K] last) => (float[?, ?, ?] y) {
    one = Constant<value_ints = [1]>()  two = Constant<value_ints = [2]>()
    three = Constant<value_ints = [3]>()
    s = Compress<axis = 0>(first, c)  e = Compress<axis = 0>(last, c)  y = Slice(%s)
}"""
X = np.arange(120, dtype=np.float32).reshape(4, 5, 6)


def placed(operands: str, first: list[int], last: list[int], chosen: list[int], target: str = "") -> Any:
    """Slice of X, some of whose operands hold the chosen numbers of `first` and `last`."""
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    options.add_session_config_entry("sardonyx.fallback", "error")
    session = sardonyx.InferenceSession(parsed(PLACED % operands).SerializeToString(), options)
    feeds = {"x": X, "c": np.array(chosen, bool), "first": np.array(first), "last": np.array(last)}
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("target", ["", "reference"])
@pytest.mark.parametrize("chosen", [[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1]])
def test_of_how_many_axes_there_are_bounds_may_be_computed(chosen: list[int], target: str) -> None:
    first, last = [1, -4, 2], [3, MOST, -1]
    y = placed("x, s, e", first, last, chosen, target)
    bounds = [slice(f, n) for f, n, c in zip(first, last, chosen, strict=True) if c]
    np.testing.assert_array_equal(y, X[tuple(bounds)])


def test_more_bounds_than_axes_are_refused() -> None:
    with pytest.raises(Exception, match="more starts than axes"):
        placed("x, s, e", [0] * 4, [1] * 4, [1] * 4)


@pytest.mark.parametrize(
    ("operands", "expected"),
    [
        ("x, s, e, one", X[:, 1:3]),
        ('x, s, e, "", two', X[1:3:2]),
        ("x, s, three", X[1:3]),
        ("x, one, e", X[1:3]),
    ],
)
def test_other_operands_may_say_of_how_many(operands: str, expected: Array) -> None:
    np.testing.assert_array_equal(placed(operands, [9, 1, 9], [9, 3, 9], [0, 1, 0]), expected)
    with pytest.raises(Exception, match="it must have"):
        placed(operands, [9, 1, 9], [9, 3, 9], [1, 1, 0])
