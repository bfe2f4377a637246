"""Rows of A cut into digits, each with a scale of its own: that of its largest magnitude.

Sixteen rows at a time: their largest first, then their digits. Lane n of vector v of four is number 4n+v of a
step, so that nothing moves across lanes. Decides what is done about inf and NaN: a row has the digits of 0 in
their place. Must not know what the matrices are used for.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.kernels.digits.numbers import LARGEST, ZEROS
from sardonyx.kernels.digits.special import Code
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.microkernel import prefetch
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

ROWS = 16
"""Rows that are cut together."""

_LANES = 16
_FLOATS, _INTS = vector_of("float", _LANES), vector_of("i32", _LANES)
_MAGNITUDE, _INFINITE = 0x7FFFFFFF, 0x7F800000
_LEAST = 2.0**-100
"""What a largest magnitude counts as at least, so that no factor overflows."""

_PLACES = 2.0**16
"""What a scale is multiplied by: sums of levels lack the places that all of them have."""

_OFFSET = 0x80 * 0x01010101
_BYTES_02, _BYTE_0, _LOWER = 0x00FF00FF, 0x000000FF, 0x0000FFFF


class Cut:
    """Writes the cut of vectors of floats; only a `careful` one leaves out what is infinite or NaN."""

    def __init__(self, f: Function, *, careful: bool) -> None:
        self.f, self.careful = f, careful

    def larger(self, largest: V, x: V) -> V:
        """The larger magnitudes of a vector met before and of floats, as bits."""
        f = self.f
        bits = f.binary("and", f.bitcast(x, _INTS), int_(_MAGNITUDE, _INTS))
        if self.careful:
            finite = f.icmp("slt", bits, int_(_INFINITE, _INTS))
            bits = f.select(finite, bits, int_(0, _INTS))
        return f.smax(largest, bits)

    def factors(self, largest: V) -> tuple[V, V]:
        """What rows of these largest magnitudes are multiplied by, and their scales."""
        f = self.f
        most = f.bitcast(f.smax(largest, f.bitcast(float_(_LEAST, _FLOATS), _INTS)), _FLOATS)
        factor = f.binary("fdiv", float_(LARGEST, _FLOATS), most)
        return factor, f.binary("fdiv", float_(_PLACES, _FLOATS), factor)

    def planes(self, x: Sequence[V], factor: V) -> list[V]:
        """The digits of four vectors, the most significant first; of a careful cut codes too."""
        f = self.f
        codes: list[V] = []
        if self.careful:
            codes = [self._code(v) for v in x]
            x = [self._finite(v, code) for v, code in zip(x, codes, strict=True)]
        offset = float_(ZEROS, _FLOATS)
        whole = [f.call("llvm.lrint.v16i32.v16f32", _INTS, f.fma(v, factor, offset)) for v in x]
        outer = [self._merged(whole[n], self._up(whole[n + 1], 8), _BYTES_02) for n in (0, 2)]
        inner = [self._merged(self._down(whole[n], 8), whole[n + 1], _BYTE_0) for n in (0, 2)]
        found = [
            self._merged(self._down(outer[0], 16), outer[1], _LOWER),
            self._merged(inner[0], self._up(inner[1], 16), _LOWER),
            self._merged(outer[0], self._up(outer[1], 16), _LOWER),
        ]
        signed = [f.binary("xor", plane, int_(_OFFSET, _INTS)) for plane in found]
        if codes:
            pairs = [f.binary("or", codes[n], self._up(codes[n + 1], 8)) for n in (0, 2)]
            signed.append(f.binary("or", pairs[0], self._up(pairs[1], 16)))
        return signed

    def _code(self, x: V) -> V:
        f = self.f
        bits = f.bitcast(x, _INTS)
        magnitude = f.binary("and", bits, int_(_MAGNITUDE, _INTS))
        found = f.select(
            f.icmp("slt", bits, int_(0, _INTS)), int_(Code.NEGATIVE, _INTS), int_(Code.INFINITE, _INTS)
        )
        infinite = int_(_INFINITE, _INTS)
        found = f.select(f.icmp("sgt", magnitude, infinite), int_(Code.NAN, _INTS), found)
        return f.select(f.icmp("slt", magnitude, infinite), int_(Code.NONE, _INTS), found)

    def _finite(self, x: V, code: V) -> V:
        f = self.f
        return f.select(f.icmp("eq", code, int_(Code.NONE, _INTS)), x, int_(0, _FLOATS))

    def _merged(self, a: V, b: V, mask: int) -> V:
        """The bits of `a` in the mask, those of `b` elsewhere."""
        f = self.f
        kept = f.binary("and", a, int_(mask, _INTS))
        return f.binary("or", kept, f.binary("and", b, int_(~mask, _INTS)))

    def _up(self, x: V, bits: int) -> V:
        return self.f.binary("shl", x, int_(bits, _INTS))

    def _down(self, x: V, bits: int) -> V:
        return self.f.binary("lshr", x, int_(bits, _INTS))


def largest_of_each(f: Function, rows: Sequence[V]) -> V:
    """The largest element of each of 16 vectors of i32, in their order."""

    def halved(pairs: Sequence[tuple[V, V]], picks: Sequence[Sequence[int]]) -> list[V]:
        return [f.smax(*(f.shuffle(a, b, pick) for pick in picks)) for a, b in pairs]

    def within(low: Sequence[int]) -> list[int]:
        return [lane + n for lane in range(0, _LANES, 4) for n in low]

    b = _LANES
    rows = halved(
        list(zip(rows[::2], rows[1::2], strict=True)),
        (within((0, b, 1, b + 1)), within((2, b + 2, 3, b + 3))),
    )
    rows = halved(
        list(zip(rows[::2], rows[1::2], strict=True)),
        (within((0, 1, b, b + 1)), within((2, 3, b + 2, b + 3))),
    )

    def quarters(*numbers: int) -> list[int]:
        return [4 * number + n for number in numbers for n in range(4)]

    rows = halved(list(zip(rows[::2], rows[1::2], strict=True)), (quarters(0, 1, 4, 5), quarters(2, 3, 6, 7)))
    (found,) = halved([(rows[0], rows[1])], (quarters(0, 2, 4, 6), quarters(1, 3, 5, 7)))
    return found


def define_cut_blocks(module: Module, shape: MatrixShape, block: int, *, careful: bool) -> str:
    """Add `i64 @name(ptr to, ptr from, i64 pixels, ptr words)`; returns the name.

    `from` holds pixels of `block` channels; in each step of `to`, pixels have the channels of four blocks,
    with zeros behind the last one. `words`: bytes between steps of `to` and between its planes, between
    pixels of `from` and between its blocks, then channels and blocks, and two addresses: where scales are, a
    float a pixel, and the pixel of `to` that the first is of. Returns whether anything was infinite or NaN,
    which only a `careful` function cuts; that writes a plane of codes too.
    """
    assert block == _LANES
    name = f"digits_cut_{shape.tile.name}{'_careful' if careful else ''}"
    if module.has(name):
        return name
    params = [("to", "ptr"), ("from", "ptr"), ("pixels", "i64"), ("words", "ptr")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    to, source, pixels, words = f.params
    rows = _Blocks(f, shape, words, careful=careful)
    size = shape.tile.row_bytes
    before = f.sub(f.convert("ptrtoint", to, "i64"), f.word(words, 7))
    scales = f.gep(f.word(words, 6, "ptr"), f.binary("udiv", before, int_(size // 4)), "i8")
    with f.loop(int_(0), pixels, ROWS, [to, source, scales, int_(0, _INTS)]) as group:
        into, out_of, scale, met = group.carried
        count = f.smin(f.sub(pixels, group.index), int_(ROWS))
        largest = rows.largest(out_of, count, f.sub(pixels, group.index))
        factor, own = rows.cut.factors(largest)
        f.masked_store(own, scale, f.tail_mask(count, _LANES))
        f.store(factor, rows.factors)
        rows.write(into, out_of, count)
        group.next(
            f.gep(into, int_(ROWS * size), "i8"),
            f.gep(out_of, f.mul(rows.pitch, int_(ROWS)), "i8"),
            f.gep(scale, int_(ROWS), "float"),
            f.smax(met, largest),
        )
    found = f.call(f"llvm.vector.reduce.smax.v{_LANES}i32", "i32", group.carried[3])
    f.ret(f.convert("zext", f.icmp("sge", found, int_(_INFINITE, "i32")), "i64"))
    f.finish()
    return name


class _Blocks:
    """The loops over the blocks of a few pixels."""

    def __init__(self, f: Function, shape: MatrixShape, words: V, *, careful: bool) -> None:
        self.f, self.shape, self.cut = f, shape, Cut(f, careful=careful)
        self.step, self.plane, self.pitch, self.far, self.channels, self.blocks = (
            f.word(words, n) for n in range(6)
        )
        self.factors = f.alloca("float", ROWS)

    def _mask(self, block: V) -> V:
        return self.f.tail_mask(self.f.sub(self.channels, self.f.mul(block, int_(_LANES))), _LANES)

    def largest(self, source: V, count: V, left: V) -> V:
        """The largest magnitudes of all blocks of `count` pixels, those of `left` ones that come first."""
        f = self.f
        last = f.sub(count, int_(1))
        at = [f.mul(f.smin(int_(n), last), self.pitch) for n in range(ROWS)]
        following = f.smax(f.sub(f.smin(left, int_(2 * ROWS)), int_(ROWS)), int_(0))
        beyond = f.mul(following, self.pitch)
        with f.loop(int_(0), self.blocks, 1, [source, *[int_(0, _INTS)] * ROWS]) as block:
            here, *found = block.carried
            mask, later = self._mask(block.index), f.gep(here, beyond, "i8")
            for n in range(ROWS):
                prefetch(f, f.gep(later, at[n], "i8"), 1)
                x = f.masked_load(f.gep(here, at[n], "i8"), _FLOATS, mask)
                found[n] = self.cut.larger(found[n], x)
            block.next(f.gep(here, self.far, "i8"), *found)
        return largest_of_each(f, block.carried[1:])

    def write(self, to: V, source: V, count: V) -> None:
        """The digits of all steps of `count` pixels."""
        f, ways = self.f, self.shape.abreast
        last = f.sub(self.blocks, int_(1))
        with f.loop(int_(0), self.blocks, ways, [to]) as step:
            (into,) = step.carried
            numbers = [f.add(step.index, int_(n)) for n in range(ways)]
            masks = [self._mask(number) for number in numbers]
            begin = [f.gep(source, f.mul(self.far, f.smin(n, last)), "i8") for n in numbers]
            with f.loop(int_(0), count, 1, [into, *begin]) as pixel:
                there, *here = pixel.carried
                x = [f.masked_load(p, _FLOATS, m) for p, m in zip(here, masks, strict=True)]
                factor = f.splat(f.load(f.gep(self.factors, pixel.index, "float"), "float"), _LANES)
                for number, plane in enumerate(self.cut.planes(x, factor)):
                    f.store(plane, f.gep(there, f.mul(self.plane, int_(number)), "i8"))
                there = f.gep(there, int_(self.shape.tile.row_bytes), "i8")
                pixel.next(there, *(f.gep(p, self.pitch, "i8") for p in here))
            step.next(f.gep(into, self.step, "i8"))
