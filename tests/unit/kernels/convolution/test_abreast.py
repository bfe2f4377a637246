"""Digits serve plain input of a few channels where a window takes few steps of what lies abreast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.convolution.abreast import Abreast, chosen, in_steps, lie_abreast
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.convolution import plain_input

TILE = next(tile for tile in isa.V4.matrices if tile.operand == "fixed24")
AMX = isa.with_features(isa.V4, TILE.features)


def name_of(
    shape: tuple[int, int, int, int], precision: str = "fp32", number: float = 0.3, **how: Any
) -> str | None:
    goal = Goal(AMX, Policy(precision))
    return plain_input.name_of(chosen, goal, shape, number, pixels=40, strides=(2, 2), **how)


@pytest.mark.parametrize("shape", [(64, 3, 7, 7), (96, 3, 11, 11), (24, 12, 3, 3), (32, 16, 5, 5)])
def test_long_sums(shape: tuple[int, int, int, int]) -> None:
    assert [name_of(shape, precision) for precision in ("bf16", "fp32", "strict")] == [None, TILE.name, None]


def test_what_is_left_to_vectors() -> None:
    assert name_of((64, 3, 3, 3)) is None, "too short a sum"
    assert name_of((64, 17, 5, 5)) is None, "too many channels"
    assert name_of((7, 3, 7, 7)) is None, "too few outputs"
    assert name_of((64, 3, 7, 7), dilations=(1, 2)) is None
    assert name_of((64, 3, 7, 7), dilations=(2, 1)) is None
    assert name_of((64, 3, 7, 7), group=3) is None
    assert name_of((64, 3, 7, 7), last=3) is None, "pixels lie apart"
    assert name_of((64, 1, 1, 400)) is None, "a signal"
    assert name_of((64, 3, 7, 7), number=np.inf) is None
    assert name_of((64, 3, 7, 7), number=1.0) is None, "sums of whole numbers are exact"


@pytest.mark.parametrize(
    ("channels", "rows", "columns", "row_step", "found", "steps"),
    [
        (3, 7, 7, 2, Abreast(2, 8), (4, 1)),
        (3, 11, 11, 4, Abreast(4, 16), (3, 3)),
        (12, 3, 3, 1, Abreast(1, 16), (3, 1)),
        (1, 7, 7, 2, Abreast(7, 8), (1, 1)),
    ],
)
def test_the_fewest_steps(
    channels: int, rows: int, columns: int, row_step: int, found: Abreast, steps: tuple[int, int]
) -> None:
    of = lie_abreast(channels, rows, columns, row_step, TILE.row_bytes)
    assert (of, of.steps(rows, columns, TILE.row_bytes)) == (found, steps)


def test_lines_that_rows_of_the_band_are_apart() -> None:
    assert [Abreast(2, 8).apart(7, step) for step in (1, 2, 3, 4)] == [1, 2, 1, 2]
    assert Abreast(7, 8).apart(7, 3) == 3, "no other line of the window begins a pixel"


def test_weights_lie_as_steps_read_them(rng: np.random.Generator) -> None:
    w = rng.standard_normal((20, 3, 11, 11)).astype(np.float32)
    steps = in_steps(w, 4, TILE.row_bytes).reshape(3, 3, 4, 16, 20)
    assert not steps[:, :, :, 12:].any()
    by_line = steps[:, :, :, :12].reshape(3, 3, 4, 4, 3, 20)
    taps = by_line.transpose(5, 4, 0, 3, 1, 2).reshape(20, 3, 12, 12)
    assert np.array_equal(taps[:, :, :11, :11], w)
    assert not taps[:, :, 11:].any()
    assert not taps[..., 11:].any()
