"""Products by Strassen's algorithm: which are, by their rows and threads, and the split between these.

Must not know ONNX, graphs or what an epilogue computes.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product import walk as product
from sardonyx.kernels.share import ceil_div, my_runs
from sardonyx.kernels.strassen.twice import define_twice
from sardonyx.kernels.strassen.walk import define_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, V, int_

LEAST_ROWS, LEAST_ROWS_TWICE = 56, 128
"""Rows of a thread that are worth reading all weights for, and making sums of them."""

_ROWS_SHARED = 2
"""How many times the least rows of one thread several need: they share the rate at which sums are read."""


def define_strassen(module: Module, goal: Goal) -> None:
    """Add `void @sdx_gemm_strassen_f32(ptr args, ptr ctx)`.

    Threads share out pairs of rows; or, if rows are few, pairs of panels, in one share each, since each makes
    left operands for itself: with few columns a thread the product is computed as it is. Columns behind the
    last whole pair are one more, multiplied as they are. Twice by seven, pairs are fours.
    """
    shape = TileShape.of(goal, "f32")
    direct = product.define_block(module, goal, shape, product.PACKED)
    block, twice = define_block(module, shape, direct), define_twice(module, shape, direct)
    f = Function(module, f"sdx_gemm_strassen_{shape.operand}", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    m, n = f.word(args, Gemm.M), f.word(args, Gemm.N)
    threads = f.word(ctx, Context.NTHREADS)
    usual = f.word(ctx, Context.USUAL)
    wide = f.icmp("sge", n, f.mul(usual, f.word(args, Gemm.LEAST_COLUMNS)))
    again = f.icmp("sge", m, f.word(args, Gemm.TWICE_ROWS))
    shared = f.binary("or", f.icmp("sge", m, f.mul(usual, int_(LEAST_ROWS_TWICE))), wide)
    again = f.binary("and", again, shared)
    own = f.select(again, int_(LEAST_ROWS_TWICE), int_(LEAST_ROWS))
    by_rows = f.icmp("sge", m, f.mul(usual, own))
    least = f.mul(f.word(args, Gemm.LEAST_ROWS), f.smin(usual, int_(_ROWS_SHARED)))
    enough = f.binary("and", f.icmp("sge", m, least), f.binary("or", by_rows, wide))
    little, much = f.new_label("little"), f.new_label("much")
    f.branch(enough, much, little)
    f.start(little)
    f.call(f"sdx_gemm_{shape.operand}", "void", args, ctx)
    f.ret()
    f.start(much)
    together = f.select(again, int_(4), int_(2))
    rows, both = ceil_div(f, m, together), f.binary("udiv", n, f.mul(together, int_(shape.columns)))
    panels, whole = ceil_div(f, n, int_(shape.columns)), f.mul(both, together)
    units = f.add(both, f.convert("zext", f.icmp("slt", whole, panels), "i64"))
    unit = f.select(by_rows, rows, units)
    most = f.select(by_rows, f.binary("udiv", m, own), int_(0))
    work = f.mul(f.mul(m, n), f.word(args, Gemm.K))
    shares = Shares.of(f, ctx, threads, work, most)
    with my_runs(f, int_(1), unit, shares) as (_, first, last):
        r0, r1 = f.select(by_rows, first, int_(0)), f.select(by_rows, last, rows)
        j0, j1 = f.select(by_rows, int_(0), first), f.select(by_rows, units, last)
        most = f.smin(j1, both)
        kernel = f.select(again, V(f"@{twice}", "ptr"), V(f"@{block}", "ptr"))
        with f.when(f.icmp("slt", j0, most)):
            f.call_pointer(kernel, args, ctx, r0, r1, j0, most)
        with f.when(f.icmp("sgt", j1, both)):
            bounds = f.mul(r0, together), f.smin(f.mul(r1, together), m)
            f.call(direct, "void", args, ctx, int_(0), *bounds, whole, panels)
    f.ret()
    f.finish()
