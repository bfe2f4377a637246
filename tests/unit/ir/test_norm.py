"""What counts as a norm of channels, and what its steps make together."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.norm import norm_of
from sardonyx.ir.value import Value, const, map_, placeholder
from tests.unit.kernels.native import Array

SCALE, SHIFT = (np.arange(32, dtype=np.float32).reshape(1, 2, 1, 1, 16) + n for n in (1, 100))
LOW = np.zeros((1, 1, 1, 1, 1), np.float32)
X = placeholder("x", dt.F32, (1, 2, 4, 5, 16))


def chain(*steps: tuple[str, Array], source: Value = X) -> tuple[Value, frozenset[int]]:
    """Maps of constants, one after the other, and those that are inlined in the last."""
    found = [source]
    for prim, number in steps:
        found.append(map_(prim, found[-1], const(number)))
    return found[-1], frozenset(value.id for value in found[1:-1])


def test_steps_become_one() -> None:
    norm = norm_of(*chain(("mul", SCALE), ("add", SHIFT), ("mul", SHIFT), ("add", LOW + 1), ("max", LOW)))
    assert norm is not None
    assert norm.source is X
    scale, shift = SCALE[0, :, 0, 0], SHIFT[0, :, 0, 0]
    assert np.array_equal(norm.scale, scale * shift)
    assert np.array_equal(norm.shift, shift * shift + 1)
    assert norm.low == 0


def test_what_is_not_inlined_is_read() -> None:
    value, inlined = chain(("mul", SCALE), ("add", SHIFT))
    norm = norm_of(value, frozenset())
    assert norm is not None
    assert norm.source.id in inlined
    assert (norm.scale == 1).all()
    assert norm.low == -np.inf


@pytest.mark.parametrize(
    "steps",
    [
        [("max", LOW + 1)],
        [("max", LOW), ("add", SHIFT)],
        [("mul", SCALE * np.float32(np.inf))],
        [("mul", LOW + np.float32(1e30)), ("mul", LOW + np.float32(1e30))],
        [("add", np.ones((1, 2, 1, 5, 16), np.float32))],
        [("min", LOW)],
    ],
    ids=["above zero", "limited before", "infinite", "infinite together", "by pixel", "limited from above"],
)
def test_others_are_none(steps: list[tuple[str, Array]]) -> None:
    assert norm_of(*chain(*steps)) is None


def test_what_grows_is_none() -> None:
    assert norm_of(*chain(("mul", SCALE), source=placeholder("s", dt.F32, (1, 1, 4, 5, 1)))) is None
