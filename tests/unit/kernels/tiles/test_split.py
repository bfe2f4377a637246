"""Floats are split as numpy splits them; infinity, NaN and the largest have the parts that serve them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.kernels.product.pack import split
from sardonyx.kernels.tiles.matrix import MatrixShape, Plane
from sardonyx.kernels.tiles.split import (
    PIXELS,
    define_join_blocks,
    define_split_blocks,
    define_split_panel,
    define_split_pixels,
    define_split_rows,
)
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import Array, guarded
from tests.unit.kernels.tiles.modelled import Modelled
from tests.unit.llvm.registers import widened

SHAPES = [MatrixShape(tile) for tile in isa.V4.matrices if tile.operand == "f32"]
NAMED = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.tile.name)
LARGEST = 3.3895e38
"""The largest number that bfloat16 holds, nearly."""
SPECIAL = np.array([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1.0, 0.0, -0.0], np.float32)


def planes_of(x: Array, shape: MatrixShape) -> dict[Plane, Array]:
    """The planes as floats."""
    finite = np.where(np.isfinite(x), x, 0)
    parts = [widened(part) for part in split(finite, shape.planes)]
    found = dict(zip(shape.held, parts, strict=False))
    found[shape.held[-1]] = parts[0]
    return {**found, Plane.HIGH: np.where(np.isfinite(x), parts[0], x)}


@NAMED
@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 32), (16, 45), (5, 100), (0, 4)])
def test_rows(shape: MatrixShape, careful: bool, rows: int, columns: int, rng: np.random.Generator) -> None:
    made = Modelled(lambda module: define_split_rows(module, shape, careful=careful))
    x = rng.standard_normal((rows, columns + 3)).astype(np.float32)
    if careful and x.size:
        x.flat[:: x.size // 8 + 1] = SPECIAL[: len(x.flat[:: x.size // 8 + 1])]
    held = guarded(x)[:, 3:]
    padded = -(-columns // shape.k_step) * shape.k_step
    to = np.full((rows, len(shape.held), padded + 8), 0x7FC0, np.uint16)
    strides = np.array([to.strides[0], to.strides[1], x.strides[0]]) if x.size else np.zeros(3, np.int64)
    special = made.call(made.names, to, held, rows, columns, strides, result=True)
    assert bool(special) == (not (np.abs(x[:, 3:]) < LARGEST).all())
    for plane, expected in planes_of(x[:, 3:], shape).items():
        if plane is not Plane.FINITE or careful:
            got = widened(to[:, shape.held.index(plane), :padded])
            assert np.array_equal(got[:, :columns], expected, equal_nan=True)
            assert not got[:, columns:].any()
    assert (to[..., padded:] == 0x7FC0).all(), "numbers beyond the steps were written"


@NAMED
@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("k", "registers"), [(1, 1), (7, 2), (32, 1), (33, 2)])
def test_panels(shape: MatrixShape, careful: bool, k: int, registers: int, rng: np.random.Generator) -> None:
    made = Modelled(lambda module: define_split_panel(module, shape, registers, careful=careful))
    x = rng.standard_normal((k, registers * 16)).astype(np.float32)
    if careful:
        x[0, : len(SPECIAL)] = SPECIAL
    steps = -(-k // shape.k_step)
    to = np.full((steps, len(shape.held), registers, 16, 16, shape.depth), 0x7FC0, np.uint16)
    held = guarded(x)
    special = made.call(made.names, to, held, k, to.strides[0], to.strides[1], result=True)
    assert bool(special) == careful
    for plane, expected in planes_of(x, shape).items():
        if plane is not Plane.FINITE or careful:
            got = (
                widened(to[:, shape.held.index(plane)])
                .transpose(0, 2, 4, 1, 3)
                .reshape(steps * shape.k_step, -1)
            )
            assert np.array_equal(got[:k], expected, equal_nan=True)
            assert not got[k:].any()


@pytest.mark.parametrize(("parts", "apart"), [(2, 2**-15), (3, 0)])
def test_the_largest_floats_are_not_rounded_to_infinity(parts: int, apart: float) -> None:
    x = np.array([3.4e38, -3.4e38, 3.3895e38, 1.5, 1e-30, 1 / 3, 16777215], np.float32)
    found = [widened(part).astype(np.float64) for part in split(x, parts)]
    assert np.isfinite(found[0]).all()
    assert np.allclose(sum(found), x, rtol=apart, atol=0)


@NAMED
@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("channels", "pixels"), [(16, 3), (40, 5), (64, 1)])
def test_blocks_of_channels(
    shape: MatrixShape, careful: bool, channels: int, pixels: int, rng: np.random.Generator
) -> None:
    made = Modelled(lambda module: define_split_blocks(module, shape, 16, careful=careful))
    blocks, steps = -(-channels // 16), -(-channels // shape.k_step)
    x = rng.standard_normal((blocks, pixels, 16)).astype(np.float32)
    if careful:
        x[0, 0, : len(SPECIAL)] = SPECIAL
    to = np.full((pixels, len(shape.held), steps * shape.k_step), 0x7FC0, np.uint16)
    held = guarded(x)
    words = np.array([to.strides[0], to.strides[1], held.strides[0], channels, blocks])
    special = made.call(made.names, to, held, pixels, words, result=True)
    assert bool(special) == careful
    side_by_side = x.transpose(1, 0, 2).reshape(pixels, -1)[:, :channels]
    for plane, expected in planes_of(side_by_side, shape).items():
        if plane is not Plane.FINITE or careful:
            got = widened(to[:, shape.held.index(plane)])
            assert np.array_equal(got[:, :channels], expected, equal_nan=True)
            assert not got[:, channels:].any()


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("count", "channels"), [(2, 1), (2, 2), (4, 3), (8, 5), (16, 12)])
@pytest.mark.parametrize("pixels", [1, 16, 37])
def test_pixels(careful: bool, count: int, channels: int, pixels: int, rng: np.random.Generator) -> None:
    shape = SHAPES[0]
    made = Modelled(lambda module: define_split_pixels(module, shape, count, careful=careful))
    x = rng.standard_normal((channels, pixels)).astype(np.float32)
    if careful:
        x[-1, -1] = SPECIAL[pixels % 5]
    to = np.full((-(-pixels // PIXELS) * PIXELS + 1, count), 0x7FC0, np.uint16)
    special = made.call(made.names, to, guarded(x), pixels, np.array([x.strides[0], channels]), result=True)
    assert bool(special) == careful
    expected = planes_of(x, shape)[Plane.HIGH].T
    got = widened(to[:-1])
    assert np.array_equal(got[:pixels, :channels], expected, equal_nan=True)
    assert not got[:, channels:].any() and not got[pixels:].any()
    assert (to[-1] == 0x7FC0).all(), "pixels beyond whole vectors were written"


@pytest.mark.parametrize(("channels", "pixels"), [(16, 1), (33, 5), (40, 7), (64, 3)])
def test_joined_blocks(channels: int, pixels: int, rng: np.random.Generator) -> None:
    shape, blocks = SHAPES[0], -(-channels // 16)
    made = Modelled(lambda module: define_join_blocks(module, shape, 16))
    x = rng.integers(0, 1 << 16, (blocks, pixels, 16), np.uint16)
    padded = -(-channels // shape.k_step) * shape.k_step
    to = np.full((pixels, padded + 32), 0x7FC0, np.uint16)
    words = np.array([to.strides[0], 0, x.strides[0], channels, blocks])
    assert not made.call(made.names, to, guarded(x), pixels, words, result=True)
    joined = x.transpose(1, 0, 2).reshape(pixels, -1)
    assert np.array_equal(to[:, :channels], joined[:, :channels])
    assert not to[:, channels:padded].any()
    assert (to[:, padded:] == 0x7FC0).all()
