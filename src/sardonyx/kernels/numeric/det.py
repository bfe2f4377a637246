"""Determinants of matrices by elimination with row exchanges, in double precision."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import Calls
from sardonyx.kernels.numeric.elimination import Elimination, elimination_call
from sardonyx.llvm.vec import V, float_, int_


def det_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call for all matrices; each is eliminated in a thread's scratch."""
    yield elimination_call(group, places, goal, 1, _determinant)


def _determinant(e: Elimination, number: V, first: V) -> None:
    """The product of the pivots."""
    f, matrix = e.f, e.matrix
    with f.loop(int_(0), e.size) as row:
        e.load_row(f.add(first, f.mul(row.index, e.size)), row.index)
    with f.loop(int_(0), e.size, 1, [float_(1.0, "double")]) as step:
        pivot = matrix.exchange(step.index)
        below = f.add(step.index, int_(1))
        matrix.eliminate(step.index, below, f.select(matrix.is_regular(step.index), e.size, below))
        step.next(f.binary("fmul", step.carried[0], pivot))
    e.access.store_double(step.carried[0], e.y, number)
