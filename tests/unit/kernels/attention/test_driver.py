"""Attention against float64 numpy, on guarded memory: sizes, strides, threads, what each strip is told."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.kernels.arguments import Attention
from sardonyx.kernels.attention.driver import define_attention
from sardonyx.kernels.library import attention_ir, library_ir
from sardonyx.kernels.scratch import attention_bytes
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import executor
from sardonyx.runtime.image import LoadedImage
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.native import Epilogue, execute, guarded, strides, tile_view
from tests.unit.objects import compiled, loaded

Array = np.ndarray[Any, Any]
TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
SIZES = [
    (1, 1, 1, 1),
    (3, 5, 7, 2),
    (14, 16, 8, 16),
    (15, 33, 20, 31),
    (1, 130, 64, 64),
    (70, 48, 16, 33),
    (40, 700, 5, 40),
    (16, 3000, 3, 3),
    (20, 0, 4, 4),
    (20, 6, 0, 4),
    (0, 6, 4, 4),
    (20, 6, 4, 0),
]
"""Queries, keys, features of keys, features of values."""
L2_BYTES = 256 << 10
"""Another cache than that of the level whose code all CPUs of a level share."""


@cache
def image(target: Target) -> LoadedImage:
    goal = Goal(target)
    texts = (executor.ir(target), *library_ir(goal), attention_ir(goal))
    return loaded([compiled(text, target) for text in texts], target)


class Drawn:
    """Two times three heads; rows of scores become their shares of a sum of squares plus one."""

    def __init__(self, sizes: tuple[int, int, int, int], *, turned: bool = False) -> None:
        m, t, d, e = self.sizes = sizes
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> Array:
            laid = (2, 3, shape[1], shape[0]) if turned else (2, 3, *shape)
            array = guarded(rng.standard_normal(laid).astype(np.float32))
            return array.swapaxes(2, 3) if turned else array

        self.q, self.k, self.v = draw(m, d), draw(d, t), draw(t, e)
        self.y = guarded(np.full((2, m, 3, e), 77, np.float32)).swapaxes(1, 2)
        self.seen = np.zeros((6, m), int)

    def rows(self, tile: int, pitch: int, words: int, coords: int, count: int, columns: int) -> None:
        head, first = (ctypes.c_int64 * 2).from_address(coords)
        assert ctypes.c_int64.from_address(words).value == 4711
        assert columns == self.sizes[1]
        self.seen[head, first : first + count] += 1
        scores = tile_view(tile, pitch, count, columns, "float32")
        scores[...] = scores / (1 + (scores * scores).sum(1, keepdims=True))

    def words(self, target: Target) -> Array:
        m, t, d, e = self.sizes
        args = np.zeros(Attention.EPILOGUE_WORDS + 1, np.int64)
        args[Attention.EPILOGUE_WORDS] = 4711
        self.kept = Epilogue(self.rows)
        args[Attention.ROWS] = ctypes.cast(self.kept, ctypes.c_void_p).value or 0
        args[Attention.BATCH0 : Attention.BATCH1 + 1] = 2, 3
        args[Attention.M : Attention.E + 1] = m, t, d, e
        args[Attention.L2_BYTES] = L2_BYTES
        for name in "QKVY":
            array = getattr(self, name.lower())
            args[Attention[name]] = array.ctypes.data
            first = Attention[f"{name}_BATCH0"]
            args[first : first + 2] = strides(array)[:2]
        args[Attention.Q_M : Attention.Q_D + 1] = strides(self.q)[2:]
        args[Attention.K_D : Attention.K_T + 1] = strides(self.k)[2:]
        args[Attention.V_T : Attention.V_E + 1] = strides(self.v)[2:]
        args[Attention.Y_M] = strides(self.y)[2]
        return args

    def run(self, target: Target, threads: int = 1) -> Array:
        shape = TileShape.of(Goal(target), "f32")
        machine = replace(target, l2_bytes=L2_BYTES)
        size = attention_bytes(machine, self.sizes[1:], (shape.max_rows, shape.columns, shape.lanes))
        assert isinstance(size, int)
        address = image(target).address("sdx_attention_f32")
        execute(address, self.words(target), guarded(np.zeros(size, np.uint8), align=64), threads)
        return self.y

    def exactly(self) -> Array:
        q, k, v = (x.astype(np.float64) for x in (self.q, self.k, self.v))
        scores = q @ k
        result: Array = (scores / (1 + (scores * scores).sum(-1, keepdims=True))) @ v
        return result.astype(np.float32)


@TARGETS
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rows_go_through_both_products(target: Target, sizes: tuple[int, int, int, int]) -> None:
    drawn = Drawn(sizes)
    assert_close(drawn.run(target), drawn.exactly(), sum(sizes))
    assert (drawn.seen == bool(sizes[1] and sizes[3])).all(), "each row of scores once"


@TARGETS
@pytest.mark.parametrize("sizes", SIZES[3:7], ids=str)
def test_operands_may_lie_turned(target: Target, sizes: tuple[int, int, int, int]) -> None:
    drawn = Drawn(sizes, turned=True)
    assert_close(drawn.run(target), drawn.exactly(), sum(sizes))


@TARGETS
@pytest.mark.parametrize("threads", [2, 5, 200])
def test_threads_share_rows(target: Target, threads: int) -> None:
    drawn, alone = Drawn((20, 40, 8, 24)), Drawn((20, 40, 8, 24))
    assert_close(drawn.run(target, threads), alone.run(target), 64)
    assert (drawn.seen == 1).all()


@TARGETS
def test_what_is_missing_in_keys_stays_out(target: Target) -> None:
    drawn = Drawn((30, 17, 4, 9))
    drawn.q[1, 2, 29] = np.nan
    result = drawn.run(target)
    assert np.isnan(result[1, 2, 29]).all()
    assert np.isnan(result).sum() == 9


def test_the_function_is_written_once_a_module() -> None:
    module = Module()
    define_attention(module, Goal(runnable_targets()[0]))
    assert module.text().count("define void @sdx_attention_f32") == 1
