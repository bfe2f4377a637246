"""A register tile sums over all entries of its table, in every mode, and propagates NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.tiles.microkernel import UNROLL, MicroKernel, Mode, TileWords, define
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.native import bits, guarded
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.kernels.tiles.made import FLOATS, Made, shape_of

ENTRIES, PITCH = 4, 40
STEPS = (UNROLL, 1, 2 * UNROLL + 3, 5 * UNROLL + 2)


def drawn(kernel: MicroKernel) -> tuple[Any, Any, Any]:
    """A of [entry][row][k], B of [steps][columns], and the exact sums."""
    rng, real = np.random.default_rng(kernel.rows), FLOATS[kernel.shape.operand]
    a = rng.integers(-4, 5, (ENTRIES, kernel.rows, PITCH)).astype(real)
    b = rng.integers(-4, 5, (sum(STEPS), kernel.vectors * kernel.shape.lanes)).astype(real)
    parts, first = np.zeros((kernel.rows, b.shape[1])), 0
    for entry, steps in enumerate(STEPS):
        parts += a[entry, :, :steps].astype(np.float64) @ b[first : first + steps]
        first += steps
    return guarded(a), guarded(b, align=64), parts


@pytest.mark.parametrize(
    ("dtype", "mode"), [(d, m) for d in FLOATS for m in MicroKernel(shape_of(d), 1, 2).modes]
)
@pytest.mark.parametrize(
    ("rows", "vectors", "split"),
    [
        *((1, 1, (1, 1)), (1, 2, (4, 1)), (3, 1, (2, 1)), (4, 2, (1, 1)), (5, 2, (1, 1))),
        *((1, 2, (4, 4)), (3, 2, (2, 2)), (6, 2, (1, 2)), (15, 1, (1, 1)), (28, 1, (1, 1))),
    ],
)
def test_sums_and_their_end(dtype: str, mode: Mode, rows: int, vectors: int, split: tuple[int, int]) -> None:
    shape, real = shape_of(dtype), FLOATS[dtype]
    kernel = MicroKernel(shape, rows, vectors, *split)
    made = Made(lambda module: define(module, kernel))
    a, b, sums = drawn(kernel)
    size, columns = np.dtype(real).itemsize, vectors * shape.lanes
    before = np.full((rows, columns), 7, real)
    bias, residual = (
        np.arange(columns, dtype=real),
        np.arange(rows * columns, dtype=real).reshape(rows, columns),
    )
    tile = guarded(before)
    table = np.array([(e * rows * PITCH * size, s, 0) for e, s in enumerate(STEPS)])
    descriptor = np.zeros(len(TileWords), np.int64)
    words = {
        TileWords.TABLE: table.ctypes.data,
        TileWords.ENTRIES: ENTRIES,
        TileWords.ROW: PITCH * size,
        TileWords.MODE: mode,
    }
    words |= {
        TileWords.TILE_ROW: columns * size,
        TileWords.TILE_VECTOR: shape.lanes * size,
        TileWords.BIAS: bias.ctypes.data,
    }
    words |= {TileWords.LOW: bits(-20, real.__name__), TileWords.HIGH: bits(30, real.__name__)}
    words |= {TileWords.RESIDUAL: residual.ctypes.data, TileWords.RESIDUAL_ROW: columns * size}
    words |= {TileWords.RESIDUAL_VECTOR: shape.lanes * size, TileWords.AHEAD_LAST: b.ctypes.data}
    lines = {TileWords.SLOPE: 0.5, TileWords.SHIFT: 1, TileWords.SCALE: 0.25, TileWords.OFFSET: 3}
    words |= {word: bits(number, real.__name__) for word, number in lines.items()}
    slopes = np.arange(-2, columns - 2, dtype=real) / 8
    words |= {TileWords.SLOPES: slopes.ctypes.data}
    for word, value in words.items():
        descriptor[word] = value
    made.call(kernel.name, a, b, tile, kernel.half * PITCH * size, descriptor, b)
    expected = {
        Mode.STORE: sums,
        Mode.ADD: sums + before,
        Mode.FINISH: np.clip(sums + bias + residual, -20, 30),
        Mode.LIMIT: np.clip(sums + bias, -20, 30),
        Mode.GATE: (sums + bias) * np.clip((sums + bias) * 0.5 + 1, -20, 30) * 0.25 + 3,
        Mode.LEAK: (sums + bias) * np.where(sums + bias < 0, slopes, 1),
    }[mode]
    assert np.array_equal(tile, expected)


@pytest.mark.parametrize("mode", [Mode.GATE, Mode.LEAK])
def test_convolutions_of_floats_alone_ask_for_more_than_limits(mode: Mode) -> None:
    kernels = [MicroKernel(shape_of(dtype), 5, 2) for dtype in FLOATS]
    assert [mode in kernel.modes for kernel in kernels] == [dtype == "f32" for dtype in FLOATS]
    assert mode not in MicroKernel(shape_of("f32"), 5, 2, differs=True).modes


@pytest.mark.parametrize("rows", [1, 5])
def test_one_tile_makes_a_difference_of_weights_for_others(rows: int) -> None:
    shape = shape_of("f32")
    kernel = MicroKernel(shape, rows, 2, differs=True)
    made = Made(lambda module: define(module, kernel))
    rng, columns = np.random.default_rng(rows), 2 * shape.lanes
    a = guarded(rng.integers(-4, 5, (rows, PITCH)).astype(np.float32))
    steps = PITCH - 1
    b, other = (guarded(rng.integers(-4, 5, (steps, columns)).astype(np.float32), align=64) for _ in range(2))
    kept, tile = guarded(np.zeros_like(b), align=64), guarded(np.zeros((rows, columns), np.float32))
    table, descriptor = np.array([0, steps, 0]), np.zeros(len(TileWords), np.int64)
    words = {
        TileWords.TABLE: table.ctypes.data,
        TileWords.ENTRIES: 1,
        TileWords.ROW: PITCH * 4,
        TileWords.MODE: Mode.STORE,
        TileWords.TILE_ROW: columns * 4,
        TileWords.TILE_VECTOR: shape.lanes * 4,
        TileWords.AHEAD_LAST: b.ctypes.data,
        TileWords.OTHER: other.ctypes.data - b.ctypes.data,
        TileWords.KEPT: kept.ctypes.data - b.ctypes.data,
    }
    for word, value in words.items():
        descriptor[word] = value
    made.call(kernel.name, a, b, tile, kernel.half * PITCH * 4, descriptor, b)
    assert np.array_equal(kept, b - other)
    assert np.array_equal(tile, a[:, :steps] @ (b - other))


@pytest.mark.parametrize("target", isa.TARGETS, ids=lambda t: t.name)
def test_differences_cost_no_registers_of_sums(target: isa.Target) -> None:
    shape = TileShape.of(Goal(target), "f32")
    for rows in range(1, shape.max_rows + 1):
        module = Module()
        name = define(module, MicroKernel(shape, rows, shape.vectors, differs=True))
        loops = innermost_loops(engine.assembly(module.part(name), target))
        spilled = [line for loop in loops for line in loop if "(%rsp)" in line]
        assert not [line for line in spilled if "mm" in line], rows
        assert len(spilled) <= 1, "how far to prefetch ahead is added from memory once a turn"


def test_a_second_half_may_lie_elsewhere() -> None:
    kernel = MicroKernel(shape_of("f32"), 5, 1)
    assert kernel.half == 3
    names = {MicroKernel(shape_of("f32"), 2, 1, p, s).name for p in (1, 2, 4) for s in (1, 2)}
    assert len(names) == 6


@pytest.mark.parametrize(
    ("features", "takes"),
    [(("avx512vnni",), ("vpmaddwd", "vpaddd")), (("avx512vnni", "fast-dpwssd"), ("vpdpwssd",))],
    ids=["Intel", "AMD"],
)
def test_pairs_of_numbers_are_multiplied_and_added_by_what_is_fastest(
    features: tuple[str, ...], takes: tuple[str, ...]
) -> None:
    goal = Goal(isa.with_features(isa.V4, features))
    shape = TileShape.of(goal, "i16")
    module = Module()
    name = define(module, MicroKernel(shape, shape.max_rows, shape.vectors))
    compiled_for = isa.with_features(isa.V4, goal.tile("i16").features)
    loops = innermost_loops(engine.assembly(module.part(name), compiled_for))
    counts = {
        word: max(sum(word in line for line in loop) for loop in loops)
        for word in ("vpmaddwd", "vpaddd", "vpdpwssd")
    }
    each = UNROLL * shape.max_rows * shape.vectors
    assert counts == {word: each if word in takes else 0 for word in counts}
    assert not [line for loop in loops for line in loop if "(%rsp)" in line and "mm" in line]
