"""Copies of strided matrices into contiguous scratch: row copies, register transposes, and any strides.

Decides how a copy moves through registers; must not know what the matrix is used for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

_LANE_BYTES = 16


def define_copy(module: Module, shape: TileShape) -> str:
    """Add `void @copy2d_*(ptr to, ptr from, i64 rows, i64 columns, ptr strides)`; returns the name.

    to[r * pitch + c] = from[r * row + c * column]; `strides` holds the words pitch, row, column in elements.
    Only the matrix is read; `to` is written up to whole vectors in both directions, with unspecified values
    outside the matrix.
    """
    name = f"copy2d_{shape.suffix}"
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
        f.call(f"{special}_{shape.suffix}", "void", to, source, rows, columns, pitch, other)
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
    return Function(module, f"{name}_{shape.suffix}", [("to", "ptr"), ("from", "ptr"), *sizes], internal=True)


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
            for i, vector in enumerate(transposed(f, [load(f.gep(source, x, shape.dtype)) for x in at])):
                f.store(vector, f.gep(to, f.add(f.mul(f.add(r, int_(i)), pitch), first), shape.dtype))

        _by_vectors(f, shape, rows, square)
    f.ret()
    f.finish()


def transposed(f: Function, rows: Sequence[V]) -> list[V]:
    """The columns of a square of 4-byte or 8-byte vectors: unpacks in 128-bit lanes, then lane exchanges."""
    lanes, per_lane = rows[0].lanes, _LANE_BYTES // (8 if rows[0].scalar == "double" else 4)
    origin = [[(r, c) for c in range(lanes)] for r in range(lanes)]
    vectors = list(rows)
    size = 1
    while size < lanes:
        masks = _interleave(lanes, size, per_lane) if size < per_lane else _exchange(lanes, per_lane)
        for low in range(lanes):
            if not low & size:
                high = low | size
                both, x, y = origin[low] + origin[high], vectors[low], vectors[high]
                vectors[low], vectors[high] = (f.shuffle(x, y, mask) for mask in masks)
                origin[low], origin[high] = ([both[m] for m in mask] for mask in masks)
        size *= 2
    columns = {at[0][1]: vector for vector, at in zip(vectors, origin, strict=True)}
    return [columns[c] for c in range(lanes)]


def _interleave(lanes: int, size: int, per_lane: int) -> tuple[list[int], list[int]]:
    """Unpack low and unpack high of groups of `size` elements inside each 128-bit lane."""
    low, high = [], []
    for lane in range(0, lanes, per_lane):
        for group in range(lane, lane + per_lane // 2, size):
            picks = [group + i for i in range(size)]
            low += picks + [lanes + p for p in picks]
            high += [p + per_lane // 2 for p in picks] + [lanes + p + per_lane // 2 for p in picks]
    return low, high


def _exchange(lanes: int, per_lane: int) -> tuple[list[int], list[int]]:
    """The even and the odd 128-bit lanes of both operands."""
    low = [i for i in range(2 * lanes) if i // per_lane % 2 == 0]
    return low, [i + per_lane for i in low]
