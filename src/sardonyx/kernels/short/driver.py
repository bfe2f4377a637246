"""Products of few rows with weights of 24 bits: the split between threads, and what is left to others.

Must not know ONNX, graphs or what an epilogue computes.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.share import ceil_div, my_runs
from sardonyx.kernels.short.choose import most_rows
from sardonyx.kernels.short.walk import define_short_block, tile_shape
from sardonyx.llvm.vec import Function, Module, int_


def define_short(module: Module, goal: Goal) -> None:
    """Add `void @sdx_gemm_short_f32(ptr args, ptr ctx)`: threads share out panels."""
    block, shape = define_short_block(module, goal), tile_shape(goal)
    f = Function(module, f"sdx_gemm_short_{shape.operand}", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    m = f.word(args, Gemm.M)
    few, many = f.new_label("few"), f.new_label("many")
    f.branch(f.icmp("sgt", m, int_(most_rows(goal))), many, few)
    f.start(many)
    f.call_pointer(f.word(args, Gemm.MANY, "ptr"), args, ctx)
    f.ret()
    f.start(few)
    panels = ceil_div(f, f.word(args, Gemm.N), int_(shape.columns))
    work = f.mul(f.mul(m, f.word(args, Gemm.N)), f.word(args, Gemm.K))
    with f.when(f.icmp("sgt", m, int_(0))):
        shares = Shares.of(f, ctx, f.word(ctx, Context.NTHREADS), work, panels)
        with my_runs(f, int_(1), panels, shares) as (batch, first, last):
            f.call(block, "void", args, ctx, batch, int_(0), m, first, last)
    f.ret()
    f.finish()
