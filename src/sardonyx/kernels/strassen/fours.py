"""Left operands of seven products of one of seven, and its quarters from what they make.

Decides how they move through registers; must not know the order of work.
"""

from __future__ import annotations

from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.strassen.blocking import product_row_bytes
from sardonyx.kernels.strassen.rows import Summand
from sardonyx.kernels.strassen.scheme import PRODUCTS, lefts, results
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_


def define_lefts_of(module: Module, shape: TileShape) -> str:
    """Add `void @strassen_lefts_of_f32(...)`, whose parameters have the names below; returns the name.

    The left operands of the seven products of one: of fours low..high of rows, and `steps` from `k0` on of
    each quarter of k; to[product][four - low][step], `row` bytes between fours, `left` between products.
    A last row stands for those that its four has not.
    """
    params = [*((n, "ptr") for n in ("args", "to", "scales"))]
    params += [(n, "i64") for n in ("row", "left", "low", "high", "product", "k0", "steps")]
    name = f"strassen_lefts_of_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    product, done = f.params[7], f.new_label("done")
    for number in range(PRODUCTS):
        own, other = f.new_label("own"), f.new_label("other")
        f.branch(f.icmp("eq", product, int_(number)), own, other)
        f.start(own)
        _lefts(f, shape, number)
        f.jump(done)
        f.start(other)
    f.jump(done)
    f.start(done)
    f.ret()
    f.finish()
    return name


def _lefts(f: Function, shape: TileShape, number: int) -> None:
    args, to, scales, row_bytes, left, low, high, _, k0, steps = f.params
    a, last = f.word(args, Gemm.A, "ptr"), f.sub(f.word(args, Gemm.M), int_(1))
    half = f.binary("lshr", f.word(args, Gemm.K), int_(1))
    quarter, stride = f.binary("lshr", half, int_(1)), f.word(args, Gemm.A_M)
    with f.loop(low, high, 1, [to, scales]) as four:
        into, scale = four.carried
        first = f.mul(four.index, int_(4))
        rows: list[V] = []
        factors: list[V] = []
        for n in range(4):
            m = f.smin(f.add(first, int_(n)), last)
            rows.append(f.gep(a, f.add(f.mul(m, stride), k0), shape.dtype))
            own = f.load(f.gep(scale, f.sub(m, first), shape.dtype), shape.dtype)
            factors.append(f.splat(own, shape.lanes))
        ends = [f.gep(into, f.mul(left, int_(n)), "i8") for n in range(PRODUCTS)]
        with f.loop(int_(0), steps, shape.lanes) as step:
            at = [step.index, f.add(step.index, half)]
            at += [f.add(index, quarter) for index in at]
            quarters = []
            for inner in range(4):
                parts = []
                for outer in range(4):
                    row = inner // 2 * 2 + outer // 2
                    x = f.load(f.gep(rows[row], at[inner % 2 * 2 + outer % 2], shape.dtype), shape.vector)
                    parts.append(Summand(f, f.binary("fmul", x, factors[row])))
                quarters.append(lefts(parts)[number])
            for value, end in zip(lefts(quarters), ends, strict=True):
                f.store(value.value, f.gep(end, step.index, shape.dtype))
        four.next(f.gep(into, row_bytes, "i8"), f.gep(scale, int_(4), shape.dtype))


def define_join(module: Module, shape: TileShape) -> str:
    """Add `void @strassen_join_f32(from, to, beside, adds, count)`; returns the name.

    The quarters of a product from[four][product][columns], to pairs of rows, both sides `beside` bytes apart;
    rows of both are `product_row_bytes` apart. They are added to what is there if `adds` is not 0.
    """
    params = [("from", "ptr"), ("to", "ptr"), ("beside", "i64"), ("adds", "i64"), ("count", "i64")]
    name = f"strassen_join_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    source, to, beside, adds, count = f.params
    stores, sums, done = (f.new_label(hint) for hint in ("stores", "sums", "done"))
    f.branch(f.icmp("eq", adds, int_(0)), stores, sums)
    for label in (stores, sums):
        f.start(label)
        with f.loop(int_(0), count, 1, [source, to]) as four:
            at, into = four.carried
            below = f.gep(into, int_(product_row_bytes(shape)), "i8")
            corners = [side for upper in (into, below) for side in (upper, f.gep(upper, beside, "i8"))]
            for column in range(0, shape.columns, shape.lanes):
                places = (int_(p * shape.columns + column) for p in range(PRODUCTS))
                products = [f.load(f.gep(at, place, shape.dtype), shape.vector) for place in places]
                quarters = results([Summand(f, p) for p in products])
                ends = [f.gep(corner, int_(column), shape.dtype) for corner in corners]
                if label == sums:
                    quarters = [
                        q + Summand(f, f.load(end, shape.vector))
                        for q, end in zip(quarters, ends, strict=True)
                    ]
                for quarter, end in zip(quarters, ends, strict=True):
                    f.store(quarter.value, end)
            row = int_(product_row_bytes(shape))
            four.next(f.gep(at, row, "i8"), f.gep(below, row, "i8"))
        f.jump(done)
    f.start(done)
    f.ret()
    f.finish()
    return name
