"""Bytes that each lane chooses out of a table of up to 128. Must not know loops or kernels."""

from __future__ import annotations

from sardonyx.base.target import Target
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_

MOST = 128
"""Most bytes of a table: two vectors of the longest kind, and places that are positive as signed bytes."""
_PART = 16


def reach_of(target: Target) -> int:
    """How many bytes an instruction chooses from; 0 if a machine has none for whole vectors of bytes."""
    lanes = 4 * target.lanes
    type_ = vector_of("i8", lanes)
    if target.instruction("permute", type_) and target.instruction("pick", type_):
        return lanes
    return _PART if target.instruction("permute within 16", type_) else 0


class ByteTable:
    """A table in registers: whole vectors of it, or parts of 16 bytes that fill vectors."""

    def __init__(self, f: Function, target: Target, address: V, count: int) -> None:
        self.f, self.reach, self.lanes = f, reach_of(target), 4 * target.lanes
        self.type = vector_of("i8", self.lanes)
        names = ("permute", "pick", "permute within 16")
        self.one, self.both, self.within = (target.instruction(name, self.type) for name in names)
        self.parts = [self._part(f.gep(address, int_(at), "i8")) for at in range(0, count, self.reach)]

    def at(self, place: V) -> V:
        """In each lane the byte at an i8 place; the table is read in whole parts."""
        f, parts = self.f, self.parts
        if self.both and len(parts) == 2:
            return f.call(self.both.name, self.type, parts[0], place, parts[1])
        one = self.one or self.within
        assert one is not None, f"no instruction chooses bytes of {self.type}"
        found = [f.call(one.name, self.type, part, place) for part in parts]
        chosen = found[-1]
        for number in range(len(found) - 1, 0, -1):
            is_before = f.icmp("slt", place, int_(number * self.reach, self.type))
            chosen = f.select(is_before, found[number - 1], chosen)
        return chosen

    def _part(self, address: V) -> V:
        f = self.f
        part = f.load(address, vector_of("i8", self.reach))
        if self.reach == self.lanes:
            return part
        return f.shuffle(part, V("poison", part.type), [lane % self.reach for lane in range(self.lanes)])
