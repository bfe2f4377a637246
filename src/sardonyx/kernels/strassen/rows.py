"""The left operands: pairs of rows of A, scaled, as sums of their halves.

Decides how rows are scaled and what is not finite; must not know what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.strassen.scheme import PRODUCTS, lefts
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_INFINITE = 0x7F800000
_EXPONENT_BITS, _BIAS, _LEAST, _MOST = 23, 127, 1, 253
"""Biased exponents e of rows for which 2^(127 - e) and its inverse are normal numbers."""

_USUAL = (_BIAS - 60) << _EXPONENT_BITS, (_BIAS + 60) << _EXPONENT_BITS
"""Bits of sums of squares that neither lost small numbers nor overflowed; others are summed again, scaled."""


@dataclass(frozen=True, slots=True)
class Summand:
    """A vector of floats that can be added to others."""

    f: Function
    value: V

    def __add__(self, other: Summand, /) -> Summand:
        return Summand(self.f, self.f.binary("fadd", self.value, other.value))

    def __sub__(self, other: Summand, /) -> Summand:
        return Summand(self.f, self.f.binary("fsub", self.value, other.value))


def define_scales(module: Module, shape: TileShape) -> str:
    """Add `i32 @strassen_scales_f32(ptr row, i64 size, i64 next, ptr scales, ptr factors, i64 rows)`.

    Each row of `size` floats, `next` bytes apart, is to be multiplied by a power of two that makes its norm
    about one; its factor takes that back, and is 0 for a row of zeros. Returns 1 if a number of a row is not
    finite, else 0.
    """
    name = f"strassen_scales_{shape.operand}"
    params = [("row", "ptr"), ("size", "i64"), ("next", "i64")]
    params += [("scales", "ptr"), ("factors", "ptr"), ("rows", "i64")]
    f = Function(module, name, params, "i32", internal=True, attributes="nounwind noinline")
    begin, size, following, scales, factors, rows = f.params
    none = int_(0, "i32")
    with f.loop(int_(0), rows, 1, [begin, scales, factors, none]) as row:
        at, scale, factor, before = row.carried
        largest, squares = _measured(f, shape, at, size)
        usual = f.icmp("ult", f.sub(squares, int_(_USUAL[0], "i32")), int_(_USUAL[1] - _USUAL[0], "i32"))
        careful = f.sub(int_(1), f.convert("zext", usual, "i64"))
        with f.loop(int_(0), careful, 1, [_halved(f, squares)]) as again:
            exponent = _normal(f, f.binary("lshr", largest, int_(_EXPONENT_BITS, "i32")))
            scaled = _measured(f, shape, at, size, _power(f, f.sub(int_(2 * _BIAS, "i32"), exponent)))[1]
            root = f.sub(_halved(f, scaled), int_(_BIAS, "i32"))
            again.next(f.add(exponent, root))
        exponent = _normal(f, again.carried[0])
        f.store(_power(f, f.sub(int_(2 * _BIAS, "i32"), exponent)), scale)
        some = f.icmp("sgt", largest, none)
        f.store(f.select(some, _power(f, exponent), float_(0.0)), factor)
        one = int_(shape.element)
        later = f.gep(at, following, "i8"), f.gep(scale, one, "i8"), f.gep(factor, one, "i8")
        row.next(*later, f.smax(before, largest))
    f.ret(f.convert("zext", f.icmp("sge", row.carried[3], int_(_INFINITE, "i32")), "i32"))
    f.finish()
    return name


def _measured(f: Function, shape: TileShape, row: V, size: V, scale: V | None = None) -> tuple[V, V]:
    """The largest magnitude of a row of an even number of vectors, and the sum of its squares, both as bits.

    With a scale, the squares are those of scaled numbers.
    """
    ints = vector_of("i32", shape.lanes)
    magnitude = int_(0x7FFFFFFF, ints)
    factor = None if scale is None else f.splat(scale, shape.lanes)
    nothing = [int_(0, ints)] * 2 + [V("zeroinitializer", shape.vector)] * 2
    with f.loop(int_(0), size, 2 * shape.lanes, nothing) as step:
        largest, sums = [], []
        for n, (most, total) in enumerate(zip(step.carried[:2], step.carried[2:], strict=True)):
            at = f.gep(row, f.add(step.index, int_(n * shape.lanes)), shape.dtype)
            x = f.load(at, shape.vector)
            largest.append(f.smax(most, f.binary("and", f.bitcast(x, ints), magnitude)))
            x = x if factor is None else f.binary("fmul", x, factor)
            sums.append(f.fma(x, x, total))
        step.next(*largest, *sums)
    most = f.call(f"llvm.vector.reduce.smax.{mangle(ints)}", "i32", f.smax(*step.carried[:2]))
    return most, _total(f, f.binary("fadd", *step.carried[2:]))


def _total(f: Function, sums: V) -> V:
    """The bits of the sum of the lanes."""
    while sums.lanes > 2:
        lanes = range(sums.lanes)
        ends = (
            f.shuffle(sums, sums, lanes[at]) for at in (slice(sums.lanes // 2), slice(sums.lanes // 2, None))
        )
        sums = f.binary("fadd", *ends)
    return f.bitcast(f.binary("fadd", f.extract(sums, 0), f.extract(sums, 1)), "i32")


def _halved(f: Function, squares: V) -> V:
    """The biased exponent of the root of the number with these bits."""
    exponent = f.sub(f.binary("lshr", squares, int_(_EXPONENT_BITS, "i32")), int_(_BIAS, "i32"))
    return f.add(f.binary("ashr", exponent, int_(1, "i32")), int_(_BIAS, "i32"))


def _normal(f: Function, exponent: V) -> V:
    return f.smin(f.smax(exponent, int_(_LEAST, "i32")), int_(_MOST, "i32"))


def _power(f: Function, exponent: V) -> V:
    """The power of two with that biased exponent."""
    return f.bitcast(f.binary("shl", exponent, int_(_EXPONENT_BITS, "i32")), "float")


def define_lefts(module: Module, shape: TileShape) -> str:
    """Add `void @strassen_lefts_f32(args, to, scales, low, high)`; returns the name.

    The left operands of pairs low..high of rows, to[product][pair - low][step], PITCH between pairs and PAIRS
    times that between products. Each half of k is whole vectors. A last row alone is paired with itself.
    """
    params = [*((n, "ptr") for n in ("args", "to", "scales")), ("low", "i64"), ("high", "i64")]
    name = f"strassen_lefts_{shape.operand}"
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    args, to, scales, low, high = f.params
    a, m = f.word(args, Gemm.A, "ptr"), f.word(args, Gemm.M)
    last = f.sub(m, int_(1))
    half = f.binary("lshr", f.word(args, Gemm.K), int_(1))
    stride, pitch = f.word(args, Gemm.A_M), f.word(args, Gemm.PITCH)
    operand = f.mul(pitch, f.word(args, Gemm.PAIRS))
    with f.loop(low, high, 1, [to, scales]) as pair:
        into, scale = pair.carried
        first = f.mul(pair.index, int_(2))
        begins: list[V] = []
        factors: list[V] = []
        for n in range(2):
            number = f.smin(f.add(first, int_(n)), last)
            row = f.gep(a, f.mul(number, stride), shape.dtype)
            begins += [row, f.gep(row, half, shape.dtype)]
            own = f.load(f.gep(scale, f.sub(number, first), shape.dtype), shape.dtype)
            factors += [f.splat(own, shape.lanes)] * 2
        for product in range(PRODUCTS):
            at = f.gep(into, f.mul(operand, int_(product)), shape.dtype)
            _left(f, shape, product, (begins, factors), at, half)
        pair.next(f.gep(into, pitch, shape.dtype), f.gep(scale, int_(2), shape.dtype))
    f.ret()
    f.finish()
    return name


def _left(
    f: Function, shape: TileShape, product: int, rows: tuple[Sequence[V], Sequence[V]], to: V, half: V
) -> None:
    """One left operand, of where quarters begin and their scales: memory is written in order."""
    with f.loop(int_(0), half, shape.lanes) as step:
        quarters = []
        for begin, factor in zip(*rows, strict=True):
            x = f.load(f.gep(begin, step.index, shape.dtype), shape.vector)
            quarters.append(Summand(f, f.binary("fmul", x, factor)))
        f.store(lefts(quarters)[product].value, f.gep(to, step.index, shape.dtype))
