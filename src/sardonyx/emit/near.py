"""Elements at places that data gives, where lanes beside each other want neighbours: read, then picked.

Decides what is near enough; what is not, or lies outside of the row, is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sardonyx.base.target import Target
from sardonyx.llvm.lookup import looked_up, looks_up
from sardonyx.llvm.types import mangle, size_of, vector_of
from sardonyx.llvm.vec import Function, V, int_

_REGISTER = "float"
_NEAR, _FAR = 2, 4
"""Vectors from the place of the first lane on: what pictures need that grow, and that shrink."""


def may_be_near(target: Target, memory: str, lanes: int) -> bool:
    """Whether a machine picks elements of this type out of vectors: of 32 bits, or made so wide."""
    return size_of(memory) <= size_of(_REGISTER) and looks_up(target, vector_of(_REGISTER, lanes))


class NearLoad:
    """The elements of one row at i32 or i64 places, those of the mask only (None: all).

    Args:
        function: the function that is written.
        target: what it is written for.
        row: where the row begins.
        memory: the type of an element.
        extent: how many elements it has.
        index: the places.
        mask: the lanes that are wanted.
    """

    def __init__(
        self, function: Function, target: Target, row: V, memory: str, extent: V, index: V, mask: V | None
    ) -> None:
        self.f = function
        self.target = target
        self.row = row
        self.memory = memory
        self.extent = extent
        self.index = index
        self.mask = mask
        self.lanes = index.lanes

    def write(self, elsewhere: Callable[[], V]) -> V:
        """The elements; `elsewhere` writes how those are found that are not near."""
        f, done = self.f, self.f.new_label("read")
        found = []
        for is_inside, read in self._attempts():
            near, far = f.new_label("near"), f.new_label("far")
            f.branch(is_inside, near, far)
            f.start(near)
            found.append((read(), f.label))
            f.jump(done)
            f.start(far)
        found.append((elsewhere(), f.label))
        f.jump(done)
        f.start(done)
        return f.phi(*found)

    def _attempts(self) -> Iterator[tuple[V, Callable[[], V]]]:
        """Conditions, and what reads where one holds; each is written after the one before has failed."""
        f, reach = self.f, _NEAR * self.lanes
        known = self.extent.known
        if known is None or known > reach:
            first = f.extract(self.index, 0)
            start = first if first.type == "i64" else f.convert("sext", first, "i64")
            for vectors in (_NEAR, _FAR):
                size = int_(vectors * self.lanes)
                base = f.smin(start, f.sub(self.extent, size))
                place = self._from(base)
                is_inside = f.binary("and", f.icmp("sge", base, int_(0)), self._are_below(place, size))
                yield is_inside, partial(self._read, base, place, vectors, None)
        if known is None or known <= reach:
            count = f.smin(f.opaque(self.extent), int_(reach))
            vectors = _NEAR if known is None else max(1, -(-known // self.lanes))
            is_inside = self._are_below(self.index, count)
            yield is_inside, partial(self._read, int_(0), self.index, vectors, count)

    def _from(self, base: V) -> V:
        """How far the places are from one of them."""
        f, narrow = self.f, self._as_index(base)
        return f.sub(self.index, f.splat(narrow, self.lanes))

    def _as_index(self, number: V) -> V:
        scalar = self.index.scalar
        return number if scalar == "i64" else self.f.convert("trunc", number, scalar)

    def _are_below(self, place: V, count: V) -> V:
        """Whether all wanted places are below a number, and none is negative."""
        f, limit = self.f, self.f.splat(self._as_index(count), self.lanes)
        inside = f.icmp("ult", place, limit)
        if self.mask is not None:
            unwanted = f.binary("xor", self.mask, V("splat (i1 true)", self.mask.type))
            inside = f.binary("or", inside, unwanted)
        return f.call(f"llvm.vector.reduce.and.{mangle(inside.type)}", "i1", inside)

    def _read(self, base: V, place: V, count: int, extent: V | None) -> V:
        """The elements at places behind a base, in so many vectors, of which `extent` elements exist."""
        f, type_ = self.f, vector_of(self.memory, self.lanes)
        start = f.gep(self.row, base, self.memory)
        vectors = []
        for skipped in range(0, count * self.lanes, self.lanes):
            at = f.gep(start, int_(skipped), self.memory)
            if extent is None:
                vectors.append(f.load(at, type_))
            else:
                vectors.append(
                    f.masked_load(at, type_, f.tail_mask(f.sub(extent, int_(skipped)), self.lanes))
                )
        narrow = place if place.scalar == "i32" else f.convert("trunc", place, "i32")
        return self._narrowed(looked_up(f, self.target, [self._widened(v) for v in vectors], narrow))

    def _widened(self, elements: V) -> V:
        """Elements as floats of the same bits, and zeros above."""
        f, bits = self.f, 8 * size_of(self.memory)
        whole = f.bitcast(elements, vector_of(f"i{bits}", self.lanes))
        return f.bitcast(whole if bits == 32 else f.convert("zext", whole, "i32"), self._registers)

    def _narrowed(self, found: V) -> V:
        """The inverse of `_widened`."""
        f, bits = self.f, 8 * size_of(self.memory)
        whole = f.bitcast(found, vector_of("i32", self.lanes))
        return f.bitcast(
            whole if bits == 32 else f.convert("trunc", whole, f"i{bits}"), vector_of(self.memory, self.lanes)
        )

    @property
    def _registers(self) -> str:
        return vector_of(_REGISTER, self.lanes)
