"""Pixels of plain input of a few channels cut into digits, with one scale for all of them.

What a step of a window reads lies side by side: all channels of some lines in each pixel, a byte a number.
Must not know windows.
"""

from __future__ import annotations

from collections.abc import Iterator

from sardonyx.base.named import IntEnum
from sardonyx.kernels.digits.cut import Cut
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.llvm.shuffle import interleave
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

PIXELS = 16
"""Pixels that are cut together."""

PIXEL_BYTES = (4, 8, 16)
"""Those of a pixel, each of a number, of which some may be missing."""

_ABREAST = 4
"""Numbers of a pixel whose digits are made together."""

_FLOATS, _INTS = vector_of("float", PIXELS), vector_of("i32", PIXELS)


class PixelWords(IntEnum):
    """The i64 words that tell of the input, distances in bytes, and how far digits of a number are apart."""

    LINE = 0
    LINES = 1
    CHANNEL = 2
    CHANNELS = 3
    PLANE = 4
    FACTOR = 5


def define_largest(module: Module, *, careful: bool) -> str:
    """Add `i32 @name(ptr from, i64 pixels, ptr words)` once; returns the name.

    The bits of the largest magnitude of LINES lines of so many pixels of all CHANNELS; only a `careful`
    function leaves out what is infinite or NaN.
    """
    name = f"conv_largest{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, "i32", internal=True, attributes="nounwind noinline")
    source, pixels, words = f.params
    cut = Cut(f, careful=careful)
    line, channel = (f.word(words, w) for w in (PixelWords.LINE, PixelWords.CHANNEL))
    whole = f.binary("and", pixels, int_(-PIXELS))
    tail = f.tail_mask(f.sub(pixels, whole), PIXELS)
    with f.loop(int_(0), f.word(words, PixelWords.LINES), 1, [source, int_(0, _INTS)]) as down:
        begin = [down.carried[0], down.carried[1]]
        with f.loop(int_(0), f.word(words, PixelWords.CHANNELS), 1, begin) as each:
            at, met = each.carried
            with f.loop(int_(0), whole, PIXELS, [met]) as across:
                x = f.load(f.gep(at, across.index, "float"), _FLOATS, 4)
                across.next(cut.larger(across.carried[0], x))
            rest = f.masked_load(f.gep(at, whole, "float"), _FLOATS, tail)
            each.next(f.gep(at, channel, "i8"), cut.larger(across.carried[0], rest))
        down.next(f.gep(down.carried[0], line, "i8"), each.carried[1])
    f.ret(f.call(f"llvm.vector.reduce.smax.v{PIXELS}i32", "i32", down.carried[1]))
    f.finish()
    return name


def define_cut_pixels(module: Module, shape: MatrixShape, size: int, *, careful: bool) -> str:
    """Add `void @name(ptr to, ptr from, i64 pixels, ptr words)` once; returns the name.

    `to` holds whole groups of PIXELS pixels of `size` bytes: number n of each is that of channel n % CHANNELS
    of line n / CHANNELS times FACTOR (the bits of a float), or 0 behind the last of LINES. Digits lie PLANE
    apart, behind them, if `careful`, codes of what is infinite or NaN.
    """
    name = f"conv_digits_{shape.tile.name}_by{size}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    plane = f.word(words, PixelWords.PLANE)
    factor = f.splat(f.word(words, PixelWords.FACTOR, "float"), PIXELS)
    rows = list(_rows(f, source, words, size))
    cut = Cut(f, careful=careful)
    with f.loop(int_(0), pixels, PIXELS, [to]) as group:
        (into,) = group.carried
        mask = f.tail_mask(f.sub(pixels, group.index), PIXELS)
        x = [
            f.masked_load(f.gep(begin, f.binary("and", group.index, kept), "float"), _FLOATS, mask)
            for begin, kept in rows
        ]
        parts = [cut.planes(x[n : n + _ABREAST], factor) for n in range(0, size, _ABREAST)]
        for number, digits in enumerate(zip(*parts, strict=True)):
            there = f.gep(into, f.mul(plane, int_(number)), "i8")
            for n, vector in enumerate(interleave(f, digits)):
                f.store(vector, f.gep(there, int_(n * PIXELS * _ABREAST), "i8"))
        group.next(f.gep(into, int_(PIXELS * size), "i8"))
    f.ret()
    f.finish()
    return name


def _rows(f: Function, source: V, words: V, count: int) -> Iterator[tuple[V, V]]:
    """Where the row of each number of a pixel begins, and all bits; for what is missing zeros, and none."""
    line, lines, channel, channels = (f.word(words, w) for w in list(PixelWords)[: PixelWords.PLANE])
    zeros = f.alloca("float", PIXELS)
    f.store(int_(0, _FLOATS), zeros)
    down, across = int_(0), int_(0)
    for _ in range(count):
        there = f.icmp("slt", down, lines)
        at = f.gep(source, f.add(f.mul(down, line), f.mul(across, channel)), "i8")
        yield f.select(there, at, zeros), f.select(there, int_(-1), int_(0))
        across = f.add(across, int_(1))
        wraps = f.icmp("eq", across, channels)
        down = f.select(wraps, f.add(down, int_(1)), down)
        across = f.select(wraps, int_(0), across)
