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
    define_split_weights,
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
FAINT_NAN = np.array([0x7F800001], np.uint32).view(np.float32)
"""A NaN whose upper half is that of infinity."""


def planes_of(x: Array, shape: MatrixShape) -> dict[Plane, Array]:
    """The planes as floats."""
    finite = np.where(np.isfinite(x), x, 0)
    parts = [part.copy() for part in split(finite, shape.planes)]
    found = dict(zip(shape.held, parts, strict=False))
    found[shape.held[-1]] = parts[0]
    return {**found, Plane.HIGH: np.where(np.isfinite(x), parts[0], x)}


def cut_planes_of(x: Array) -> dict[Plane, Array]:
    """The planes of floats that are cut into three parts, as floats."""
    left = np.where(np.isfinite(x), x, np.float32(0))
    found = {}
    for plane in (Plane.HIGH, Plane.LOW, Plane.LOWEST):
        found[plane] = (left.view(np.uint32) & 0xFFFF0000).view(np.float32)
        left = left - found[plane]
    assert not left.any()
    found[Plane.FINITE] = found[Plane.HIGH]
    return {**found, Plane.HIGH: np.where(np.isfinite(x), found[Plane.HIGH], x)}


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
    found = [part.astype(np.float64) for part in split(x, parts)]
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
        x[0, 0, : len(SPECIAL)], x[0, 0, len(SPECIAL)] = SPECIAL, FAINT_NAN[0]
    to = np.full((len(shape.held), steps, pixels, shape.k_step), 0x7FC0, np.uint16)
    held = guarded(x)
    words = np.array([to.strides[1], to.strides[0], *held.strides[1::-1], channels, blocks])
    special = made.call(made.names, to, held, pixels, words, result=True)
    assert bool(special) == careful
    side_by_side = x.transpose(1, 0, 2).reshape(pixels, -1)[:, :channels]
    expected_planes = cut_planes_of(side_by_side) if shape.in_pairs else planes_of(side_by_side, shape)
    for plane, expected in expected_planes.items():
        if plane is not Plane.FINITE or careful:
            got = widened(to[shape.held.index(plane)]).swapaxes(0, 1)
            if shape.in_pairs:
                got = got.reshape(pixels, steps, 16, 2).swapaxes(2, 3)
            got = got.reshape(pixels, -1)
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
    to = np.full((padded // shape.k_step + 1, pixels, shape.k_step), 0x7FC0, np.uint16)
    words = np.array([to.strides[0], 0, *x.strides[1::-1], channels, blocks])
    assert not made.call(made.names, to, guarded(x), pixels, words, result=True)
    joined = x.transpose(1, 0, 2).reshape(pixels, -1)
    got = to[:-1].swapaxes(0, 1).reshape(pixels, -1)
    assert np.array_equal(got[:, :channels], joined[:, :channels])
    assert not got[:, channels:].any()
    assert (to[-1] == 0x7FC0).all()


@pytest.mark.parametrize("columns", [1, 2])
def test_weights(columns: int, rng: np.random.Generator) -> None:
    (shape,) = (shape for shape in SHAPES if shape.in_pairs)
    steps = 3
    w = rng.standard_normal((steps * shape.k_step, columns * 16)).astype(np.float32)
    made = Modelled(lambda module: define_split_weights(module, shape, columns))
    held = guarded(w, align=64)
    to = np.zeros((steps, shape.planes, columns, 16, 16, 2), np.uint16)
    made.call(made.names, to, held, steps, held.ctypes.data + held.nbytes - 64)
    found = widened(to).transpose(1, 0, 5, 3, 2, 4).reshape(shape.planes, *w.shape)
    for plane, got in zip(shape.held, found, strict=False):
        assert np.array_equal(got, cut_planes_of(w)[plane])
