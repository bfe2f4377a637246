"""The points of one tile cut into digits, each with a scale of its own: that of its largest magnitude.

Points are 16 rows at a time, of all channels. Must not know what they are multiplied by.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.named import IntEnum
from sardonyx.kernels.digits.cut import FLOATS, INTS, LANES, Cut, largest_of_each
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.microkernel import hidden, multiples
from sardonyx.kernels.winograd.scheme import Scheme
from sardonyx.llvm.vec import Function, Module, V, float_, int_

_INFINITE = 0x7F800000
_TOGETHER = 6
"""Points that are read from one address."""


class CutWords(IntEnum):
    """The i64 words of what is cut: bytes between points of floats and between those of digits, channels.

    POWERS is the address of what each channel is multiplied by.
    """

    FROM = 0
    TO = 1
    CHANNELS = 2
    POWERS = 3


def scale_bytes(points: int) -> int:
    """Bytes of the scales of a tile: those of so many points, in whole vectors."""
    return -(-points // LANES) * LANES * 4


def define_cut_points(module: Module, shape: MatrixShape, scheme: Scheme, *, by_powers: bool = False) -> str:
    """Add `void @name(ptr to, ptr scales, ptr from, ptr words)`; returns the name.

    `from` holds the channels of each point as floats, `to` gets those of a point step by step, a row of a
    register of each digit, with zeros behind the last channel; `scales` a float a point. The scale of a point
    that is not finite is NaN. Channels are multiplied `by_powers` first, or not.
    """
    name = f"winograd_{scheme.name}_cut{'_by_powers' if by_powers else ''}"
    params = [("to", "ptr"), ("scales", "ptr"), ("from", "ptr"), ("words", "ptr")]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    _Writer(f, shape, scheme.points, by_powers=by_powers).write()
    return name


class _Writer:
    """Writes the function."""

    def __init__(self, f: Function, shape: MatrixShape, points: int, *, by_powers: bool) -> None:
        self.f, self.shape, self.points, self.cut = f, shape, points, Cut(f, careful=False)
        self.to, self.scales, self.source, words = f.params
        self.pitch, self.apart, self.channels = (f.word(words, word) for word in list(CutWords)[:3])
        self.powers = f.word(words, CutWords.POWERS, "ptr") if by_powers else None
        self.distances = multiples(f, self.pitch)
        self.factors = f.alloca("float", scale_bytes(points) // 4)

    def write(self) -> None:
        f = self.f
        for first in range(0, self.points, LANES):
            largest = self._largest(first, min(LANES, self.points - first))
            factor, scale = self.cut.factors(largest)
            finite = f.icmp("slt", largest, int_(_INFINITE, INTS))
            f.store(factor, f.gep(self.factors, int_(first), "float"))
            scale = f.select(finite, scale, float_(float("nan"), FLOATS))
            f.store(scale, f.gep(self.scales, int_(first), "float"))
        whole = f.binary("and", self.channels, int_(-self.shape.k_step))
        with f.loop(int_(0), int_(self.points), 1, [self.source, self.to]) as point:
            source, to = point.carried
            factor = f.splat(f.load(f.gep(self.factors, point.index, "float"), "float"), LANES)
            with f.loop(int_(0), whole, self.shape.k_step, [to]) as step:
                x = self._read(source, step.index, [None] * self.shape.abreast)
                step.next(self._store(x, factor, step.carried[0]))
            left = f.sub(self.channels, whole)
            with f.when(f.icmp("sgt", left, int_(0))):
                masks = [f.tail_mask(f.sub(left, int_(n * LANES)), LANES) for n in range(self.shape.abreast)]
                x = self._read(source, whole, masks)
                self._store(x, factor, step.carried[0])
            point.next(f.gep(source, self.pitch, "i8"), f.gep(to, self.apart, "i8"))
        f.ret()
        f.finish()

    def _read(self, source: V, first: V, masks: Sequence[V | None]) -> list[V]:
        """The vectors of a step from a channel on, multiplied, 0 where they are masked."""
        x, powers = self._vectors(source, first, masks), self._powers(first, masks)
        return [self._times(*pair) for pair in zip(x, powers, strict=True)]

    def _powers(self, first: V, masks: Sequence[V | None]) -> Sequence[V | None]:
        """What the channels of these vectors are multiplied by."""
        return [None] * len(masks) if self.powers is None else self._vectors(self.powers, first, masks)

    def _vectors(self, source: V, first: V, masks: Sequence[V | None]) -> list[V]:
        f = self.f
        at = f.gep(source, first, "float")
        places = [f.gep(at, int_(n * LANES), "float") for n in range(len(masks))]
        return [
            f.masked_load(p, FLOATS, mask) if mask else f.load(p, FLOATS)
            for p, mask in zip(places, masks, strict=True)
        ]

    def _times(self, x: V, powers: V | None) -> V:
        return x if powers is None else self.f.binary("fmul", x, powers)

    def _store(self, x: Sequence[V], factor: V, to: V) -> V:
        """The digits of a step, and where those of the next one belong."""
        f, size = self.f, self.shape.register_bytes
        for number, plane in enumerate(self.cut.planes(x, factor)):
            f.store(plane, f.gep(to, int_(number * size), "i8"))
        return f.gep(to, int_(self.shape.planes * size), "i8")

    def _largest(self, first: int, count: int) -> V:
        """The largest magnitudes of all channels of some points, 0 behind them."""
        f, none = self.f, int_(0, INTS)
        begin = f.gep(self.source, f.mul(self.pitch, int_(first)), "i8")
        with f.loop(int_(0), self.channels, LANES, [begin, *[none] * count]) as block:
            at, *found = block.carried
            mask = f.tail_mask(f.sub(self.channels, block.index), LANES)
            (powers,) = self._powers(block.index, [mask])
            base = hidden(f, at)
            for n in range(count):
                if n and n % _TOGETHER == 0:
                    base = hidden(f, f.gep(base, self.distances[_TOGETHER], "i8"))
                x = f.masked_load(f.gep(base, self.distances[n % _TOGETHER], "i8"), FLOATS, mask)
                found[n] = self.cut.larger(found[n], self._times(x, powers))
            block.next(f.gep(at, int_(LANES), "float"), *found)
        return largest_of_each(f, [*block.carried[1:], *[none] * (LANES - count)])
