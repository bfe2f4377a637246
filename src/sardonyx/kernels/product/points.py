"""Rows of A as points: bytes with a step size each block of k, and what products with levels need of them.

A row that holds what no points stand for is told. Must not know weights or loops over rows.
"""

from __future__ import annotations

from sardonyx.base.named import IntEnum
from sardonyx.ir.algorithms.blockwise import GROUP, LEAST_LARGEST, MOST
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_MAGNITUDE, _INFINITE = 0x7FFFFFFF, 0x7F800000


class Facts(IntEnum):
    """What is known of a block of points, in words of 32 bits.

    STEP is a float; START the sum of the points, negative, times the usual zero point; SUM, as a float, their
    sum, negative.
    """

    STEP = 0
    START = 1
    SUM = 2


FACTS_BYTES = 4 * len(Facts)


def define_points(module: Module, shape: TileShape, bits: int) -> str:
    """Add `i64 @name(ptr to, ptr facts, ptr from, i64 groups, i64 block)`; returns its name.

    `from` holds floats, whole groups of them, of which a block has some. Returns not 0 if no points stand for
    a row, as some number of it is not finite, or all of a block, but for zeros, are tiny.
    """
    name = f"points{bits}_row"
    params = [*((n, "ptr") for n in ("to", "facts", "from")), ("groups", "i64"), ("block", "i64")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, facts, source, groups, block = f.params
    numbers, whole = shape.vector, vector_of("i32", shape.lanes)
    offsets = range(0, GROUP, shape.lanes)

    def each(group: V, base: V, offset: int, type_: str) -> V:
        return f.gep(base, f.add(f.mul(group, int_(GROUP)), int_(offset)), type_)

    with f.loop(int_(0), groups, block, [facts, int_(0, "i1")]) as part:
        about, special = part.carried
        high = f.smin(f.add(part.index, block), groups)
        with f.loop(part.index, high, 1, [int_(0, whole)]) as group:
            (most,) = group.carried
            for offset in offsets:
                bits_ = f.load(each(group.index, source, offset, "i32"), whole)
                most = f.smax(most, f.binary("and", bits_, int_(_MAGNITUDE, whole)))
            group.next(most)
        largest = f.call(f"llvm.vector.reduce.smax.{mangle(whole)}", "i32", group.carried[0])
        above = f.sub(largest, int_(LEAST_LARGEST, "i32"))
        usual = f.icmp("ult", above, int_(_INFINITE - LEAST_LARGEST, "i32"))
        odd = f.binary("xor", f.binary("or", usual, f.icmp("eq", largest, int_(0, "i32"))), int_(1, "i1"))
        size = f.select(usual, f.bitcast(largest, "float"), float_(1.0))
        none, top = float_(0.0), float_(MOST)
        step = f.select(usual, f.binary("fdiv", size, top), none)
        inverse = f.splat(f.select(usual, f.binary("fdiv", top, size), none), shape.lanes)
        with f.loop(part.index, high, 1, [int_(0, whole)]) as group:
            (total,) = group.carried
            for offset in offsets:
                x = f.binary("fmul", f.load(each(group.index, source, offset, "float"), numbers), inverse)
                x = f.call(f"llvm.roundeven.{mangle(numbers)}", numbers, x)
                point = f.convert("fptosi", x, "i32")
                f.store(f.convert("trunc", point, "i8"), each(group.index, to, offset, "i8"))
                total = f.add(total, point)
            group.next(total)
        total = f.call(f"llvm.vector.reduce.add.{mangle(whole)}", "i32", group.carried[0])
        negative = f.sub(int_(0, "i32"), total)
        start = f.mul(negative, int_(1 << bits - 1, "i32"))
        for fact, value in (
            (Facts.STEP, step),
            (Facts.START, start),
            (Facts.SUM, f.convert("sitofp", negative, "float")),
        ):
            f.store(value, f.gep(about, int_(fact), value.type))
        part.next(f.gep(about, int_(FACTS_BYTES), "i8"), f.binary("or", special, odd))
    f.ret(f.convert("zext", part.carried[1], "i64"))
    f.finish()
    return name
