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
