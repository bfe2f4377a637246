"""Attention against float64 numpy, on guarded memory: sizes, strides, threads, what each strip is told.

By vectors of each level, and by matrix registers, of the machine or of its model.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.arguments import Attention
from sardonyx.kernels.attention.driver import define_attention
from sardonyx.kernels.attention.layout import Layout
from sardonyx.kernels.library import attention_ir, matrices_ir, matrix_attention_ir
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import need, runnable_targets
from tests.tolerance import MATRIX_BOUNDS, assert_close
from tests.unit.kernels.native import Epilogue, execute, guarded, strides, tile_view
from tests.unit.llvm.registers import Registers, modelled
from tests.unit.objects import compiled, contractions, loaded

Array = np.ndarray[Any, Any]
SIZES = [
    (1, 1, 1, 1),
    (3, 5, 7, 2),
    (14, 16, 8, 16),
    (15, 33, 20, 31),
    (1, 130, 64, 64),
    (70, 48, 16, 33),
    (40, 700, 5, 40),
    (47, 197, 64, 50),
    (16, 3000, 3, 3),
    (20, 0, 4, 4),
    (20, 6, 0, 4),
    (0, 6, 4, 4),
    (20, 6, 4, 0),
]
"""Queries, keys, features of keys, features of values."""
L2_BYTES = 256 << 10
"""Another cache than that of the level whose code all CPUs of a level share."""


@dataclass(frozen=True, slots=True)
class Way:
    """What multiplies: vectors of a target, or matrix registers, which a model may stand for."""

    name: str
    target: Target
    registers: bool
    precision: str = "fp32"
    model: bool = False

    @property
    def goal(self) -> Goal:
        return Goal(need(self.target), Policy(self.precision))

    @property
    def layout(self) -> Layout:
        tile = self.tile
        return Layout.of_registers(self.goal, tile) if tile else Layout.of_vectors(self.goal)

    @property
    def tile(self) -> MatrixTile | None:
        if not self.registers:
            return None
        goal = Goal(isa.with_features(isa.V4, _FEATURES), Policy(self.precision))
        tile = goal.find_matrix("f32", everywhere=True)
        assert tile
        return tile


_FEATURES = {feature for tile in isa.V4.matrices for feature in tile.features}
WAYS = [Way(target.name, target, registers=False) for target in runnable_targets()]
for _precision in ("fp32", "bf16"):
    _machine = isa.with_features(isa.V4, _FEATURES)
    WAYS.append(Way(f"registers {_precision}", _machine, registers=True, precision=_precision))
    WAYS.append(Way(f"model {_precision}", isa.V4, registers=True, precision=_precision, model=True))
EACH = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
_MOST_MODELLED = 150
"""Keys up to which a model of registers is quick."""


def each_with(sizes: list[tuple[int, int, int, int]]) -> pytest.MarkDecorator:
    """Every way with all sizes; those that take a model of registers seconds are slow tests."""
    pairs = [(way, size) for way in WAYS for size in sizes]
    slow = [way.model and size[1] > _MOST_MODELLED for way, size in pairs]
    cases = [
        pytest.param(*pair, marks=[pytest.mark.slow] * is_slow, id=f"{pair[0].name}-{pair[1]}")
        for pair, is_slow in zip(pairs, slow, strict=True)
    ]
    return pytest.mark.parametrize(("way", "sizes"), cases)


_models: list[Any] = []


@cache
def image(way: Way) -> LoadedImage:
    goal, tile = way.goal, way.tile
    target = goal.target
    own = [attention_ir(goal)]
    if tile:
        own = [matrix_attention_ir(tile, goal), matrices_ir(tile, goal)]
    codes = contractions(goal)
    if way.model:
        registers = Registers()
        codes += [engine.compile_object(modelled(text, _models, registers), target) for text in own]
    else:
        codes += [compiled(text, target) for text in own]
    return loaded(codes, target)


class Drawn:
    """Two times three heads; rows of scores become their shares of a sum of squares plus one.

    The rows of a head may be those of several `heads` of shares.
    """

    def __init__(self, sizes: tuple[int, int, int, int], *, turned: bool = False, heads: int = 1) -> None:
        m, t, d, e = self.sizes = sizes
        self.rows_of_shares = m // heads
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> Array:
            laid = (2, 3, shape[1], shape[0]) if turned else (2, 3, *shape)
            array = guarded(rng.standard_normal(laid).astype(np.float32))
            return array.swapaxes(2, 3) if turned else array

        self.q, self.k, self.v = draw(m, d), draw(d, t), draw(t, e)
        self.y = guarded(np.full((2, m, 3, e), 77, np.float32)).swapaxes(1, 2)
        self.seen = np.zeros((6 * heads, self.rows_of_shares), int)

    def rows(self, tile: int, pitch: int, words: int, coords: int, count: int, columns: int) -> None:
        head, first = (ctypes.c_int64 * 2).from_address(coords)
        assert ctypes.c_int64.from_address(words).value == 4711
        assert columns == self.sizes[1]
        assert first + count <= self.rows_of_shares
        self.seen[head, first : first + count] += 1
        scores = tile_view(tile, pitch, count, columns, "float32")
        with np.errstate(invalid="ignore"):
            scores[...] = scores / (1 + (scores * scores).sum(1, keepdims=True))

    def words(self) -> Array:
        m, t, d, e = self.sizes
        args = np.zeros(Attention.EPILOGUE_WORDS + 1, np.int64)
        args[Attention.EPILOGUE_WORDS] = 4711
        self.kept = Epilogue(self.rows)
        args[Attention.ROWS] = ctypes.cast(self.kept, ctypes.c_void_p).value or 0
        args[Attention.BATCH0 : Attention.BATCH1 + 1] = 2, 3
        args[Attention.M : Attention.E + 1] = m, t, d, e
        args[Attention.L2_BYTES] = L2_BYTES
        args[Attention.S] = self.rows_of_shares
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

    def run(self, way: Way, threads: int = 1) -> Array:
        machine = replace(way.goal.target, l2_bytes=L2_BYTES)
        size = way.layout.scratch_bytes(machine, *self.sizes[1:])
        assert isinstance(size, int)
        address = image(way).address(way.layout.symbol)
        execute(address, self.words(), guarded(np.zeros(size, np.uint8), align=64), threads)
        return self.y

    def exactly(self) -> Array:
        q, k, v = (x.astype(np.float64) for x in (self.q, self.k, self.v))
        with np.errstate(invalid="ignore"):
            scores = q @ k
            result: Array = (scores / (1 + (scores * scores).sum(-1, keepdims=True))) @ v
        return result.astype(np.float32)


def check(way: Way, got: Array, exact: Array, length: int) -> None:
    """As near as vectors come, or as what the matrix registers of both products promise."""
    numbers = np.isfinite(exact)
    assert np.array_equal(np.isfinite(got), numbers)
    if way.tile is None:
        assert_close(got, exact, length)
    elif numbers.any():
        apart, largest = np.sqrt(np.mean((got[numbers] - exact[numbers]) ** 2)), np.abs(exact[numbers]).max()
        assert apart <= MATRIX_BOUNDS[way.tile.name] * largest


@each_with(SIZES)
def test_rows_go_through_both_products(way: Way, sizes: tuple[int, int, int, int]) -> None:
    drawn = Drawn(sizes)
    check(way, drawn.run(way), drawn.exactly(), sum(sizes))
    assert (drawn.seen == bool(sizes[1] and sizes[3])).all(), "each row of scores once"


@each_with([(15, 33, 20, 31), (6, 130, 64, 64), (72, 48, 16, 33)])
def test_heads_of_shares_are_told_apart_where_some_share_keys(
    way: Way, sizes: tuple[int, int, int, int]
) -> None:
    for threads in (1, 2):
        drawn = Drawn(sizes, heads=3)
        check(way, drawn.run(way, threads), drawn.exactly(), sum(sizes))
        assert (drawn.seen == 1).all()


@each_with(SIZES[3:7])
def test_operands_may_lie_turned(way: Way, sizes: tuple[int, int, int, int]) -> None:
    drawn = Drawn(sizes, turned=True)
    check(way, drawn.run(way), drawn.exactly(), sum(sizes))


@EACH
@pytest.mark.parametrize("threads", [2, 5, 200])
def test_threads_share_rows(way: Way, threads: int) -> None:
    drawn = Drawn((20, 40, 8, 24))
    check(way, drawn.run(way, threads), drawn.exactly(), 64)
    assert (drawn.seen == 1).all()


@EACH
def test_what_is_missing_in_keys_stays_out(way: Way) -> None:
    drawn = Drawn((30, 17, 4, 9))
    drawn.q[1, 2, 29] = np.nan
    result = drawn.run(way)
    assert np.isnan(result[1, 2, 29]).all()
    assert np.isnan(result).sum() == 9


@EACH
@pytest.mark.parametrize("operand", ["q", "k", "v"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_infinity_and_nan_stay_where_they_belong(way: Way, operand: str, special: float) -> None:
    drawn = Drawn((40, 36, 33, 20))
    getattr(drawn, operand)[1, 0, 17, 13] = special
    check(way, drawn.run(way), drawn.exactly(), 128)


@EACH
def test_the_largest_numbers_are_not_rounded_to_infinity(way: Way) -> None:
    drawn = Drawn((20, 20, 20, 20))
    drawn.v[0, 1, 3, 5] = np.finfo(np.float32).max
    assert np.isfinite(drawn.run(way)).all()


def test_the_function_is_written_once_a_module() -> None:
    module = Module()
    define_attention(module, Goal(runnable_targets()[0]))
    assert module.text().count("define void @sdx_attention_f32") == 1
