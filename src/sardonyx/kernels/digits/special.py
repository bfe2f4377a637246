"""What inf and NaN of A add to sums of products of digits: what IEEE arithmetic says, row by row.

Each such number has a code in the place of its digits, all others 0. Decides the codes; must not know what
the matrices are used for.
"""

from __future__ import annotations

import math
from enum import IntEnum

from sardonyx.kernels.tiles.matrix import MatrixShape, MatrixWords
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_LANES = 16
_BYTES = vector_of("i8", 64)
_FLOATS, _INTS = vector_of("float", _LANES), vector_of("i32", _LANES)
_WORD_BITS = 32


class Code(IntEnum):
    """What stands for a number: 0 for one that has digits."""

    NONE = 0
    INFINITE = 1
    NEGATIVE = 2
    NAN = 3


def define_special(module: Module, shape: MatrixShape, columns: int) -> str:
    """Add `void @name(ptr tile, ptr codes, ptr b, i64 steps, ptr descriptor)` once; returns the name.

    Adds to the ROWS rows of a tile of `columns` registers what the numbers of `codes` times those of B are,
    of which signs and zeros matter alone. Codes lie as the first digit of A does, steps and entries too;
    behind the last row of A, where sums are not read, any bytes may.
    """
    name = f"digits_special_{shape.tile.name}_{columns}"
    if module.has(name):
        return name
    params = [("tile", "ptr"), ("codes", "ptr"), ("b", "ptr"), ("steps", "i64"), ("descriptor", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    tile, codes, b, steps, descriptor = f.params
    none = f.gep(descriptor, int_(MatrixWords.ENTRIES), "i64")
    entries = f.word(descriptor, MatrixWords.ENTRIES)
    table = f.select(f.icmp("ne", entries, int_(0)), f.word(descriptor, MatrixWords.TABLE, "ptr"), none)
    masked = f.icmp("ne", f.word(descriptor, MatrixWords.MASKS), int_(0))
    all_count = f.module.table("digits_special_all", "i64", [int_(-1)])
    masks = f.select(masked, f.word(descriptor, MatrixWords.MASKS, "ptr"), all_count)
    every = f.select(masked, int_(-1), int_(0))
    words = MatrixWords.TILE_ROW, MatrixWords.A_ROW, MatrixWords.A_STEP, MatrixWords.B_STEP
    pitch, a_row, a_step, b_step = (f.word(descriptor, w) for w in words)
    rows = f.word(descriptor, MatrixWords.ROWS)
    with f.loop(int_(0), rows, 1, [tile, codes]) as row:
        to, own = row.carried
        with f.loop(int_(0), steps, 1, [own, b]) as step:
            here, weights = step.carried
            with f.loop(int_(0), f.smax(entries, int_(1)), 1, [weights]) as entry:
                at = f.gep(here, f.load(f.gep(table, entry.index, "i64"), "i64"), "i8")
                count = f.load(f.gep(masks, f.binary("and", entry.index, every), "i64"), "i64")
                _add_step(f, shape, columns, to, at, entry.carried[0], count)
                entry.next(f.gep(entry.carried[0], b_step, "i8"))
            step.next(f.gep(here, a_step, "i8"), entry.carried[0])
        row.next(f.gep(to, pitch, "i8"), f.gep(own, a_row, "i8"))
    f.ret()
    f.finish()
    return name


def _add_step(f: Function, shape: MatrixShape, columns: int, tile: V, codes: V, b: V, count: V) -> None:
    """Add what the codes of one step of a row say, of those numbers that `count`."""
    values = {Code.NONE: 0.0, Code.INFINITE: math.inf, Code.NEGATIVE: -math.inf, Code.NAN: math.nan}
    table = f.module.table("digits_special_values", "float", [float_(values[code]) for code in Code])
    found = f.icmp("ne", f.load(codes, _BYTES), int_(0, _BYTES))
    with f.repeat(
        lambda left: f.icmp("ne", left, int_(0)), [f.binary("and", f.bitcast(found, "i64"), count)]
    ) as each:
        (left,) = each.carried
        number = f.call("llvm.cttz.i64", "i64", left, int_(1, "i1"))
        code = f.convert("zext", f.load(f.gep(codes, number, "i8"), "i8"), "i64")
        code = f.binary("and", code, int_(len(Code) - 1))
        value = f.splat(f.load(f.gep(table, code, "float"), "float"), _LANES)
        row = f.mul(f.binary("udiv", number, int_(shape.depth)), int_(shape.tile.row_bytes))
        place = f.mul(f.binary("urem", number, int_(shape.depth)), int_(8))
        bits = f.splat(f.convert("trunc", f.sub(int_(_WORD_BITS - 8), place), "i32"), _LANES)
        for column in range(columns):
            weight = int_(0, _INTS)
            for digit in range(shape.planes):
                register = (digit * columns + column) * shape.register_bytes
                word = f.load(f.gep(f.gep(b, row, "i8"), int_(register), "i8"), _INTS)
                own = f.binary("ashr", f.binary("shl", word, bits), int_(_WORD_BITS - 8, _INTS))
                weight = f.add(f.binary("shl", weight, int_(8, _INTS)), own)
            at = f.gep(tile, int_(column * _LANES), "float")
            product = f.binary("fmul", f.convert("sitofp", weight, "float"), value)
            f.store(f.binary("fadd", f.load(at, _FLOATS), product), at)
        each.next(f.binary("and", left, f.sub(left, int_(1))))
