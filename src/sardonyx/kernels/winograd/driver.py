"""Convolutions by transforms: the split between threads.

Decides which thread computes what; must not know ONNX, graphs or what an epilogue computes.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.policy import Goal
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Winograd
from sardonyx.kernels.share import ceil_div, my_runs
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.matrix import define_matrix_block
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.kernels.winograd.tiles import Grid
from sardonyx.kernels.winograd.walk import define_block
from sardonyx.llvm.vec import Function, Module, int_


def define_winograd(module: Module, goal: Goal, scheme: Scheme) -> None:
    """Add `void @sdx_winograd_{scheme.name}(ptr args, ptr ctx)`.

    Threads share out tiles; or panels, if each would have few tiles and all are worked on at a time: the
    weights are then read once, and each thread transforms all tiles for itself.
    """
    shape = TileShape.of(goal, scheme.operand)
    block = (define_matrix_block if scheme.tile else define_block)(module, shape, scheme)
    f = Function(module, f"sdx_winograd_{scheme.name}", [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    threads = f.word(ctx, Context.NTHREADS)
    word = {w: f.word(args, w) for w in Winograd if w > Winograd.EPILOGUE}
    grid = Grid.of(f, scheme, word)
    tiles = f.mul(word[Winograd.BATCH], grid.count(f))
    groups = word[Winograd.GROUPS]
    panels = f.binary("udiv", ceil_div(f, word[Winograd.CHANNELS], int_(shape.columns)), groups)
    products = f.mul(word[Winograd.CHANNELS_IN], word[Winograd.CHANNELS])
    few = f.icmp("slt", tiles, f.mul(threads, word[Winograd.FEW_TILES]))
    together = f.icmp("sle", tiles, word[Winograd.TILES])
    enough = f.icmp("sge", panels, threads)
    by_panels = f.binary("and", f.binary("and", few, together), enough)
    unit = f.select(by_panels, panels, tiles)
    each = f.select(by_panels, int_(1), word[Winograd.TILES])
    work = f.mul(f.mul(products, tiles), int_(scheme.points))
    shares = Shares.of(f, ctx, threads, work, f.mul(groups, ceil_div(f, unit, each)))
    some = f.icmp("sgt", f.mul(panels, tiles), int_(0))
    with f.when(some), my_runs(f, groups, unit, shares) as (group, low, high):
        first = f.mul(group, panels)
        t0, t1 = f.select(by_panels, int_(0), low), f.select(by_panels, tiles, high)
        p0, p1 = f.select(by_panels, low, int_(0)), f.select(by_panels, high, panels)
        f.call(block, "void", args, ctx, group, t0, t1, *(f.add(first, p) for p in (p0, p1)))
    f.ret()
    f.finish()
