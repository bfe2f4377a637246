"""Inverses of matrices by Gauss-Jordan elimination with row exchanges, in double precision."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Calls
from sardonyx.kernels.numeric.elimination import Elimination, elimination_call
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import V, float_, int_


def inverse_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call for all matrices; each is reduced beside the identity in a thread's scratch."""
    yield elimination_call(group, places, goal, 2, _inverse)


def _inverse(e: Elimination, number: V, first: V) -> None:
    """Clear every column above and below its pivot, then divide by the pivots."""
    del number
    f, matrix = e.f, e.matrix
    _fill(e, first)
    with f.loop(int_(0), e.size) as step:
        matrix.exchange(step.index)
        matrix.eliminate(step.index, int_(0), step.index)
        matrix.eliminate(step.index, f.add(step.index, int_(1)), e.size)
    _divide(e, first)


def _fill(e: Elimination, first: V) -> None:
    """The matrix, and the identity to its right."""
    f, matrix = e.f, e.matrix
    nothing = int_(0, vector_of("double", matrix.lanes))
    with f.loop(int_(0), e.size) as row:
        e.load_row(f.add(first, f.mul(row.index, e.size)), row.index)
        with f.loop(e.size, matrix.columns, matrix.lanes) as column:
            matrix.store(nothing, row.index, column.index)
        f.store(float_(1.0, "double"), matrix.at(row.index, f.add(row.index, e.size)))


def _divide(e: Elimination, first: V) -> None:
    """Store the right half, each row divided by its pivot."""
    f, matrix = e.f, e.matrix
    with f.loop(int_(0), e.size) as row:
        pivot = Lanes(f, f.splat(matrix.load(row.index, row.index), matrix.lanes))
        to = f.add(first, f.mul(row.index, e.size))
        with f.loop(int_(0), e.size, matrix.lanes) as column:
            quotient = matrix.vector(row.index, f.add(column.index, e.size)) / pivot
            mask = f.tail_mask(f.sub(e.size, column.index), matrix.lanes)
            e.access.store_doubles(quotient.v, e.y, f.add(to, column.index), mask)
