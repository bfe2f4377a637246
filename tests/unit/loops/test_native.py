"""Native loop kernels give what the graph means: guarded memory, odd and empty sizes, every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, make, map_, scalar
from tests.runnable import examples, runnable_targets
from tests.tolerance import difference
from tests.unit.loops.drawn import EVERY_TYPE, draw
from tests.unit.loops.nests import KernelError, Native, graph_of, inputs_like

Array = np.ndarray[Any, Any]
Build = Callable[..., Value]
TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
LENGTH = 20_000
# Less than a vector, a vector and a rest, several vectors and a rest.
FEW_SIZES = (1, 17, 65)
SIZES = (*FEW_SIZES, 15, 16, 64, 200)
# Nothing, squares and rests of squares on both axes, fewer columns than a square has.
FEW_MATRICES = ((0, 5), (17, 33), (64, 3))
MATRICES = (*FEW_MATRICES, (1, 1), (16, 16), (3, 40), (5, 100), (31, 8), (8, 32), (2, 7), (10, 30))
ONE_OF_EACH_SIZE = (dt.F64, dt.F32, dt.F16, dt.BOOL)


def some(few: Sequence[DType], every: Sequence[DType], quick: object, whole: object) -> list[Any]:
    """`few` types with the whole of something, the others with part of it; with the whole in slow tests."""
    others = [dtype for dtype in every if dtype not in few]
    return [
        *(pytest.param(dtype, whole, id=f"{dtype}") for dtype in few),
        *(pytest.param(dtype, quick, id=f"{dtype}-few") for dtype in others),
        *(pytest.param(dtype, whole, id=f"{dtype}", marks=pytest.mark.slow) for dtype in others),
    ]


def check(build: Build, arrays: Sequence[Array], target: Target, *, symbolic: bool = False) -> None:
    """The kernels of what `build` makes of inputs like the arrays agree with numpy on any thread count."""
    values = inputs_like(arrays, symbolic)
    graph = graph_of([build(*values)], values)
    expected = run(graph, arrays)[0]
    native = Native(graph, target)
    alone = native.run(arrays)[0]
    wrong = difference(alone, expected, LENGTH)
    assert wrong is None, f"{[a.shape for a in arrays]} {arrays[0].dtype}: {wrong}"
    for threads in (2, 5):
        assert native.run(arrays, threads)[0].tobytes() == alone.tobytes(), (
            f"{threads} threads differ from one"
        )


def numbers(rng: np.random.Generator, shape: Sequence[int], dtype: DType = dt.F32) -> Array:
    if dtype.is_float:
        return rng.standard_normal(shape).astype(dtype.numpy)
    low, high = (0, 2) if dtype is dt.BOOL else (0 if dtype.kind == "u" else -100, 100)
    return rng.integers(low, high, shape).astype(dtype.numpy)


@TARGETS
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.slow if n % 4 else ()) for n in range(0, 60, 3)]
)
def test_drawn_graphs(target: Target, seed: int) -> None:
    for number in range(seed, seed + 3):
        graph, arrays = draw(number, 1 + number % 7, symbolic=number % 3 == 2, empty=number % 5 == 4)
        native = Native(graph, target)
        for threads in (1, 3):
            for actual, expected in zip(native.run(arrays, threads), run(graph, arrays), strict=True):
                wrong = difference(actual, expected, LENGTH)
                assert wrong is None, f"seed {number}, {threads} threads: {wrong}"


@TARGETS
@pytest.mark.parametrize(("dtype", "shapes"), some(ONE_OF_EACH_SIZE, EVERY_TYPE, FEW_MATRICES, MATRICES))
def test_transposes(
    target: Target, dtype: DType, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> None:
    for shape in shapes:
        check(lambda x: x.transpose(1, 0), [numbers(rng, shape, dtype)], target)
    check(lambda x: x.transpose(1, 0), [numbers(rng, (18, 37), dtype)], target, symbolic=True)
    for perm in ((2, 1, 0), (0, 2, 1), (1, 2, 0)):
        check(lambda x, p=perm: x.transpose(*p), [numbers(rng, (3, 21, 18), dtype)], target)


@TARGETS
def test_maps_fused_with_a_transpose(target: Target, rng: np.random.Generator) -> None:
    x, y, z = numbers(rng, (2, 40, 19)), numbers(rng, (2, 19, 40)), numbers(rng, (1, 1, 40))
    check(lambda a, b: (a.transpose(0, 2, 1) + b).max(0.0), [x, y], target)
    check(lambda a, b: (a.transpose(0, 2, 1) + b).tanh().exp(), [x, y], target)
    check(lambda a, b, c: (a + b.transpose(0, 2, 1)).transpose(0, 2, 1) * c, [x, y, z], target)
    check(lambda a, b: (a * a + a.sigmoid()).transpose(0, 2, 1) * b, [x, y], target, symbolic=False)


@TARGETS
@pytest.mark.parametrize("channels", [16, 24, 48])
def test_blocked_layout_and_back(target: Target, channels: int, rng: np.random.Generator) -> None:
    def block(x: Value) -> Value:
        n, c, h, w = x.shape
        assert isinstance(c, int)
        blocks = -(-c // 16)
        padded = x.pad((0, 0, 0, 0), (0, blocks * 16 - c, 0, 0))
        return padded.reshape((n, blocks, 16, h, w)).transpose(0, 1, 3, 4, 2)

    def unblock(x: Value) -> Value:
        n, b, h, w, c = x.shape
        return x.transpose(0, 1, 4, 2, 3).reshape((n, b * c, h, w)).slice((0, 0, 0, 0), (n, channels, h, w))

    for high, wide in ((7, 7), (5, 16), (1, 1)):
        check(block, [numbers(rng, (2, channels, high, wide))], target)
        check(unblock, [numbers(rng, (2, -(-channels // 16), high, wide, 16))], target)


@TARGETS
@pytest.mark.parametrize("lines", [(1, 16, 129), pytest.param((7, 40), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize(
    "count", [1, 2, 3, 4, 8, 16, *(pytest.param(n, marks=pytest.mark.slow) for n in (5, 7, 10))]
)
def test_short_rows(target: Target, count: int, lines: tuple[int, ...], rng: np.random.Generator) -> None:
    for rows in lines:
        x = numbers(rng, (rows, count))
        check(softmax, [x], target)
        check(lambda v: v.transpose(1, 0) * 2.0, [x], target)
        check(lambda v: v.reduce_max(1), [x], target)
        check(softmax, [x], target, symbolic=rows > 1)
    wide = numbers(rng, (40, count + 3))
    check(lambda v: softmax(v.slice((0, 1), (40, count))), [wide], target)
    narrow = numbers(rng, (1, count, 50)).astype(np.float64)
    check(lambda v: softmax(v.transpose(0, 2, 1)), [narrow], target)


@TARGETS
@pytest.mark.parametrize(
    "counts", [(1, 16, 17, 70), pytest.param((2, 15, 33), marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize("step", [2, 3, 4, 5, -1, -2])
def test_elements_apart(target: Target, step: int, counts: tuple[int, ...], rng: np.random.Generator) -> None:
    each = examples(2, 1)
    for number, dtype in enumerate((dt.F32, dt.F64, dt.U8, dt.I16, dt.BOOL)):
        for count in counts[(number + step) % each :: each]:
            size = (count - 1) * abs(step) + 1
            start = size - 1 if step < 0 else 0
            x = numbers(rng, (3, size), dtype)
            check(lambda v, s=start, n=count: v.slice((0, s), (3, n), (1, step)), [x], target)


@TARGETS
@pytest.mark.parametrize(
    ("dtype", "sizes"), some([dt.F32], (dt.F64, dt.I64, dt.I32, dt.I8, dt.U8), FEW_SIZES, SIZES)
)
def test_reductions(target: Target, dtype: DType, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    prims = ("sum", "rmax", "rmin", "prod")
    for size, prim in product(sizes, prims):
        if prim == "prod" and dtype.is_float and size > 65:
            continue
        x = numbers(rng, (3, size), dtype)
        for axes in ((0,), (1,), (0, 1)):
            check(lambda v, p=prim, a=axes: v.reduce(p, a), [x], target)
    x = numbers(rng, (2, 3, 7, 5, 16), dtype)
    for axes in ((2, 3), (0, 4), (1,), (1, 2, 3, 4)):
        check(lambda v, a=axes: v.reduce("sum", a), [x], target)
    check(lambda v: v.reduce("sum", (0,)), [numbers(rng, (9, 150), dtype)], target, symbolic=True)


def softmax(x: Value, axis: int = -1) -> Value:
    e = (x - x.reduce_max(axis)).exp()
    return e / e.sum(axis)


@TARGETS
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax(target: Target, axis: int, rng: np.random.Generator) -> None:
    for shape in ((2, 3, 5), (4, 21, 33), (1, 40, 64), (20, 2, 17), (3, 70, 1)):
        for symbolic in (False, True):
            check(lambda x: softmax(x, axis), [numbers(rng, shape)], target, symbolic=symbolic)
    check(lambda x: softmax(x, axis), [numbers(rng, (3, 20, 40), dt.F64)], target)


@TARGETS
def test_kept_values(target: Target, rng: np.random.Generator) -> None:
    """Rows are kept in the output, in scratch memory, or in both."""

    def expensive_twice(x: Value) -> Value:
        t = x.tanh().sigmoid()
        e = (t - t.reduce_max(-1)).exp()
        return e / e.sum(-1)

    def log_sum(x: Value) -> Value:
        e = (x - x.reduce_max(-1)).exp()
        return e.sum(-1).log() + e.reduce("rmax", (x.rank - 1,))

    def norm(x: Value, g: Value) -> Value:
        d = x.tanh() - x.tanh().mean(-1)
        return d / ((d * d).mean(-1) + 1e-5).sqrt() * g

    for shape in ((5, 40), (3, 100), (2, 300)):
        for symbolic in (False, True):
            check(expensive_twice, [numbers(rng, shape)], target, symbolic=symbolic)
            check(log_sum, [numbers(rng, shape)], target, symbolic=symbolic)
        check(norm, [numbers(rng, shape), numbers(rng, (1, shape[1]))], target)


@TARGETS
def test_pools_and_depthwise(target: Target, rng: np.random.Generator) -> None:
    for high, wide in ((5, 5), (9, 30), (4, 17)):
        x = numbers(rng, (2, 3, high, wide, 16))
        for stride in (1, 2):
            views = lambda v, s=stride: v.window((2, 3), (3, 3), (s, s), (1, 1))  # noqa: E731
            check(lambda v, w=views: w(v).reduce_max(5, 6), [x], target)
        weights = numbers(rng, (1, 3, 1, 1, 3, 3, 16))
        check(
            lambda v, w: (v.window((2, 3), (3, 3), (1, 1), (1, 1)).transpose(0, 1, 2, 3, 5, 6, 4) * w).sum(
                4, 5
            ),
            [x, weights],
            target,
        )
        plain = numbers(rng, (2, 5, high, wide + 20))
        check(lambda v: v.window((2, 3), (2, 2), (2, 2), (1, 1)).reduce_max(4, 5), [plain], target)


@TARGETS
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (3, 0, 4)], ids=str)
def test_empty_sizes(target: Target, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = numbers(rng, shape)
    check(lambda v: v * 2.0, [x], target)
    check(lambda v: v.transpose(*reversed(range(v.rank))), [x], target)
    for axis in range(len(shape)):
        check(lambda v, a=axis: v.sum(a), [x], target)
        check(lambda v, a=axis: softmax(v, a) if shape[a] else v, [x], target)


# ---- errors


@TARGETS
@pytest.mark.parametrize("wrong", [5, -6, 1 << 40])
def test_an_index_out_of_range_is_reported(target: Target, wrong: int, rng: np.random.Generator) -> None:
    x = numbers(rng, (5, 33))
    for axis, count in product((0, 1), (1, 3, 40)):
        index = np.zeros(count, np.int64)
        index[-1] = wrong if axis == 0 else wrong * 33
        values = inputs_like([x, index])
        native = Native(graph_of([values[0].gather(values[1], axis)], values), target)
        with pytest.raises(KernelError) as failure:
            native.run([x, index])
        assert (failure.value.code, failure.value.detail0) == (1, index[-1])
        assert failure.value.detail1 == x.shape[axis]


@TARGETS
def test_an_axis_without_elements_is_not_read(target: Target) -> None:
    for shape, axis in (((0, 4), 0), ((4, 0), 1), ((0,), 0)):
        x, index = np.zeros(shape, np.float32), np.zeros(20, np.int64)
        values = inputs_like([x, index])
        native = Native(graph_of([values[0].gather(values[1], axis)], values), target)
        if np.prod([n for a, n in enumerate(shape) if a != axis]):
            with pytest.raises(KernelError):
                native.run([x, index])


@TARGETS
def test_division_by_zero_is_reported_where_there_is_one(target: Target) -> None:
    x, y = np.arange(40, dtype=np.int32), np.ones(40, np.int32)
    y[17] = 0
    values = inputs_like([x, y])
    native = Native(graph_of([values[0] / values[1]], values), target)
    with pytest.raises(KernelError) as failure:
        native.run([x, y])
    assert failure.value.code == 2
    check(lambda a, b: a / b, [x, np.where(y == 0, 3, y)], target)


@TARGETS
def test_nothing_fails_in_loops_without_points(target: Target) -> None:
    x = np.zeros((3, 0), np.int32)
    zero = np.zeros((3, 1), np.int32)
    values = inputs_like([x, zero], symbolic=True)
    quotient = scalar(7, dt.I32) / values[1]
    for y in ((values[0] * quotient.broadcast(values[0].shape)).sum(1), values[0] + quotient):
        native = Native(graph_of([y], values), target)
        assert not native.run([x, zero])[0].any()


# ---- threads


@TARGETS
def test_small_kernels_run_on_one_thread(target: Target, rng: np.random.Generator) -> None:
    x = numbers(rng, (3, 20))
    values = inputs_like([x])
    native = Native(graph_of([values[0] * 2.0], values), target)
    assert np.all(native.run([x], 4, only=0)[0] == x * 2)


@TARGETS
def test_every_thread_has_work(target: Target, rng: np.random.Generator) -> None:
    """Leading axes that are short or of unknown size do not leave threads idle."""
    for shape in ((1, 2, 3000), (3, 5000), (1, 4, 64, 64), (70, 300)):
        x = numbers(rng, shape)
        for symbolic in (False, True):
            values = inputs_like([x], symbolic)
            native = Native(graph_of([values[0].tanh() + values[0].exp()], values), target)
            whole = native.run([x], 4)[0]
            for tid in range(4):
                part = native.run([x], 4, only=tid)[0]
                share = np.mean(part.view(np.uint32) == whole.view(np.uint32))
                assert 0.15 < share < 0.4, f"{shape}: thread {tid} has {share:.0%}"


@TARGETS
def test_scatters(target: Target, rng: np.random.Generator) -> None:
    x, updates = numbers(rng, (7, 20)), numbers(rng, (5, 20))
    index = rng.integers(-7, 7, (5, 20))
    for how in ("none", "add", "mul", "max", "min"):
        attrs = {"axis": 0, "reduction": how}
        check(
            lambda a, i, u, at=attrs: make("scatter_elements", (a, i, u), at, a.dtype, a.shape),
            [x, index, updates],
            target,
        )


@TARGETS
def test_comparisons_keep_nan(target: Target) -> None:
    x = np.array([np.nan, 1, -1, np.inf, -np.inf, 0] * 9, np.float32)
    for prim in ("rmax", "rmin", "sum"):
        check(lambda v, p=prim: v.reduce(p, (0,)), [x], target)
        check(lambda v, p=prim: v.reduce(p, (0,)), [x[1:2].repeat(70)], target)
    check(lambda v: map_("max", v, scalar(0.5, dt.F32)), [x], target)
