"""Adds the columns of blocks up to images.

Decides whether that is done by lines of pixels, as blocks of known sizes allow, or element by element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall
from sardonyx.kernels.convolution.col2im_lines import BITS, Lines, Taps
from sardonyx.kernels.share import split
from sardonyx.llvm import maps
from sardonyx.llvm.convert import literal
from sardonyx.llvm.vec import Function, Module, V, int_

_BOUNDS = 1
_HEAD = 4
"""The words before those of the axes: X [planes, taps, columns], Y, the number of planes, and of columns."""

_PER_AXIS = ("kernel", "positions", "strides", "dilations", "low", "out")


def col2im_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    (x,) = root.args
    source, rank = places[x.id], root.rank - 2
    words: list[Argument] = [
        Address.of(source),
        Address.of(place),
        root.shape[0] * root.shape[1],
        x.shape[2],
        *(size for name in _PER_AXIS for size in root.attrs[name]),
    ]
    taps = Taps.of(*(root.attrs[name] for name in ("kernel", "dilations", "strides")))
    taps = taps if x.dtype.bits in BITS else None
    symbol = f"sdx_col2im_{x.dtype.name}_{rank}" + (f"_{taps.name}" if taps else "")
    call = NativeCall(
        symbol,
        tuple(words),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size * 20 + root.size,
        kind="col2im",
        plan=f"{dims.product(root.attrs['kernel'])} taps of {x.shape[2]} blocks",
    )
    yield call, {symbol: lambda: col2im_ir(symbol, x.dtype, rank, target, taps)}


def col2im_ir(symbol: str, dtype: DType, rank: int, target: Target, known: Taps | None) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)` for images of one rank, and of known taps."""
    module = Module()
    f = Function(module, symbol, [("args", "ptr"), ("ctx", "ptr")])
    args, ctx = f.params
    x, y, planes, columns = (f.word(args, n, "ptr" if n < 2 else "i64") for n in range(_HEAD))
    word = {
        name: [f.word(args, _HEAD + n * rank + axis) for axis in range(rank)]
        for n, name in enumerate(_PER_AXIS)
    }
    access = Access(f, dtype, target)
    taps, pixels, count = (_product(f, word[name]) for name in ("kernel", "out", "positions"))
    wrong = f.icmp("ne", count, columns)
    with f.when(wrong):
        f.call("sdx_fail", "void", ctx, int_(_BOUNDS), count, columns)
    planes = f.select(wrong, int_(0), planes)
    if known is None:
        _by_elements(access, word, (x, y, planes, columns), (taps, pixels), ctx)
    else:
        Lines(access, known, word, columns).write(x, y, planes, ctx)
    f.ret()
    f.finish()
    return module.text()


def _by_elements(
    access: Access, word: Mapping[str, Sequence[V]], head: Sequence[V], sizes: Sequence[V], ctx: V
) -> None:
    """Zeros, to which each element is added; threads share planes."""
    f, dtype, (x, y, planes, columns), (taps, pixels) = access.f, access.dtype, head, sizes
    mine = split(f, planes, f.word(ctx, Context.TID), f.word(ctx, Context.NTHREADS))
    with f.loop(*mine) as plane:
        to = f.gep(y, f.mul(plane.index, pixels), access.plain)
        with f.loop(int_(0), pixels) as pixel:
            access.store(literal(0, dtype), to, pixel.index)
        with f.loop(int_(0), taps) as tap, f.loop(int_(0), columns) as column:
            inside, at = _pixel(f, word, tap.index, column.index)
            row = f.add(f.mul(plane.index, taps), tap.index)
            with f.when(inside):
                value = access.load(x, f.add(f.mul(row, columns), column.index))
                pair = (access.load(to, at), value)
                total = maps.apply(f, access.target, "add", pair, (dtype, dtype), dtype, {}, None, None)
                access.store(total, to, at)


def _product(f: Function, sizes: Sequence[V]) -> V:
    total = int_(1)
    for size in sizes:
        total = f.mul(total, size)
    return total


def _pixel(f: Function, word: Mapping[str, Sequence[V]], tap: V, column: V) -> tuple[V, V]:
    """Whether a tap of a block falls on a pixel of the image, and on which one."""
    inside, at, step = int_(1, "i1"), int_(0), int_(1)
    for axis in reversed(range(len(word["kernel"]))):
        kernel, positions, stride, dilation, low, size = (word[name][axis] for name in _PER_AXIS)
        within, block = f.binary("urem", tap, kernel), f.binary("urem", column, positions)
        tap, column = f.binary("udiv", tap, kernel), f.binary("udiv", column, positions)
        place = f.sub(f.add(f.mul(block, stride), f.mul(within, dilation)), low)
        inside = f.binary("and", inside, f.icmp("ult", place, size))
        at = f.add(at, f.mul(place, step))
        step = f.mul(step, size)
    return inside, at
