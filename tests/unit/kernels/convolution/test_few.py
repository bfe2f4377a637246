"""Matrix registers read plain input of a few channels, where a row of a window is whole steps of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.convolution.few import beside, chosen, cut_row
from sardonyx.kernels.convolution.pack import pack_plain_matrix_weights
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.convolution import plain_input
from tests.unit.llvm.registers import widened

TILE = isa.V4.matrices[0]
SHAPE = MatrixShape(TILE)
AMX = isa.with_features(isa.V4, TILE.features)


def name_of(
    shape: tuple[int, int, int, int], precision: str = "bf16", number: float = 0.3, **how: Any
) -> str | None:
    goal = Goal(AMX, Policy(precision))
    return plain_input.name_of(chosen, goal, shape, number, pixels=20, **how)


@pytest.mark.parametrize(
    "shape", [(64, 3, 7, 7), (16, 1, 3, 3), (96, 3, 11, 11), (32, 8, 1, 3), (64, 1, 1, 40)]
)
def test_windows_that_are_whole_steps(shape: tuple[int, int, int, int]) -> None:
    assert [name_of(shape, precision) for precision in ("bf16", "fp32", "strict")] == ["bf16", None, None]


def test_what_is_left_to_vectors() -> None:
    assert name_of((64, 17, 3, 3)) is None, "too many channels"
    assert name_of((7, 3, 3, 3)) is None, "too few outputs"
    assert name_of((64, 3, 3, 3), dilations=(1, 2)) is None
    assert name_of((64, 3, 3, 3), dilations=(2, 1)) is None
    assert name_of((64, 3, 3, 3), group=3) is None
    assert name_of((64, 3, 3, 3), last=3) is None, "pixels lie apart"
    assert name_of((64, 1, 1, 200)) is None, "too long a row"
    assert name_of((64, 3, 3, 3), number=1.0) is None, "sums of whole numbers are exact"
    assert name_of((64, 3, 3, 3), number=np.inf) is None


@pytest.mark.parametrize(
    ("channels", "columns", "cut"),
    [
        (3, 7, (1, 28)),
        (3, 11, (2, 22)),
        (1, 3, (1, 6)),
        (1, 40, (4, 20)),
        (8, 4, (1, 32)),
        (12, 3, (2, 24)),
        (1, 100, None),
    ],
)
def test_steps(channels: int, columns: int, cut: tuple[int, int] | None) -> None:
    assert cut_row(channels, columns, SHAPE) == cut


def test_weights_lie_as_steps_read_them(rng: np.random.Generator) -> None:
    w = rng.standard_normal((20, 3, 2, 11)).astype(np.float32)
    packed = pack_plain_matrix_weights(w, TILE, Goal(AMX, Policy("bf16")))
    steps, numbers = 2, 22
    halves = packed.view(np.uint16).reshape(2 * steps, 2, 16, 16, 2)
    by_column = widened(halves).transpose(0, 2, 4, 1, 3).reshape(2, steps, 32, 32)
    assert not by_column[:, :, numbers:].any() and not by_column[..., 20:].any()
    read = by_column[:, :, :numbers, :20].reshape(2, 11, beside(3), 20)
    assert not read[:, :, 3].any()
    assert np.allclose(read[:, :, :3], w.transpose(2, 3, 1, 0), rtol=2**-8)
