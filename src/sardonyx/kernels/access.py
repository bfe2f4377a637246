"""Elements of any type in memory, one or a masked vector at a time, as values of their compute type."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.target import Target
from sardonyx.llvm.convert import compute_type, from_memory, memory_type, to_memory
from sardonyx.llvm.types import mangle, size_of, vector_of
from sardonyx.llvm.vec import Function, V, int_

_WORDS = 8
_PERMUTED = vector_of("float", _WORDS)
"""Registers of machines that move lanes together by choosing words."""


@dataclass(frozen=True, slots=True)
class Access:
    """Loads and stores elements of `dtype` in the function being written."""

    f: Function
    dtype: DType
    target: Target

    @property
    def compute(self) -> str:
        """The LLVM type of one element in a register."""
        return compute_type(self.dtype)

    def at(self, pointer: V, index: V) -> V:
        """The address of an element."""
        return self.f.gep(pointer, index, self.plain)

    def load(self, pointer: V, index: V) -> V:
        """One element."""
        scalar = memory_type(self.dtype)
        return from_memory(self.f, self.f.load(self.at(pointer, index), scalar), self.dtype)

    def store(self, value: V, pointer: V, index: V) -> None:
        """Store one element."""
        self.f.store(to_memory(self.f, value, self.dtype, self.target), self.at(pointer, index))

    def load_double(self, pointer: V, index: V) -> V:
        """One float element in double precision."""
        value = self.load(pointer, index)
        return value if value.type == "double" else self.f.convert("fpext", value, "double")

    def store_double(self, value: V, pointer: V, index: V) -> None:
        """Round a double to an element and store it."""
        self.store(self._rounded(value), pointer, index)

    def load_doubles(self, pointer: V, index: V, mask: V) -> V:
        """Consecutive float elements from `index` on in double precision; zeros where the mask is off."""
        value = self.load_lanes(pointer, index, mask)
        return value if value.scalar == "double" else self.f.convert("fpext", value, "double")

    def store_doubles(self, value: V, pointer: V, index: V, mask: V) -> None:
        """Round doubles to consecutive elements from `index` on, and store them where the mask is on."""
        self.store_lanes(self._rounded(value), pointer, index, mask)

    def _rounded(self, value: V) -> V:
        return value if self.compute == "double" else self.f.convert("fptrunc", value, self.compute)

    def load_lanes(self, pointer: V, index: V, mask: V) -> V:
        """Consecutive elements from `index` on; zeros where the mask is off."""
        f, lanes = self.f, mask.lanes
        raw = f.masked_load(self.at(pointer, index), vector_of(self.plain, lanes), mask)
        raw = f.bitcast(raw, vector_of(memory_type(self.dtype), lanes))
        return from_memory(f, raw, self.dtype)

    def store_lanes(self, value: V, pointer: V, index: V, mask: V) -> None:
        """Store consecutive elements from `index` on, where the mask is on."""
        raw = to_memory(self.f, value, self.dtype, self.target)
        raw = self.f.bitcast(raw, vector_of(self.plain, mask.lanes))
        self.f.masked_store(raw, self.at(pointer, index), mask)

    @property
    def plain(self) -> str:
        """The type of an element for masked instructions, which know no half."""
        return "i16" if self.dtype is dt.F16 else memory_type(self.dtype)


def gather(f: Function, pointer: V, offsets: V, scalar: str) -> V:
    """The elements of plain type `scalar` at integer offsets from a pointer, one a lane."""
    addresses = f.value(vector_of("ptr", offsets.lanes), f"getelementptr {scalar}, {pointer}, {offsets}")
    type_, mask = vector_of(scalar, offsets.lanes), int_(1, vector_of("i1", offsets.lanes))
    name = f"llvm.masked.gather.{mangle(type_)}.{mangle(addresses.type)}"
    f.module.declare(name, type_, [addresses.type, mask.type, type_])
    where = f"{addresses.type} align {size_of(scalar)} {addresses.text}"
    return f.value(type_, f"call {type_} @{name}({where}, {mask}, {type_} zeroinitializer)")


def compressed(f: Function, value: V, mask: V, target: Target) -> tuple[V, V]:
    """The lanes of the mask moved together, the others undefined, and their number as i64.

    The vector must fit a register: LLVM 22 stores the halves of larger ones with a wrong alignment.
    """
    bits = f.bitcast(mask, f"i{mask.lanes}")
    count = f.convert("zext", f.call(f"llvm.ctpop.{bits.type}", bits.type, bits), "i64")
    permute = target.instruction("permute", _PERMUTED)
    if permute is not None and value.lanes * size_of(value.scalar) == _WORDS * size_of("float"):
        places = f.convert("zext", f.load(_places_of(f, bits), vector_of("i8", _WORDS), 8), "i32")
        packed = f.call(permute.name, _PERMUTED, f.bitcast(value, _PERMUTED), places)
        return f.bitcast(packed, value.type), count
    name = f"llvm.experimental.vector.compress.{mangle(value.type)}"
    return f.call(name, value.type, value, mask, V("poison", value.type)), count


def _places_of(f: Function, bits: V) -> V:
    """The address of bytes: which words of a register those lanes are whose bits are set, together."""
    lanes = int(bits.type[1:])
    each = _WORDS // lanes
    rows = []
    for mask in range(1 << lanes):
        words = [lane * each + n for lane in range(lanes) if mask >> lane & 1 for n in range(each)]
        rows += words + [0] * (_WORDS - len(words))
    table = f.module.table(f"places_of_{lanes}", "i8", [int_(word, "i8") for word in rows])
    return f.gep(table, f.mul(f.convert("zext", bits, "i64"), int_(_WORDS)), "i8")
