"""Convolutions as sums over taps: the split between threads.

Decides which thread computes what; must not know ONNX, graphs or what an epilogue computes.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.emit.shares import Shares
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.abreast_band import AbreastBandBlock
from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.convolution.digits import DigitsBandBlock
from sardonyx.kernels.convolution.halves import HalvesBandBlock
from sardonyx.kernels.convolution.matrix import MatrixBlock
from sardonyx.kernels.convolution.outliers import OutliersBlock
from sardonyx.kernels.convolution.plain import PlainBandBlock
from sardonyx.kernels.convolution.walk import TILE_WORDS, Tiles, define_block
from sardonyx.kernels.share import ceil_div, my_runs
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, V, int_


def define_conv(module: Module, goal: Goal, operand: str) -> None:
    """Add `void @sdx_conv_{operand}(ptr args, ptr ctx)`."""
    shape = TileShape.of(goal, operand)
    _driver(module, shape, define_block(module, shape))


def define_matrix_conv(module: Module, goal: Goal, tile: MatrixTile) -> None:
    """Add `void @sdx_conv_{tile}_{operand}(ptr args, ptr ctx)`, which multiplies with matrix registers."""
    if tile.operand == "i8":
        block = MatrixBlock(module, goal, tile)
        block.write()
        _driver(module, block.shape, block.f.name, _Registers(block.prefix, tile, _whole(tile)))
    elif tile.operand == "fixed24":
        _define_band(module, DigitsBandBlock(module, goal, tile))
    else:
        _define_band(module, BandBlock(module, goal, tile))


def define_outliers_conv(module: Module, goal: Goal) -> None:
    """Add `void @sdx_conv_outliers_i8pairs(ptr args, ptr ctx)`, for any weights."""
    block = OutliersBlock(module, goal)
    block.write()
    _driver(module, block.shape, block.f.name, prefix=block.prefix)


def define_plain_matrix_conv(module: Module, goal: Goal, tile: MatrixTile) -> None:
    """Add `void @sdx_conv_{tile}_plain_{operand}(ptr args, ptr ctx)`, for plain input of few channels."""
    block = AbreastBandBlock if tile.operand == "fixed24" else PlainBandBlock
    _define_band(module, block(module, goal, tile))


def define_halves_matrix_conv(module: Module, goal: Goal, tile: MatrixTile) -> None:
    """Add `void @sdx_conv_{tile}_halves_{operand}(ptr args, ptr ctx)`, for input of numbers of the tile."""
    _define_band(module, HalvesBandBlock(module, goal, tile))


def _define_band(module: Module, block: BandBlock) -> None:
    block.write()
    _driver(module, block.shape, block.f.name, _Registers(block.prefix, block.matrix.tile, block.configure))


@dataclass(frozen=True, slots=True)
class _Registers:
    """Matrix registers: what names say of them, and how a function of these arguments takes them into use."""

    prefix: str
    tile: MatrixTile
    configure: Callable[[Function, V], None]


def _whole(tile: MatrixTile) -> Callable[[Function, V], None]:
    return lambda f, _: matrix.configure(f, tile.instruction)


def _driver(
    module: Module, shape: TileShape, block: str, registers: _Registers | None = None, prefix: str = ""
) -> None:
    """Cut panels or tiles into equal runs, one a thread; `registers` are in use around them.

    A block with a `prefix` lays out what it reads, and so does one with registers: their runs are not cut.
    """
    prefix = registers.prefix if registers else prefix
    name = f"sdx_conv_{prefix}{shape.operand}"
    f = Function(module, name, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    threads = f.word(ctx, Context.NTHREADS)
    names = Conv.BATCH, Conv.GROUPS, Conv.CHANNELS, *TILE_WORDS
    word = {w: f.word(args, w) for w in names}
    tiles = Tiles.of(f, shape, word).count
    asked, start = f.word(args, Conv.PANELS), f.word(args, Conv.FIRST_PANEL)
    all_panels = ceil_div(f, word[Conv.CHANNELS], int_(shape.columns))
    all_asked = f.icmp("eq", asked, int_(0))
    by_group = f.binary(
        "and", f.binary("xor", all_asked, int_(1, "i1")), f.icmp("sgt", word[Conv.GROUPS], int_(1))
    )
    panels = f.select(f.binary("or", all_asked, by_group), all_panels, asked)
    outer = f.select(by_group, asked, f.mul(word[Conv.BATCH], word[Conv.GROUPS]))
    group, start = f.select(by_group, start, int_(0)), f.select(by_group, int_(0), start)
    pixels = f.mul(word[Conv.LINES], word[Conv.PIXELS])
    with f.when(f.icmp("sgt", f.mul(f.mul(pixels, panels), outer), int_(0))):
        steps = _steps(f, args)
        by_panels = _prefer_panels(f, shape, args, steps, outer, panels, tiles, threads)
        unit = f.select(by_panels, panels, tiles)
        all_tiles = f.mul(outer, f.mul(panels, tiles))
        work = f.mul(f.mul(all_tiles, steps), int_(shape.max_rows * shape.columns))
        shares = Shares.of(f, ctx, threads, work, int_(0) if prefix else f.mul(outer, unit))
        if registers:
            registers.configure(f, args)
        with my_runs(f, outer, unit, shares) as (index, first, last):
            p0, p1 = f.select(by_panels, first, int_(0)), f.select(by_panels, last, panels)
            s0, s1 = f.select(by_panels, int_(0), first), f.select(by_panels, tiles, last)
            f.call(block, "void", args, ctx, f.add(group, index), f.add(start, p0), f.add(start, p1), s0, s1)
        if registers:
            matrix.release(f, registers.tile.instruction)
    f.ret()
    f.finish()


def _steps(f: Function, args: V) -> V:
    """Terms of one sum."""
    steps = f.smax(f.word(args, Conv.STEPS), int_(1))
    for count in (Conv.CHANNELS_IN, Conv.TAPS1, Conv.TAPS2, Conv.TAPS3):
        steps = f.mul(steps, f.word(args, count))
    return steps


def _prefer_panels(
    f: Function, shape: TileShape, args: V, steps: V, outer: V, panels: V, tiles: V, threads: V
) -> V:
    """Whether threads share out panels: large weights are then read once; else the better balance decides."""
    weight_bytes = f.mul(f.mul(steps, panels), int_(shape.panel_row_bytes))
    large = f.icmp("sgt", weight_bytes, f.binary("udiv", f.word(args, Conv.L2_BYTES), int_(2)))
    panel_cost = f.mul(ceil_div(f, f.mul(outer, panels), threads), tiles)
    tile_cost = f.mul(ceil_div(f, f.mul(outer, tiles), threads), panels)
    bonus = f.select(large, int_(9), int_(7))
    return f.icmp("sle", f.mul(panel_cost, int_(8)), f.mul(tile_cost, bonus))
