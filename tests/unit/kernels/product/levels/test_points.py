"""Products of points with weights of few bits: whole numbers give exact sums, whatever the instruction."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import BITS, GROUP, LEAST_LARGEST, dot_blockwise
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import blockwise_ir, library_ir, points_ir
from sardonyx.kernels.product.blockwise import pack_blocks, pack_levels
from sardonyx.kernels.product.levels.points import define_point_sums, define_points, point_bytes
from sardonyx.kernels.product.levels.walk import row_counts
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import executor
from sardonyx.passes.points import is_exact
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import narrow_twin, with_each_feature
from tests.tolerance import assert_close
from tests.unit.kernels.native import Array, execute, guarded
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.objects import assembled, compiled, loaded

TWIN = narrow_twin()
CASES = [
    pytest.param(target, bits, id=f"{target.name}-{tile.instruction.name.replace(' ', '-')}-{bits}")
    for target in (*with_each_feature(), *([TWIN] if TWIN else []))
    for bits in BITS
    if (tile := Goal(target).find_tile("i8")) and is_exact(tile, bits)
]
SIZES = ((1, 1, 16, 16), (2, 33, 48, 32), (5, 16, 70, 16), (67, 70, 1000, 128))


def image(target: Target, bits: int) -> LoadedImage:
    goal = Goal(target)
    texts = (executor.ir(target), *library_ir(goal), blockwise_ir(bits, goal), points_ir(bits, goal))
    return loaded([compiled(text, target) for text in texts], target)


class Drawn:
    """Weights of a product; `run` gives it for rows that lie as they do, beside C that is left alone."""

    def __init__(self, n: int, k: int, block: int, bits: int, *, usual: bool) -> None:
        rng, blocks = np.random.default_rng((n, k, block)), -(-k // block)
        self.w = rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
        self.scales = rng.choice([0.5, 1, 2], (n, blocks)).astype(np.float32)
        self.zeros = rng.integers(0, 1 << bits, (n, blocks)).astype(np.float32)
        if usual:
            self.zeros[...] = 1 << bits - 1
        self.usual, self.bits, self.block = usual, bits, block

    def meant(self, a: Array, points: str = "made") -> Array:
        return dot_blockwise(
            a, self.w, self.scales, self.zeros, bits=self.bits, block=self.block, points=points
        )

    def run(self, loaded: LoadedImage, target: Target, a: Array, threads: int = 1) -> Array:
        (m, k), n, goal = a.shape, len(self.w), Goal(target)
        levels = guarded(pack_levels(self.w, self.bits, k, goal), align=64)
        scales, zeros = (guarded(pack_blocks(v, goal), align=64) for v in (self.scales, self.zeros))
        c = guarded(np.full((m, n), np.nan, np.float32))
        words = {Gemm.A: a.ctypes.data, Gemm.B: levels.ctypes.data, Gemm.C: c.ctypes.data}
        words |= {Gemm.BATCH0: 1, Gemm.BATCH1: 1, Gemm.M: m, Gemm.N: n, Gemm.K: k, Gemm.C_M: n}
        words |= {Gemm.A_M: a.strides[0] // 4, Gemm.A_K: a.strides[1] // 4, Gemm.BLOCK: self.block}
        words |= {Gemm.SCALES: scales.ctypes.data, Gemm.L2_BYTES: target.l2_bytes}
        words |= {Gemm.ZEROS: 0 if self.usual else zeros.ctypes.data}
        args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
        for word, value in words.items():
            args[word] = value
        size = point_bytes(target, k, self.block)
        assert isinstance(size, int)
        address = loaded.address(f"sdx_gemm_points{self.bits}_f32")
        execute(address, args, guarded(np.zeros(size, np.uint8), align=64), threads)
        return c


def whole(m: int, k: int, block: int) -> Array:
    """Rows whose blocks have a step of 1."""
    a = np.random.default_rng(m).integers(-127, 128, (m, k)).astype(np.float32)
    a[:, ::block] = 127
    return a


@pytest.mark.parametrize(("target", "bits"), CASES)
def test_sums_of_whole_numbers_are_exact(target: Target, bits: int) -> None:
    image_ = image(target, bits)
    for number, (m, n, k, block) in enumerate(SIZES):
        drawn = Drawn(n, k, block, bits, usual=number % 2 == 0)
        a = whole(m, k, block)
        for rows in (guarded(a), guarded(a.T.copy()).T):
            c = drawn.run(image_, target, rows, threads=1 + number % 3)
            assert np.array_equal(c, drawn.meant(a)), (m, n, k, block)


@pytest.mark.parametrize(("target", "bits"), CASES)
def test_rows_that_have_no_points_are_products_of_floats(target: Target, bits: int) -> None:
    drawn = Drawn(20, 80, 32, bits, usual=False)
    a = np.random.default_rng(1).standard_normal((9, 80)).astype(np.float32)
    a[2, 40], a[3, 1], a[5, :32], a[8, 79] = np.inf, np.nan, 1e-37, -np.inf
    a[6, 32:64] = 0
    c = drawn.run(image(target, bits), target, guarded(a))
    odd = [2, 3, 5, 8]
    assert_close(c, drawn.meant(a), length=80)
    assert_close(c[odd], drawn.meant(a, "")[odd], length=80)
    assert not np.array_equal(drawn.meant(a), drawn.meant(a, ""), equal_nan=True)
    assert np.array(LEAST_LARGEST, np.int32).view(np.float32) > 1e-37


def assembly(define: Callable[[Module], str], target: Target) -> str:
    module = Module()
    return assembled(module.part(define(module)), target)


@pytest.mark.parametrize(("target", "bits"), CASES)
def test_inner_loops_multiply_a_group_in_registers(target: Target, bits: int) -> None:
    tile = TileShape.of(Goal(target), "i8")
    for rows in row_counts(tile):
        make = partial(define_point_sums, shape=tile, bits=bits, rows=rows, shifts=False)
        (loop,) = innermost_loops(assembly(make, target))
        products = sum(tile.instruction.mnemonic in line for line in loop)
        assert products == rows * tile.vectors * GROUP // 4
        assert not any("rsp" in line and re.search("[yz]mm", line) for line in loop), rows


def test_rounding_divides_once_a_block() -> None:
    tile = TileShape.of(Goal(isa.V4), "f32")
    loops = innermost_loops(assembly(partial(define_points, shape=tile, bits=4), isa.V4))
    assert len(loops) == 2
    assert not any("div" in line for loop in loops for line in loop)
    assert all(any("zmm" in line for line in loop) for loop in loops)
