"""Products with weights of few bits: whole numbers give exact sums, on guarded memory, whatever the sizes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.algorithms.blockwise import BITS, dot_blockwise
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.library import blockwise_ir, library_ir
from sardonyx.kernels.product.blockwise import STEPS, pack_blocks, pack_levels
from sardonyx.kernels.scratch import product_bytes
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from tests.runnable import runnable_targets
from tests.unit.contexts import contexts
from tests.unit.kernels.native import KERNEL, guarded
from tests.unit.objects import compiled, loaded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
WIDTHS = pytest.mark.parametrize("bits", BITS)


def image(target: Target, bits: int) -> LoadedImage:
    goal = Goal(target)
    texts = (executor.ir(target), *library_ir(goal), blockwise_ir(bits, goal))
    return loaded([compiled(text, target) for text in texts], target)


def check(
    loaded: LoadedImage, target: Target, bits: int, sizes: tuple[int, int, int, int], threads: int
) -> None:
    m, n, k, block = sizes
    rng, blocks = np.random.default_rng(m * n + k), -(-k // block)
    w = rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
    scales = rng.choice([0.5, 1, 2], (n, blocks)).astype(np.float32)
    zeros = rng.integers(0, 1 << bits, (n, blocks)).astype(np.float32)
    a = guarded(rng.integers(-3, 4, (m, k)).astype(np.float32))
    goal = Goal(target)
    levels = guarded(pack_levels(w, bits, k, goal), align=64)
    by_block = [guarded(pack_blocks(v, goal), align=64) for v in (scales, zeros)]
    c = guarded(np.full((m, n), np.nan, np.float32))
    words = {Gemm.A: a.ctypes.data, Gemm.B: levels.ctypes.data, Gemm.C: c.ctypes.data, Gemm.BATCH0: 1}
    words |= {Gemm.BATCH1: 1, Gemm.M: m, Gemm.N: n, Gemm.K: k, Gemm.A_M: k, Gemm.A_K: 1, Gemm.C_M: n}
    words |= {Gemm.SCALES: by_block[0].ctypes.data, Gemm.ZEROS: by_block[1].ctypes.data}
    words |= {Gemm.BLOCK: block, Gemm.L2_BYTES: target.l2_bytes}
    args = np.zeros(Gemm.EPILOGUE_WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    scratch = guarded(np.zeros(product_bytes(target), np.uint8), align=64)
    kernel = KERNEL(loaded.address(f"sdx_gemm_blockwise{bits}_f32"))
    for context in contexts(threads, scratch):
        kernel(ctypes.c_void_p(args.ctypes.data), ctypes.c_void_p(context.ctypes.data))
    assert np.array_equal(c, dot_blockwise(a, w, scales, zeros, bits=bits, block=block))


@TARGETS
@WIDTHS
def test_sums_are_those_of_the_meaning(target: Target, bits: int) -> None:
    loaded = image(target, bits)
    for m in (1, 2, 5, 17, 40):
        for n, k, block in ((1, 16, 16), (33, 48, 32), (16, 70, 16), (40, STEPS + 40, 32), (70, 1000, 128)):
            check(loaded, target, bits, (m, n, k, block), threads=1 + m % 3)


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
