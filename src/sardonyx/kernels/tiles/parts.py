"""Rows of A, and steps of a panel of B, cut into the three parts of floats that are side by side in pairs.

What is infinite or NaN is so in its first part and NaN in the others. The numbers of a step are in the order
0, 16, 1, 17 and so on, of rows of A as of columns of B. Must not know what the matrices are used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.kernels.tiles.pairs import FLOATS, LANES, joined, remainder
from sardonyx.llvm.vec import Function, Module, V, int_

PARTS = 3
"""Those that all of a float is cut into."""

_SIDE_BY_SIDE = 2

ROW_BYTES = ACROSS * LANES * 4
"""Bytes of a row of a panel of floats."""


def step_bytes(shape: MatrixShape) -> int:
    """Bytes of one step of a panel of floats."""
    return shape.k_step * ROW_BYTES


def cut(f: Function, low: V, high: V) -> Iterator[V]:
    """The parts of two vectors of floats, side by side in pairs."""
    for number in range(PARTS):
        yield joined(f, low, high)
        if number < PARTS - 1:
            low, high = remainder(f, low), remainder(f, high)


def cut_pair(f: Function, shape: MatrixShape, source: V, to: V, number: int) -> None:
    """Cut the rows `number` and LANES + `number` of a step of a panel of floats into a step of registers."""
    for column in range(ACROSS):
        at = number * ROW_BYTES + column * LANES * 4
        low, high = (
            f.load(f.gep(source, int_(at + n * LANES * ROW_BYTES), "i8"), FLOATS)
            for n in range(_SIDE_BY_SIDE)
        )
        into = column * shape.register_bytes + number * shape.tile.row_bytes
        for part, value in enumerate(cut(f, low, high)):
            f.store(value, f.gep(to, int_(into + part * ACROSS * shape.register_bytes), "i8"))


def define_cut_step(module: Module, shape: MatrixShape) -> str:
    """Add `void @name(ptr to, ptr from)`, which cuts a step of a panel; returns the name."""
    name = f"cut_step_{shape.tile.name}"
    if not module.has(name):
        params = [("to", "ptr"), ("from", "ptr")]
        f = Function(module, name, params, internal=True, attributes="nounwind noinline")
        for number in range(LANES):
            cut_pair(f, shape, f.params[1], f.params[0], number)
        f.ret()
        f.finish()
    return name


def define_cut_rows(module: Module, shape: MatrixShape) -> str:
    """Add `void @name(ptr to, ptr from, i64 rows, i64 columns, ptr strides)`; returns the name.

    Each row is written in whole steps, with zeros behind its columns. `strides` holds bytes: between rows of
    `to`, between its planes, and between rows of `from`, whose columns are contiguous floats.
    """
    name = f"cut_rows_{shape.tile.name}"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), ("rows", "i64"), ("columns", "i64"), ("strides", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, rows, columns, strides = f.params
    pitch, plane, row_bytes = (f.word(strides, n) for n in range(3))
    planes = [f.mul(plane, int_(n)) for n in range(PARTS)]
    whole = f.binary("and", columns, int_(-shape.k_step))
    left = f.sub(columns, whole)
    masks = [f.tail_mask(f.sub(left, int_(n * LANES)), LANES) for n in range(_SIDE_BY_SIDE)]
    with f.loop(int_(0), rows, 1, [to, source]) as row:
        into, out_of = row.carried
        with f.loop(int_(0), whole, shape.k_step, [into]) as step:
            at = f.gep(out_of, step.index, "float")
            x = [f.load(f.gep(at, int_(n * LANES), "float"), FLOATS) for n in range(_SIDE_BY_SIDE)]
            _store(f, x, step.carried[0], planes)
            step.next(f.gep(step.carried[0], int_(shape.tile.row_bytes), "i8"))
        with f.when(f.icmp("sgt", left, int_(0))):
            at = f.gep(out_of, whole, "float")
            x = [
                f.masked_load(f.gep(at, int_(n * LANES), "float"), FLOATS, mask)
                for n, mask in enumerate(masks)
            ]
            _store(f, x, step.carried[0], planes)
        row.next(f.gep(into, pitch, "i8"), f.gep(out_of, row_bytes, "i8"))
    f.ret()
    f.finish()
    return name


def _store(f: Function, x: Sequence[V], to: V, planes: Sequence[V]) -> None:
    for part, plane in zip(cut(f, *x), planes, strict=True):
        f.store(part, f.gep(to, plane, "i8"))
