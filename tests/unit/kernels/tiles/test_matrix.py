"""A tile of matrix registers sums all steps, goes on from what is there, and leaves the stack alone."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest

from sardonyx.base.target import Target
from sardonyx.kernels.product.pack import pack_matrix
from sardonyx.kernels.tiles.matrix import (
    ACROSS,
    SPARE_BYTES,
    MatrixKernel,
    MatrixShape,
    MatrixWords,
    define,
    kernels,
)
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import guarded
from tests.unit.kernels.tiles.modelled import Modelled

SHAPES = [MatrixShape(tile) for tile in isa.V4.matrices if tile.operand == "f32"]
NAMED = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.tile.name)


@NAMED
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_sums(
    shape: MatrixShape, adds: bool, rows: int, columns: int, steps: int, rng: np.random.Generator
) -> None:
    kernel = MatrixKernel(shape, rows, columns)
    made = Modelled(lambda module: define(module, kernel))
    k, high = steps * shape.k_step, 16 * rows
    a = rng.integers(-4, 5, (high, k)).astype(np.float32)
    b = rng.integers(-4, 5, (k, 16 * columns)).astype(np.float32)
    planes = np.zeros((high, shape.planes + 1, k + 8), np.uint16)
    planes[:, 0, :k] = a.view(np.uint32) >> 16
    packed = guarded(pack_matrix(b, shape.tile), align=64) if k else np.zeros(0, np.float32)
    tile = np.full((high, 16 * columns + 4), 7, np.float32)
    descriptor, spare = (
        np.zeros(len(MatrixWords), np.int64),
        guarded(np.zeros(SPARE_BYTES, np.uint8), align=64),
    )
    plane = columns * shape.register_bytes
    words = {MatrixWords.A_ROW: planes.strides[0], MatrixWords.A_LOW: planes.strides[1]}
    words |= {MatrixWords.B_STEP: plane * shape.planes}
    words |= {MatrixWords.TILE_ROW: tile.strides[0], MatrixWords.ADD: int(adds)}
    words |= {MatrixWords.SPARE: spare.ctypes.data, MatrixWords.TILE: tile.ctypes.data}
    for word, value in words.items():
        descriptor[word] = value
    made.call(kernel.name, planes, packed, steps, descriptor)
    assert np.array_equal(tile[:, : 16 * columns], a @ b + 7 * adds)
    assert (tile[:, 16 * columns :] == 7).all()


@NAMED
def test_loops_hold_everything_in_registers(shape: MatrixShape) -> None:
    module = Module()
    kernels(module, shape)
    text = engine.assembly(module.text().replace("define internal", "define"), _target(shape))
    for rows, columns in product(range(1, ACROSS + 1), repeat=2):
        kernel = MatrixKernel(shape, rows, columns)
        body = text.split(f"\n{kernel.name}:", 1)[1].split("\n.Lfunc_end", 1)[0]
        parts = [part for part in re.split(r"^\.LBB", body, flags=re.M) if "tdp" in part]
        unrolled = kernel.turns if len(shape.terms) == 1 else 1
        steps = (unrolled + 1 if unrolled > 1 else 1) * (1 if shape.planes == 1 else 2)
        most = rows * columns * len(shape.terms)
        assert sum(part.count("tdp") for part in parts) == steps * most
        assert body.count("vaddps") >= steps
        assert not any("rsp" in part for part in parts)
        assert sum(len(re.findall(r"^\t[a-z]", part, re.M)) for part in parts) < steps * (9 * most + 16)


def test_three_terms_load_each_register_once_a_step() -> None:
    (shape,) = (shape for shape in SHAPES if shape.tile.terms == 3)
    module = Module()
    kernel = define(module, MatrixKernel(shape, ACROSS, ACROSS))
    text = engine.assembly(module.text().replace("define internal", "define"), _target(shape))
    body = text.split(f"\n{kernel}:", 1)[1].split("\n.Lfunc_end", 1)[0]
    parts = [part for part in re.split(r"^\.LBB", body, flags=re.M) if "tdp" in part]
    usual, careful = parts[: len(parts) // 2], parts[len(parts) // 2 :]
    assert sorted(sum(part.count("tileload") for part in way) for way in (usual, careful)) == [8, 12]


def _target(shape: MatrixShape) -> Target:
    return isa.with_features(isa.V4, shape.tile.features)
