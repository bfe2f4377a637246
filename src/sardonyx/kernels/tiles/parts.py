"""Floats as sums of numbers of matrix registers that are cut, not rounded: three of them are the float.

Each part is what the upper half of what is left holds: none becomes infinite, and the last is exact. What is
infinite or NaN is so in its first part and NaN in the others. Two vectors of numbers go side by side in
pairs: of one the upper half stays where it is, that of the other moves to the lower half. So the numbers of a
step are in the order 0, 16, 1, 17 and so on, of rows of A as of columns of B. Must not know what the matrices
are used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sardonyx.kernels.tiles.matrix import ACROSS, MatrixShape
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

PARTS = 3
"""Those that all of a float is cut into."""

LANES = 16
FLOATS = vector_of("float", LANES)
_INTS = vector_of("i32", LANES)
_HALF_BITS = 16
_SIDE_BY_SIDE = 2

ROW_BYTES = ACROSS * LANES * 4
"""Bytes of a row of a panel of floats."""


def step_bytes(shape: MatrixShape) -> int:
    """Bytes of one step of a panel of floats."""
    return shape.k_step * ROW_BYTES


def cut(f: Function, low: V, high: V) -> Iterator[V]:
    """The parts of two vectors of floats, side by side in pairs."""
    upper, half = int_(-(1 << _HALF_BITS), _INTS), int_(_HALF_BITS, _INTS)
    for left in reversed(range(PARTS)):
        low_bits, high_bits = f.bitcast(low, _INTS), f.bitcast(high, _INTS)
        kept = f.binary("and", high_bits, upper)
        yield f.binary("or", f.binary("lshr", low_bits, half), kept)
        if left:
            high = f.binary("fsub", high, f.bitcast(kept, FLOATS))
            low = f.binary("fsub", low, f.bitcast(f.binary("and", low_bits, upper), FLOATS))


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
