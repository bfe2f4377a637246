"""Rows of A cut into digits, each with a scale of its own, that of its largest magnitude, or all with one.

Lane n of vector v of four is number 4n+v of a
step, so that nothing moves across lanes. Decides what is done about inf and NaN: a row has the digits of 0 in
their place. Must not know what the matrices are used for.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.kernels.digits.numbers import LARGEST, ZEROS
from sardonyx.kernels.digits.special import Code
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, float_, int_

LANES = 16
FLOATS, INTS = vector_of("float", LANES), vector_of("i32", LANES)
_MAGNITUDE, _INFINITE = 0x7FFFFFFF, 0x7F800000
_LEAST = 2.0**-104
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
        bits = f.binary("and", f.bitcast(x, INTS), int_(_MAGNITUDE, INTS))
        if self.careful:
            finite = f.icmp("slt", bits, int_(_INFINITE, INTS))
            bits = f.select(finite, bits, int_(0, INTS))
        return f.smax(largest, bits)

    def factors(self, largest: V) -> tuple[V, V]:
        """What rows of these largest magnitudes are multiplied by, and their scales."""
        f = self.f
        most = f.bitcast(f.smax(largest, f.bitcast(float_(_LEAST, FLOATS), INTS)), FLOATS)
        factor = f.binary("fdiv", float_(LARGEST, FLOATS), most)
        return factor, f.binary("fdiv", float_(_PLACES, FLOATS), factor)

    def planes(self, x: Sequence[V], factor: V) -> list[V]:
        """The digits of four vectors, the most significant first; of a careful cut codes too."""
        f = self.f
        codes: list[V] = []
        if self.careful:
            codes = [self._code(v) for v in x]
            x = [self._finite(v, code) for v, code in zip(x, codes, strict=True)]
        offset = float_(ZEROS, FLOATS)
        whole = [f.call("llvm.lrint.v16i32.v16f32", INTS, f.fma(v, factor, offset)) for v in x]
        outer = [self._merged(whole[n], self._up(whole[n + 1], 8), _BYTES_02) for n in (0, 2)]
        inner = [self._merged(self._down(whole[n], 8), whole[n + 1], _BYTE_0) for n in (0, 2)]
        found = [
            self._merged(self._down(outer[0], 16), outer[1], _LOWER),
            self._merged(inner[0], self._up(inner[1], 16), _LOWER),
            self._merged(outer[0], self._up(outer[1], 16), _LOWER),
        ]
        signed = [f.binary("xor", plane, int_(_OFFSET, INTS)) for plane in found]
        if codes:
            pairs = [f.binary("or", codes[n], self._up(codes[n + 1], 8)) for n in (0, 2)]
            signed.append(f.binary("or", pairs[0], self._up(pairs[1], 16)))
        return signed

    def _code(self, x: V) -> V:
        f = self.f
        bits = f.bitcast(x, INTS)
        magnitude = f.binary("and", bits, int_(_MAGNITUDE, INTS))
        found = f.select(
            f.icmp("slt", bits, int_(0, INTS)), int_(Code.NEGATIVE, INTS), int_(Code.INFINITE, INTS)
        )
        infinite = int_(_INFINITE, INTS)
        found = f.select(f.icmp("sgt", magnitude, infinite), int_(Code.NAN, INTS), found)
        return f.select(f.icmp("slt", magnitude, infinite), int_(Code.NONE, INTS), found)

    def _finite(self, x: V, code: V) -> V:
        f = self.f
        return f.select(f.icmp("eq", code, int_(Code.NONE, INTS)), x, int_(0, FLOATS))

    def _merged(self, a: V, b: V, mask: int) -> V:
        """The bits of `a` in the mask, those of `b` elsewhere."""
        f = self.f
        kept = f.binary("and", a, int_(mask, INTS))
        return f.binary("or", kept, f.binary("and", b, int_(~mask, INTS)))

    def _up(self, x: V, bits: int) -> V:
        return self.f.binary("shl", x, int_(bits, INTS))

    def _down(self, x: V, bits: int) -> V:
        return self.f.binary("lshr", x, int_(bits, INTS))


def largest_of_each(f: Function, rows: Sequence[V]) -> V:
    """The largest element of each of 16 vectors of i32, in their order."""

    def halved(pairs: Sequence[tuple[V, V]], picks: Sequence[Sequence[int]]) -> list[V]:
        return [f.smax(*(f.shuffle(a, b, pick) for pick in picks)) for a, b in pairs]

    def within(low: Sequence[int]) -> list[int]:
        return [lane + n for lane in range(0, LANES, 4) for n in low]

    b = LANES
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


def is_special(f: Function, largest: V) -> V:
    """Whether one of 16 magnitudes is infinite or NaN: 1 or 0, as i64."""
    found = f.call(f"llvm.vector.reduce.smax.v{LANES}i32", "i32", largest)
    return f.convert("zext", f.icmp("sge", found, int_(_INFINITE, "i32")), "i64")
