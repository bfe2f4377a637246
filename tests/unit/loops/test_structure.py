"""Kernels of one structure differ in nothing but buffers, names and origins; all else tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import sardonyx
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Bits, number_bits
from sardonyx.fuse.partition import partition
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.loops import Emissions
from sardonyx.loops.lower import lower
from sardonyx.loops.nest import Affine, Axis, Buffer, Kernel, Load, Reduce, Reduced, Store, along
from sardonyx.loops.structure import structure
from sardonyx.targets.x86_64 import isa
from tests.unit.frontend.models import parsed
from tests.unit.loops.nests import graph_of

N = dims.symbol("N")
Formula = Callable[[Value, Value], Value]


def kernel(make: Formula, *shape: dims.Dim, kind: dt.DType = dt.F32) -> Kernel:
    """The one kernel of a formula of two new inputs."""
    x, z = (placeholder(name, kind, shape or (N, 64)) for name in "xz")
    fusion = partition(graph_of([make(x, z)], [x, z]))
    (group,) = fusion.groups
    (found,) = lower(group, fusion.places)
    return found


def plain(x: Value, z: Value) -> Value:
    return (x * 2.0 + z).max(0.0)


OTHERS: dict[str, tuple[Formula, tuple[dims.Dim, ...], dt.DType]] = {
    "another number": (lambda x, z: (x * 3.0 + z).max(0.0), (), dt.F32),
    "a number of many digits": (lambda x, z: (x * 0.7 + z).max(0.0), (), dt.F32),
    "its negative": (lambda x, z: (x * -0.7 + z).max(0.0), (), dt.F32),
    "two such numbers": (lambda x, z: (x * 0.7 + z).max(0.3), (), dt.F32),
    "one number twice": (lambda x, z: (x * 0.7 + z).max(0.7), (), dt.F32),
    "another sign of zero": (lambda x, z: (x * 2.0 + z).max(-0.0), (), dt.F32),
    "another primitive": (lambda x, z: (x * 2.0 + z).min(0.0), (), dt.F32),
    "another order": (lambda x, z: (z + x * 2.0).max(0.0), (), dt.F32),
    "one buffer twice": (lambda x, z: (x * 2.0 + x).max(0.0), (), dt.F32),
    "another size": (plain, (N, 65), dt.F32),
    "another symbol": (plain, (dims.symbol("M"), 64), dt.F32),
    "another type": (plain, (), dt.F64),
    "another rank": (plain, (N, 8, 8), dt.F32),
    "a row repeated": (lambda x, z: (x * 2.0 + z.slice((0, 0), (1, 64))).max(0.0), (), dt.F32),
    "another place": (lambda x, z: (x * 2.0 + z.slice((1, 0), (1, 64))).max(0.0), (), dt.F32),
    "a reduction": (lambda x, z: x * x.sum(1), (), dt.F32),
    "a reduction of another": (lambda x, z: x * z.sum(1), (), dt.F32),
    "another reduction": (lambda x, z: x * x.reduce_max(1), (), dt.F32),
}


def test_equal_kernels_share_a_structure() -> None:
    (key, parts), (again, others) = structure(kernel(plain)), structure(kernel(plain))
    assert key == again
    assert [b.role for b in parts.buffers] == [b.role for b in others.buffers]
    assert not {id(b.key) for b in parts.buffers} & {id(b.key) for b in others.buffers}


def test_all_else_tells_kernels_apart() -> None:
    found = [structure(kernel(make, *shape, kind=kind)) for make, shape, kind in OTHERS.values()]
    found.append(structure(kernel(plain)))
    keys = {(form, parts.sizes, tuple(n.is_positive for n in parts.numbers)) for form, parts in found}
    assert len(keys) == 1 + len(OTHERS)


def test_what_the_result_of_a_reduction_changes_with_is_structure() -> None:
    x, y = Buffer("x", dt.F32, "in", "x"), Buffer("y", dt.F32, "out", "y")
    row, column = Axis("r", 3), Axis("c", 4)
    forms = set()
    for axes in (frozenset[Axis](), frozenset([row]), frozenset([row, Axis("nowhere", 1)])):
        total = Reduced("t", dt.F32, axes)
        load = Load(x, Affine(0, ((row, 4), (column, 1))), dt.F32)
        body = Reduce(total, "sum", (column,), load), Store(y, along(row), (), total)
        forms.add(structure(Kernel("k", (row,), body, ()))[0])
    assert len(forms) == 2


def test_sizes_are_parts() -> None:
    (form, small), (same, large) = structure(kernel(plain, 3, 64)), structure(kernel(plain, 4, 65))
    assert form == same
    assert small.sizes != large.sizes
    assert [axis.extent for axis in large.axes] == [4, 65]


def test_what_is_emitted_once_is_called_over_the_own_buffers() -> None:
    emissions = Emissions(isa.V3)
    first, second = kernel(plain), kernel(plain)
    (a, text), (b, same) = emissions.call(first), emissions.call(second)
    assert text is same
    assert a.symbol == b.symbol
    assert a.plan == b.plan
    fresh, _ = Emissions(isa.V3).call(second)
    assert (b.words, b.reads, b.writes, b.work) == (fresh.words, fresh.reads, fresh.writes, fresh.work)
    assert set(a.reads).isdisjoint(b.reads)


@pytest.mark.parametrize("threads", [1, 2])
def test_repeated_layers_compute_what_each_is_given(threads: int) -> None:
    layers = " ".join(
        f"a{n} = Mul(x{n}, c{n}) b{n} = Add(a{n}, d) m{n} = ReduceMean<axes = [1]>(b{n}) "
        f"x{n + 1} = Sub(b{n}, m{n})"
        for n in range(20)
    )
    random = np.random.default_rng(0)
    scales = random.uniform(0.5, 1.5, (20, 33)).astype(np.float32)
    d = random.standard_normal(33).astype(np.float32)
    inputs = ", ".join(["float[N,33] x0", "float[33] d", *(f"float[33] c{n}" for n in range(20))])
    model = parsed(f"g ({inputs}) => (float[N,33] x20) {{ {layers} }}", 13)
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    x = random.standard_normal((5, 33)).astype(np.float32)
    feeds = {"x0": x, "d": d, **{f"c{n}": c for n, c in enumerate(scales)}}
    (actual,) = sardonyx.InferenceSession(model.SerializeToString(), options).run(None, feeds)
    y = x.astype(np.float64)
    for scale in scales:
        y = y * scale + d
        y = y - y.mean(1, keepdims=True)
    np.testing.assert_allclose(actual, y, rtol=1e-4, atol=1e-4)


def test_constants_of_one_element_are_numbers() -> None:
    keys = {structure(kernel(lambda x, z, c=c: x + z + const(np.float32(c))))[0] for c in (1.0, 2.0, np.nan)}  # type: ignore[misc]
    assert len(keys) == 3


@pytest.mark.parametrize("kind", [dt.F32, dt.F64], ids=str)
def test_numbers_of_many_digits_are_told_in_words(kind: dt.DType) -> None:
    numbers = [(0.1, -0.3), (1.7, -0.9), (1e9 + 1e5, -1e-7)]
    kernels = [kernel(lambda x, z, a=a, b=b: (x * a + z * b).max(a), kind=kind) for a, b in numbers]  # type: ignore[misc]
    emissions = Emissions(isa.V4)
    calls = [emissions.call(k)[0] for k in kernels]
    assert len({call.symbol for call in calls}) == 1
    for call, own in zip(calls, kernels, strict=True):
        assert call.words == Emissions(isa.V4).call(own)[0].words
    assert len({call.words for call in calls}) == len(numbers)
    assert [sum(isinstance(w, Bits) for w in call.words) for call in calls] == [2, 2, 2]


def requantised(x: Value, z: Value, scale: float, before: int, after: int) -> Value:
    """Points to other points: 8 bits, a zero point and a scale, another zero point."""
    real = (x.cast(dt.I32) - before).cast(dt.F32) * scale + z.cast(dt.F32)
    return (real.unary("round") + float(after)).max(-128.0).min(127.0).cast(dt.I8)


@pytest.mark.parametrize(
    "points",
    [[(3, 5), (7, 120), (120, 7)], [(-3, 0), (-128, 0), (-7, -9)], [(9, 9), (8, 8), (9, 8)]],
    ids=str,
)
def test_layers_that_differ_in_zero_points_share_a_function(points: list[tuple[int, int]]) -> None:
    emissions, symbols = Emissions(isa.V4), set()
    for before, after in points:
        own = kernel(lambda x, z, p=(before, after): requantised(x, z, 0.7 + p[0], *p), kind=dt.I8)  # type: ignore[misc]
        call, fresh = emissions.call(own)[0], Emissions(isa.V4).call(own)[0]
        assert call.words == fresh.words
        assert {Bits(before), number_bits(float(after), dt.F32)} <= {*call.words}
        symbols |= {call.symbol, fresh.symbol}
    assert len(symbols) == 1


def test_numbers_of_few_digits_stand_in_the_text() -> None:
    for few in (0.0, -0.0, 1.0, 6.0, -0.5, 255.0, 1 / 64, np.inf, np.nan, 1e-30, 1e30):
        call, _ = Emissions(isa.V4).call(kernel(lambda x, z, few=few: x * few + z))  # type: ignore[misc]
        assert not any(isinstance(w, Bits) for w in call.words)
