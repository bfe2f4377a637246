"""Products with weights of few bits: whole numbers give exact sums, on guarded memory, whatever the sizes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import BITS, GROUP, dot_blockwise
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import blockwise_ir, library_ir
from sardonyx.kernels.product.blockwise import STEPS, pack_blocks, pack_levels
from sardonyx.kernels.product.levels.floats import define_few_sums, few_bytes
from sardonyx.kernels.product.levels.sums import AHEAD_BYTES
from sardonyx.kernels.product.levels.walk import row_counts
from sardonyx.kernels.scratch import product_bytes
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from tests.runnable import runnable_targets
from tests.unit.kernels.native import execute, guarded
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.objects import assembled, compiled, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
Sizes = tuple[int, int, int, int]
WIDTHS = pytest.mark.parametrize("bits", BITS)


def image(target: Target, bits: int) -> LoadedImage:
    goal = Goal(target)
    texts = (executor.ir(target), *library_ir(goal), blockwise_ir(bits, goal))
    return loaded([compiled(text, target) for text in texts], target)


def check(loaded: LoadedImage, target: Target, bits: int, sizes: Sizes, threads: int, usual: bool) -> None:
    m, n, k, block = sizes
    rng, blocks = np.random.default_rng(m * n + k), -(-k // block)
    w = rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
    scales = rng.choice([0.5, 1, 2], (n, blocks)).astype(np.float32)
    zeros = rng.integers(0, 1 << bits, (n, blocks)).astype(np.float32)
    if usual:
        zeros[...] = 1 << bits - 1
    a = guarded(rng.integers(-3, 4, (m, k)).astype(np.float32))
    goal = Goal(target)
    levels = guarded(pack_levels(w, bits, k, goal), align=64)
    by_block = [guarded(pack_blocks(v, goal), align=64) for v in (scales, zeros)]
    c = guarded(np.full((m, n), np.nan, np.float32))
    words = {Gemm.A: a.ctypes.data, Gemm.B: levels.ctypes.data, Gemm.C: c.ctypes.data, Gemm.BATCH0: 1}
    words |= {Gemm.BATCH1: 1, Gemm.M: m, Gemm.N: n, Gemm.K: k, Gemm.A_M: k, Gemm.A_K: 1, Gemm.C_M: n}
    words |= {Gemm.SCALES: by_block[0].ctypes.data, Gemm.ZEROS: 0 if usual else by_block[1].ctypes.data}
    words |= {Gemm.BLOCK: block, Gemm.L2_BYTES: target.l2_bytes}
    args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    size = max(product_bytes(target), few_bytes(target, k))
    address = loaded.address(f"sdx_gemm_blockwise{bits}_f32")
    execute(address, args, guarded(np.zeros(size, np.uint8), align=64), threads)
    assert np.array_equal(c, dot_blockwise(a, w, scales, zeros, bits=bits, block=block))


@TARGETS
@WIDTHS
def test_sums_are_those_of_the_meaning(target: Target, bits: int) -> None:
    loaded = image(target, bits)
    for m in (1, 2, 3, 5, 17, 40):
        for n, k, block in ((1, 16, 16), (33, 48, 32), (16, 70, 16), (40, STEPS + 40, 32), (70, 1000, 128)):
            check(loaded, target, bits, (m, n, k, block), 1 + m % 3, usual=n % 2 == 0)


def test_a_few_long_rows_find_room() -> None:
    target = runnable_targets()[0]
    rows = row_counts(TileShape.of(Goal(target), "f32"))[-1]
    k = product_bytes(target) // (4 * rows) + 5
    check(image(target, 4), target, 4, (rows, 1, k, 1024), 1, usual=True)


@TARGETS
@WIDTHS
def test_a_few_rows_are_multiplied_in_registers(target: Target, bits: int) -> None:
    tile, per_word = TileShape.of(Goal(target), "f32"), 32 // bits
    for rows in row_counts(tile):
        module = Module()
        name = define_few_sums(module, target, tile, bits, rows, shifts=False)
        (loop,) = innermost_loops(assembled(module.part(name), target))
        products = sum(line.startswith("vfmadd") for line in loop)
        assert products == rows * tile.vectors * GROUP
        picks = sum(line.startswith("vperm") for line in loop)
        assert picks in (0, tile.vectors * GROUP) and (picks or per_word == 4 or target.lanes == 8)
        assert not any("rsp" in line and re.search("[yz]mm", line) for line in loop), rows
        asked = sum("prefetch" in line for line in loop)
        assert any(str(AHEAD_BYTES) in line for line in loop)
        assert asked * CACHE_LINE == GROUP * tile.columns * bits // 8


@WIDTHS
def test_layouts_hold_every_number_once(bits: int) -> None:
    goal = Goal(runnable_targets()[0])
    rng = np.random.default_rng(bits)
    w = rng.integers(0, 256, (5, 3, 16 * bits // 8)).astype(np.uint8)
    packed = pack_levels(w, bits, 40, goal)
    assert packed.shape[:2] == (1, 48 * bits // 32)
    assert packed.nbytes % (48 * bits) == 0
    blocks = pack_blocks(w[..., 0].astype(np.float32), goal)
    assert np.array_equal(blocks[0, :, :5].T, w[..., 0])
    assert not blocks[0, :, 5:].any()
