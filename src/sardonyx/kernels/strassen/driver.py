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
from sardonyx.kernels.strassen.walk import define_block
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, Module, int_

LEAST_PAIRS = 28
"""Pairs of rows that are worth reading all weights for."""


def define_strassen(module: Module, goal: Goal) -> None:
    """Add `void @sdx_gemm_strassen_f32(ptr args, ptr ctx)`.

    Threads share out pairs of rows; or, if rows are few, pairs of panels, in one share each, since each makes
    left operands for itself: with few columns a thread the product is computed as it is. Columns behind the
    last whole pair are one more, multiplied as they are.
    """
    shape = TileShape.of(goal, "f32")
    direct = product.define_block(module, goal, shape, product.PACKED)
    block = define_block(module, shape, direct)
    f = Function(module, f"sdx_gemm_strassen_{shape.operand}", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    m, n = f.word(args, Gemm.M), f.word(args, Gemm.N)
    threads = f.word(ctx, Context.NTHREADS)
    pairs = f.binary("lshr", f.add(m, int_(1)), int_(1))
    usual = f.word(ctx, Context.USUAL)
    by_rows = f.icmp("sge", pairs, f.mul(usual, int_(LEAST_PAIRS)))
    wide = f.icmp("sge", n, f.mul(usual, f.word(args, Gemm.LEAST_COLUMNS)))
    enough = f.binary("and", f.icmp("sge", m, f.word(args, Gemm.LEAST_ROWS)), f.binary("or", by_rows, wide))
    little, much = f.new_label("little"), f.new_label("much")
    f.branch(enough, much, little)
    f.start(little)
    f.call(f"sdx_gemm_{shape.operand}", "void", args, ctx)
    f.ret()
    f.start(much)
    panels = ceil_div(f, n, int_(shape.columns))
    both = f.binary("udiv", n, int_(2 * shape.columns))
    whole = f.mul(both, int_(2))
    units = f.add(both, f.convert("zext", f.icmp("slt", whole, panels), "i64"))
    unit = f.select(by_rows, pairs, units)
    most = f.select(by_rows, f.binary("udiv", pairs, int_(LEAST_PAIRS)), int_(0))
    work = f.mul(f.mul(m, n), f.word(args, Gemm.K))
    shares = Shares.of(f, ctx, threads, work, most)
    with my_runs(f, int_(1), unit, shares) as (_, first, last):
        r0, r1 = f.select(by_rows, first, int_(0)), f.select(by_rows, last, pairs)
        j0, j1 = f.select(by_rows, int_(0), first), f.select(by_rows, units, last)
        most = f.smin(j1, both)
        with f.when(f.icmp("slt", j0, most)):
            f.call(block, "void", args, ctx, r0, r1, j0, most)
        with f.when(f.icmp("sgt", j1, both)):
            rows = f.mul(r0, int_(2)), f.smin(f.mul(r1, int_(2)), m)
            f.call(direct, "void", args, ctx, int_(0), *rows, whole, panels)
    f.ret()
    f.finish()
