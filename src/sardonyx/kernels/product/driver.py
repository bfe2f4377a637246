"""Matrix products: the argument words, and the split between threads.

Decides which thread computes what; must not know ONNX, graphs or what an epilogue computes.
"""

from __future__ import annotations

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import replace
from sardonyx.base.named import NamedTuple
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.product.bytes import define_byte_block
from sardonyx.kernels.product.choose import LEAST_OF_FEW_BITS
from sardonyx.kernels.product.levels.floats import define_few_block, most_rows
from sardonyx.kernels.product.levels.matrix import define_level_matrix_block
from sardonyx.kernels.product.levels.points import define_point_block, points
from sardonyx.kernels.product.matrix import define_matrix_block, prefix
from sardonyx.kernels.product.walk import DYNAMIC, PACKED, Weights, blockwise, define_block
from sardonyx.kernels.share import ceil_div, my_runs
from sardonyx.kernels.tiles.matrix import OF_A, OF_SUMS, MatrixShape
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, V, int_

LEAST_ROWS = 8
"""Rows from which on matrix registers are faster, where a panel is split for them, and for bytes."""


def define_gemm(module: Module, goal: Goal, operand: str) -> None:
    """Add `void @sdx_gemm_{operand}(ptr args, ptr ctx)`, and for floats `sdx_gemm_dynamic_*`."""
    shape = TileShape.of(goal, operand)
    for kind in (PACKED, DYNAMIC) if shape.is_float else (PACKED,):
        define_driver(module, shape, define_block(module, goal, shape, kind), kind)


def define_matrix(module: Module, goal: Goal, tile: MatrixTile) -> None:
    """Add `void @sdx_gemm_{tile}_{operand}(ptr args, ptr ctx)` and `sdx_gemm_{tile}_dynamic_*`.

    They multiply with matrix registers.
    """
    shape = replace(TileShape.of(goal, tile.operand), max_rows=MatrixShape(tile).rows)
    if tile.operand == "i8":
        block = define_byte_block(module, goal, tile)
        define_driver(module, shape, block, Weights(prefix(tile, made=False)), tile)
        return
    for made in (False, True):
        block = define_matrix_block(module, goal, tile, made=made)
        define_driver(module, shape, block, Weights(prefix(tile, made=made), made), tile)


def define_blockwise(module: Module, goal: Goal, bits: int) -> None:
    """Add `void @sdx_gemm_blockwise{bits}_f32(ptr args, ptr ctx)`."""
    shape, kind = TileShape.of(goal, "f32"), blockwise(bits)
    few = Few(define_few_block(module, goal, bits), most) if (most := most_rows(goal)) else None
    define_driver(module, shape, define_block(module, goal, shape, kind), kind, few=few)


def define_points(module: Module, goal: Goal, bits: int) -> None:
    """Add `void @sdx_gemm_points{bits}_f32(ptr args, ptr ctx)`, beside what `define_blockwise` adds."""
    shape = TileShape.of(goal, "f32")
    floats = define_block(module, goal, shape, blockwise(bits))
    define_driver(module, shape, define_point_block(module, goal, bits, floats), points(bits))


def define_blockwise_matrix(module: Module, goal: Goal, bits: int, tile: MatrixTile) -> None:
    """Add `void @sdx_gemm_{tile}_blockwise{bits}_f32(ptr args, ptr ctx)` to what `define_blockwise` adds."""
    shape = replace(TileShape.of(goal, tile.operand), max_rows=MatrixShape(tile).rows)
    kind = Weights(prefix(tile, made=True, bits=bits), made=True, bits=bits)
    define_driver(module, shape, define_level_matrix_block(module, goal, tile, bits), kind, tile)


class Few(NamedTuple):
    """The function in the place of a block for products of no more rows."""

    block: str
    most_rows: int


def define_driver(
    module: Module,
    shape: TileShape,
    block: str,
    kind: Weights,
    tile: MatrixTile | None = None,
    few: Few | None = None,
) -> None:
    """Add `void @sdx_gemm_{kind}{operand}(ptr args, ptr ctx)`, each thread of which calls `block`.

    The (batch, panel) or the (batch, row) space is cut into equal runs, one per thread.
    The registers of a `tile` are configured around them; a few rows are left to vectors if panels would be
    made for them alone, or if they are bytes. Each run makes what it needs of an operand, so only products of
    operands that are read as they are may be cut into more runs.
    """
    name = f"sdx_gemm_{kind.prefix}{shape.operand}"
    f = Function(module, name, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    threads = f.word(ctx, Context.NTHREADS)
    m, n = f.word(args, Gemm.M), f.word(args, Gemm.N)
    batch = f.mul(f.word(args, Gemm.BATCH0), f.word(args, Gemm.BATCH1))
    if tile and (kind.made or not shape.is_float):
        by_vectors, many = f.new_label("few"), f.new_label("many")
        least = LEAST_OF_FEW_BITS[0] if kind.bits else LEAST_ROWS
        f.branch(f.icmp("slt", m, int_(least)), by_vectors, many)
        f.start(by_vectors)
        others = kind.prefix.removeprefix(f"{tile.name}_")
        f.call(f"sdx_gemm_{others}{shape.operand}", "void", args, ctx)
        f.ret()
        f.start(many)
    panels = ceil_div(f, n, int_(shape.columns))
    with f.when(f.icmp("sgt", f.smin(m, n), int_(0))):
        by_rows = f.icmp("sge", m, f.mul(threads, int_((4 if tile else 2) * shape.max_rows)))
        if kind.made:
            scarce = f.icmp("slt", f.mul(batch, panels), f.mul(threads, int_(2)))
            by_rows = f.binary("and", by_rows, scarce)
        unit = f.select(by_rows, m, panels)
        work = f.mul(f.mul(f.mul(m, n), f.word(args, Gemm.K)), batch)
        each = f.select(by_rows, int_(2 * shape.max_rows), int_(1))
        most = f.binary("udiv", f.mul(batch, unit), each)
        shares = Shares.of(f, ctx, threads, work, int_(0) if kind.made or kind.lays_out or tile else most)
        if tile:
            rows = f.smin(m, int_(tile.rows))
            matrix.configure(f, tile.instruction, dict.fromkeys((*OF_SUMS, *OF_A), rows))
        with my_runs(f, batch, unit, shares) as (index, first, last):
            m0, m1 = f.select(by_rows, first, int_(0)), f.select(by_rows, last, m)
            p0, p1 = f.select(by_rows, int_(0), first), f.select(by_rows, panels, last)
            run = args, ctx, index, m0, m1, p0, p1
            if few:
                own = (V(f"@{name}", "ptr") for name in (few.block, block))
                f.call_pointer(f.select(f.icmp("sle", m, int_(few.most_rows)), *own), *run)
            else:
                f.call(block, "void", *run)
        if tile:
            matrix.release(f, tile.instruction)
    f.ret()
    f.finish()
