"""Products with weights of few bits on matrix registers against float64, by the machine or by its model."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.algorithms.blockwise import BITS, dot_blockwise
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import blockwise_ir, library_ir, matrices_ir, matrix_blockwise_ir
from sardonyx.kernels.product.blockwise import pack_blocks, pack_levels
from sardonyx.kernels.product.driver import define_blockwise_matrix
from sardonyx.kernels.product.levels.matrix import define_level_matrix_block
from sardonyx.kernels.scratch import product_bytes
from sardonyx.llvm.vec import Module
from sardonyx.object import engine, executor
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.native import execute, guarded
from tests.unit.kernels.product.test_matrix import error
from tests.unit.llvm.registers import modelled
from tests.unit.objects import compiled, loaded

AMX = isa.with_features(isa.V4, isa.V4.matrices[0].features)
TILES = [tile for p in ("bf16", "fp32") if (tile := Goal(AMX, Policy(p)).find_matrix("f32"))]
NAMED = pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile.name)
WIDTHS = pytest.mark.parametrize("bits", BITS)
_models: list[Any] = []


@cache
def image(tile: MatrixTile, how: str, bits: int) -> tuple[Goal, LoadedImage]:
    """The kernels, executed by this machine or, but for matrix registers, by a model."""
    target = need(isa.V4 if how == "model" else isa.with_features(isa.V4, tile.features))
    goal = Goal(target, Policy(tile.precisions[0]))
    texts = (executor.ir(target), *library_ir(goal), blockwise_ir(bits, goal))
    codes = [compiled(text, target) for text in texts]
    if how == "machine":
        codes += [
            compiled(t, target) for t in (matrices_ir(tile, goal), matrix_blockwise_ir((bits, tile), goal))
        ]
    else:
        module = Module()
        define_blockwise_matrix(module, goal, bits, tile)
        codes.append(engine.compile_object(modelled(module.text(), _models), target))
    return goal, loaded(codes, target)


def check(tile: MatrixTile, how: str, bits: int, sizes: tuple[int, int, int, int], *, special: bool) -> None:
    (m, n, k, block), rng = sizes, np.random.default_rng(sizes)
    goal, image_ = image(tile, how, bits)
    blocks = -(-k // block)
    w = rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
    scales = rng.uniform(0.5, 1.5, (n, blocks)).astype(np.float32)
    zeros = rng.integers(0, 1 << bits, (n, blocks)).astype(np.float32)
    a = rng.standard_normal((m, k)).astype(np.float32)
    if special:
        a[m // 2, k // 2] = np.inf
    held = [guarded(a), guarded(pack_levels(w, bits, k, goal), align=64)]
    held += [guarded(pack_blocks(v, goal), align=64) for v in (scales, zeros)]
    c = guarded(np.full((m, n), np.nan, np.float32))
    operands = (Gemm.A, Gemm.B, Gemm.SCALES, Gemm.ZEROS, Gemm.C)
    words = {word: v.ctypes.data for word, v in zip(operands, [*held, c], strict=True)}
    words |= {Gemm.BATCH0: 1, Gemm.BATCH1: 1, Gemm.M: m, Gemm.N: n, Gemm.K: k, Gemm.A_M: k, Gemm.A_K: 1}
    words |= {Gemm.C_M: n, Gemm.BLOCK: block, Gemm.L2_BYTES: goal.target.l2_bytes}
    args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    scratch = guarded(np.zeros(product_bytes(goal.target), np.uint8), align=64)
    execute(image_.address(f"sdx_gemm_{tile.name}_blockwise{bits}_f32"), args, scratch, 1 + m % 2)
    expected = dot_blockwise(a, w, scales, zeros, bits=bits, block=block)
    usual = np.isfinite(expected)
    assert error(c[usual], expected[usual]) < MATRIX_BOUNDS[tile.name]
    np.testing.assert_array_equal(c[~usual], expected[~usual])
    assert usual.all() is not special


@NAMED
@WIDTHS
def test_products_of_any_size(tile: MatrixTile, bits: int) -> None:
    for sizes in ((5, 40, 70, 16), (33, 40, 70, 16), (70, 17, 130, 32), (300, 33, 2000, 128)):
        check(tile, "machine", bits, sizes, special=sizes[0] == 33)


@NAMED
def test_a_model_of_the_registers_agrees(tile: MatrixTile) -> None:
    check(tile, "model", 4, (33, 40, 70, 16), special=True)


def test_panels_become_floats_that_are_split() -> None:
    module, goal = Module(), Goal(AMX)
    name = define_level_matrix_block(module, goal, TILES[-1], 4)
    text = module.text()
    assert module.has(name)
    assert text.count("call void @unpack_blockwise4_f32(") == 1
