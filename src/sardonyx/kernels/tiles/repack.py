"""Copies of strided matrices into contiguous scratch: row copies, register transposes, and any strides.

Decides how a copy moves through registers; must not know what the matrix is used for.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.shuffle import transpose
from sardonyx.llvm.vec import Function, Module, V, int_


def define_copy(module: Module, shape: TileShape) -> str:
    """Add `void @copy2d_*(ptr to, ptr from, i64 rows, i64 columns, ptr strides)`; returns the name.

    to[r * pitch + c] = from[r * row + c * column]; `strides` holds the words pitch, row, column in elements.
    Only the matrix is read; `to` is written up to whole vectors in both directions, with unspecified values
    outside the matrix.
    """
    name = f"copy2d_{shape.operand}"
    if module.has(name):
        return name
    _define_rows(module, shape)
    _define_transpose(module, shape)
    params = [("to", "ptr"), ("from", "ptr"), ("rows", "i64"), ("columns", "i64"), ("strides", "ptr")]
    f = Function(module, name, params, internal=True)
    to, source, rows, columns, strides = f.params
    pitch, row, column = (f.word(strides, i) for i in range(3))
    done = f.new_label("done")
    for stride, special, other in ((column, "copy_rows", row), (row, "transpose", column)):
        then, otherwise = f.new_label("then"), f.new_label("else")
        f.branch(f.icmp("eq", stride, int_(1)), then, otherwise)
        f.start(then)
        f.call(f"{special}_{shape.operand}", "void", to, source, rows, columns, pitch, other)
        f.jump(done)
        f.start(otherwise)
    with f.loop(int_(0), rows) as r, f.loop(int_(0), columns) as c:
        at = f.add(f.mul(r.index, row), f.mul(c.index, column))
        element = f.load(f.gep(source, at, shape.dtype), shape.dtype)
        f.store(element, f.gep(to, f.add(f.mul(r.index, pitch), c.index), shape.dtype))
    f.jump(done)
    f.start(done)
    f.ret()
    f.finish()
    return name


def _begin(module: Module, shape: TileShape, name: str, source_stride: str) -> Function:
    sizes = ((n, "i64") for n in ("rows", "columns", "pitch", source_stride))
    return Function(
        module, f"{name}_{shape.operand}", [("to", "ptr"), ("from", "ptr"), *sizes], internal=True
    )


def _by_vectors(f: Function, shape: TileShape, size: V, body: Callable[[V, Callable[[V], V]], None]) -> None:
    """Run `body(index, load)` for each vector of a contiguous axis; the last `load` may be a masked one."""
    whole = f.binary("and", size, int_(-shape.lanes))
    with f.loop(int_(0), whole, shape.lanes) as full:
        body(full.index, lambda address: f.load(address, shape.vector))
    with f.when(f.icmp("slt", whole, size)):
        mask = f.tail_mask(f.sub(size, whole), shape.lanes)
        body(whole, lambda address: f.masked_load(address, shape.vector, mask))


def _define_rows(module: Module, shape: TileShape) -> None:
    """Rows that are contiguous in the source."""
    f = _begin(module, shape, "copy_rows", "row")
    to, source, rows, columns, pitch, row = f.params
    with f.loop(int_(0), rows) as r:
        into = f.gep(to, f.mul(r.index, pitch), shape.dtype)
        out_of = f.gep(source, f.mul(r.index, row), shape.dtype)

        def vector(c: V, load: Callable[[V], V], into: V = into, out_of: V = out_of) -> None:
            f.store(load(f.gep(out_of, c, shape.dtype)), f.gep(into, c, shape.dtype))

        _by_vectors(f, shape, columns, vector)
    f.ret()
    f.finish()


def _define_transpose(module: Module, shape: TileShape) -> None:
    """Columns that are contiguous in the source: square blocks through registers."""
    f = _begin(module, shape, "transpose", "column")
    to, source, rows, columns, pitch, column = f.params
    last = f.sub(columns, int_(1))
    with f.loop(int_(0), columns, shape.lanes) as c:

        def square(r: V, load: Callable[[V], V], first: V = c.index) -> None:
            picked = [f.smin(f.add(first, int_(i)), last) for i in range(shape.lanes)]
            at = [f.add(r, f.mul(p, column)) for p in picked]
            for i, vector in enumerate(transpose(f, [load(f.gep(source, x, shape.dtype)) for x in at])):
                f.store(vector, f.gep(to, f.add(f.mul(f.add(r, int_(i)), pitch), first), shape.dtype))

        _by_vectors(f, shape, rows, square)
    f.ret()
    f.finish()
