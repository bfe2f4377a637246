"""What is written once is what would be written for each kernel alone: its text, and what its words mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.emit.nest import Writer, emit
from sardonyx.fuse.partition import partition
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Expr,
    Kernel,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Statement,
)
from sardonyx.targets.x86_64 import isa
from tests.unit.emit.test_tile import turned
from tests.unit.emit.test_window import depthwise
from tests.unit.loops.drawn import draw
from tests.unit.loops.nests import kernels_of

N, M = dims.symbol("n"), dims.symbol("m")
EXTENTS: tuple[Dim, ...] = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 129, 256),
    *(320, 1000, 1024, 1025, 2047, 2048, 4096, N, M, 3 * N),
)
STEPS: tuple[Dim, ...] = (-65, -1, 0, 1, 2, 3, 4, 5, 8, 16, 63, 64, 65, 100, 4096, N, 3 * N)
ROUNDS = 12


def resized(kernel: Kernel, rng: np.random.Generator, extents: float = 0.6, steps: float = 0.6) -> Kernel:
    """The same nest, where extents and steps are others with so much probability.

    Rows that are held in registers stay as long.
    """
    fixed = kernel.cross if kernel.cross not in kernel.outer else None
    changed: dict[Axis, Axis] = {}

    def other(old: Dim, sizes: tuple[Dim, ...], probability: float) -> Dim:
        return sizes[int(rng.integers(len(sizes)))] if rng.random() < probability else old

    def axis(old: Axis) -> Axis:
        if old not in changed:
            extent = old.extent if old is fixed else other(old.extent, EXTENTS, extents)
            changed[old] = Axis(old.name, extent)
        return changed[old]

    def affine(at: Affine) -> Affine:
        terms = tuple(
            (axis(a), f if a is kernel.vector and f == 1 else other(f, STEPS, steps)) for a, f in at.terms
        )
        return Affine(other(at.const, STEPS, steps), terms)

    return rebuilt(kernel, axis, affine)


def rebuilt(kernel: Kernel, axis: Callable[[Axis], Axis], affine: Callable[[Affine], Affine]) -> Kernel:
    """The same nest with other axes and affine forms."""
    new: dict[int, Expr] = {}

    def axes(old: Iterable[Axis]) -> tuple[Axis, ...]:
        return tuple(map(axis, old))

    def picks(old: Iterable[Pick]) -> tuple[Pick, ...]:
        return tuple(Pick(expr(pick.index), pick.stride, pick.extent) for pick in old)

    def expr(old: Expr) -> Expr:
        if id(old) not in new:
            new[id(old)] = made(old)
        return new[id(old)]

    def made(old: Expr) -> Expr:
        match old:
            case Load():
                return Load(old.buffer, affine(old.at), old.dtype, picks(old.picks))
            case Position():
                return Position(affine(old.at), old.dtype)
            case Apply():
                return Apply(old.prim, tuple(map(expr, old.args)), old.dtype)
            case Reduced():
                return Reduced(old.name, old.dtype, frozenset(axes(old.axes)))
        return old

    def statement(old: Statement) -> Statement:
        changed = {"axes": axes(old.axes), "expr": expr(old.expr)}
        if isinstance(old, Reduce):
            return replace(old, result=expr(old.result), **changed)  # type: ignore[arg-type]
        return replace(old, at=affine(old.at), picks=picks(old.picks), **changed)  # type: ignore[arg-type]

    body = tuple(map(statement, kernel.body))
    ends = (None if a is None else axis(a) for a in (kernel.vector, kernel.cross))
    return Kernel("k", axes(kernel.outer), body, (), kernel.form, *ends, kernel.serial)


def is_reused(kernels: Sequence[Kernel], target: Target) -> bool:
    """Whether some kernels share what was written; each that does has what would be written for it."""
    writer, texts = Writer(target), set[int]()
    for kernel in kernels:
        found = writer.emit(kernel)
        assert id(found.ir) not in texts or found == emit(kernel, target)
        texts.add(id(found.ir))
    return len(texts) < 0.9 * len(kernels)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_reused_texts_are_those_that_would_be_written(target: Target, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernels = []
    for number in range(seed, seed + 20):
        graph, _ = draw(number, 1 + number % 5, symbolic=number % 3 == 2)
        for kernel in kernels_of(partition(graph), target):
            kernels += [kernel, *(resized(kernel, rng) for _ in range(ROUNDS))]
    assert is_reused(kernels, target)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize("taps", [(3, 3), (5, 5), (1, 7)])
def test_windows(target: Target, taps: tuple[int, int]) -> None:
    rng, (kernel, _) = np.random.default_rng(taps), depthwise(5, 12, 4096, 1024, taps, 2)
    assert is_reused([kernel, *(resized(kernel, rng, 0.3, 0.03) for _ in range(100))], target)


@pytest.mark.parametrize("target", [isa.V3, isa.V4], ids=lambda t: t.name)
@pytest.mark.parametrize("dear", [False, True])
def test_squares(target: Target, dear: bool) -> None:
    rng, (kernel, _, _) = np.random.default_rng(dear), turned(32, 48, dt.F32, dear)
    assert is_reused([kernel, *(resized(kernel, rng) for _ in range(100))], target)
