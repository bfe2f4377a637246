"""The k least keys of a line in order, where k are many: most are passed over, a vector at a time.

What is below is listed. Of a full list the least stay, and the bound falls to what is above these. Decides
when a list is full and how a bound is found; must not know what keys stand for.
"""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.kernels.access import compressed
from sardonyx.kernels.select.radix import ENTRY_BYTES, define_radix, entry_at, store_entry
from sardonyx.llvm.lanes import any_lane
from sardonyx.llvm.types import mangle, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

Keys = Callable[[Function, V, V, V], V]
"""Writes the vector of unsigned keys of a line (a pointer) from a place on, where a mask is on."""

_LEAST_SPARE = 512
"""Keys that a list has room for beside the k least: as many as these, and at least so many."""

_LOOSE = 8
"""A bound that leaves 1/8 more than the k least is near enough."""

_VECTORS_BEHIND = 3
"""Of room behind a list: one that is cut off, what is written behind a list of them, and what is appended."""

_COUNT, _BOUND = 0, 1


def lanes_of(bits: int, target: Target) -> int:
    """Keys of so many bits that fit a register."""
    return target.lanes * 32 // bits


def sieve_bytes(size: Dim, k: Dim, bits: int, target: Target) -> Dim:
    """The scratch for a line of so many keys of so many bits: keys, places, places of equal keys, entries."""
    capacity = dims.minimum(size, k + dims.maximum(k, _LEAST_SPARE))
    lanes = lanes_of(bits, target)
    room = (dims.floordiv(capacity, lanes) + _VECTORS_BEHIND) * lanes
    entries = k + dims.floordiv(k, _LOOSE)
    return room * (3 * bits // 8) + entries * (2 * ENTRY_BYTES)


def define_sieve(module: Module, name: str, keys: Keys, bits: int, target: Target) -> str:
    """Add `ptr @name_sieve(ptr line, i64 size, i64 k, ptr scratch)`; returns its name.

    0 < k <= size. The result are at least k entries of `radix` in order, of keys and their places; of equal
    keys those of the least places, in order.
    """
    return _Sieve(module, f"{name}_sieve", keys, bits, target).write()


class _Sieve:
    """Writes the functions."""

    def __init__(self, module: Module, symbol: str, keys: Keys, bits: int, target: Target) -> None:
        self.module, self.symbol, self.load_keys, self.target = module, symbol, keys, target
        self.lanes = lanes_of(bits, target)
        self.key = f"i{bits}"
        self.keys_type = vector_of(self.key, self.lanes)

    def write(self) -> str:
        """Add both."""
        radix = define_radix(self.module, self.symbol)
        cut = self._write_cut()
        params = [("line", "ptr"), ("size", "i64"), ("k", "i64"), ("scratch", "ptr")]
        self.f = f = Function(
            self.module, self.symbol, params, "ptr", internal=True, attributes="nounwind noinline"
        )
        self.line, self.size, k, scratch = f.params
        capacity = f.smin(self.size, f.add(k, f.smax(k, int_(_LEAST_SPARE))))
        self._lay_out(scratch, capacity)
        most = self._most(k)
        self._fill(capacity)
        arguments = self.keys, self.places, self.ties, self.state, k
        with f.when(f.icmp("sgt", capacity, most)):
            f.call(cut, "void", *arguments)
        with f.loop(capacity, self.size, self.lanes) as block, f.when(self._are_below(block.index)):
            count = self._append(block.index)
            with f.when(f.icmp("sgt", count, capacity)):
                f.call(cut, "void", *arguments)
        with f.when(f.icmp("sgt", self._count(), most)):
            f.call(cut, "void", *arguments)
        varying = self._write_entries()
        f.ret(f.call(radix, "ptr", self.entries, entry_at(f, self.entries, most), self._count(), varying))
        f.finish()
        return self.symbol

    def _most(self, k: V) -> V:
        return self.f.add(k, self.f.binary("udiv", k, int_(_LOOSE)))

    def _lay_out(self, scratch: V, capacity: V) -> None:
        f = self.f
        vectors = f.add(f.binary("udiv", capacity, int_(self.lanes)), int_(_VECTORS_BEHIND))
        room = f.mul(vectors, int_(self.lanes))
        self.state = f.alloca("i64", 2)
        self.keys = scratch
        self.places, self.ties, self.entries = (
            f.gep(scratch, f.mul(room, int_(n)), self.key) for n in (1, 2, 3)
        )

    def _at(self, list_: V, place: V) -> V:
        return self.f.gep(list_, place, self.key)

    def _count(self) -> V:
        return self.f.load(self.state, "i64")

    def _places_from(self, first: V) -> V:
        f = self.f
        start = f.splat(f.convert("trunc", first, self.key), self.lanes)
        return f.add(start, f.iota(self.lanes, self.key))

    def _store(self, vector: V, list_: V, place: V) -> None:
        self.f.store(vector, self._at(list_, place), 4)

    def _load(self, list_: V, place: V) -> V:
        return self.f.load(self._at(list_, place), self.keys_type, 4)

    def _fill(self, capacity: V) -> None:
        """List the first keys of the line."""
        f = self.f
        with f.loop(int_(0), capacity, self.lanes) as block:
            mask = f.tail_mask(f.sub(capacity, block.index), self.lanes)
            self._store(self.load_keys(f, self.line, block.index, mask), self.keys, block.index)
            self._store(self._places_from(block.index), self.places, block.index)
        f.store(capacity, self.state)

    def _are_below(self, first: V) -> V:
        """Whether any key of a vector is below the bound."""
        f = self.f
        mask = f.tail_mask(f.sub(self.size, first), self.lanes)
        self.met = self.load_keys(f, self.line, first, mask)
        bound = f.load(self._bound_in(self.state), self.key, 8)
        self.below = f.binary("and", mask, f.icmp("ult", self.met, f.splat(bound, self.lanes)))
        return any_lane(f, self.below)

    def _append(self, first: V) -> V:
        """List those below the bound; returns how many are listed."""
        f, count = self.f, self._count()
        for vector, list_ in ((self.met, self.keys), (self._places_from(first), self.places)):
            packed, some = compressed(f, vector, self.below, self.target)
            self._store(packed, list_, count)
        count = f.add(count, some)
        f.store(count, self.state)
        return count

    def _bound_in(self, state: V) -> V:
        return self.f.gep(state, int_(_BOUND), "i64")

    def _write_entries(self) -> V:
        """Make entries of what is listed; returns the bits in which keys differ."""
        f = self.f
        first = f.convert("zext", f.load(self.keys, self.key), "i64")
        with f.loop(int_(0), self._count(), 1, [int_(0)]) as loop:
            key, place = (
                f.convert("zext", f.load(self._at(list_, loop.index), self.key), "i64")
                for list_ in (self.keys, self.places)
            )
            store_entry(f, entry_at(f, self.entries, loop.index), key, place)
            loop.next(f.binary("or", loop.carried[0], f.binary("xor", key, first)))
        return loop.carried[0]

    def _write_cut(self) -> str:
        """Add `void @name(ptr keys, ptr places, ptr ties, ptr state, i64 k)`; returns the name.

        About the k least stay in the lists, in order of their places, and the bound is above them.
        """
        name = f"{self.symbol}_cut"
        params = [*((n, "ptr") for n in ("keys", "places", "ties", "state")), ("k", "i64")]
        self.f = f = Function(self.module, name, params, internal=True, attributes="nounwind noinline")
        self.keys, self.places, self.ties, self.state, self.k = f.params
        self.listed = self._count()
        self._store(int_(-1, self.keys_type), self.keys, self.listed)
        bound, least = self._search()
        missing = f.smax(f.sub(self.k, least), int_(0))
        self._keep(bound)
        with f.loop(int_(0), missing, self.lanes) as block:
            to = f.add(least, block.index)
            self._store(self._load(self.ties, block.index), self.places, to)
            self._store(f.splat(bound, self.lanes), self.keys, to)
        f.store(f.add(least, missing), self.state)
        f.store(bound, self._bound_in(self.state), 8)
        f.ret()
        f.finish()
        return name

    def _search(self) -> tuple[V, V]:
        """A bound, and how many keys are below it: about k, or fewer if those that equal it make them k."""
        f, key = self.f, self.key
        first = f.load(self.keys, key)
        varying = self._varying(first)
        zeros = f.call(f"llvm.ctlz.{key}", key, f.binary("or", varying, int_(1, key)), int_(1, "i1"))
        top = f.binary("lshr", int_(1 << (int(key[1:]) - 1), key), zeros)
        below_top = f.binary("or", top, f.sub(top, int_(1, key)))
        start = f.binary("and", first, f.binary("xor", below_top, int_(-1, key)))
        most = self._most(self.k)
        with f.repeat(lambda _, bit, __: f.icmp("ne", bit, int_(0, key)), [start, top, int_(0)]) as loop:
            bound, bit, least = loop.carried
            higher = f.binary("or", bound, bit)
            count = self._count_below(higher)
            fits = f.icmp("sle", count, most)
            enough = f.binary("and", fits, f.icmp("sge", count, self.k))
            bit = f.select(enough, int_(0, key), f.binary("lshr", bit, int_(1, key)))
            loop.next(f.select(fits, higher, bound), bit, f.select(fits, count, least))
        return loop.carried[0], loop.carried[2]

    def _varying(self, first: V) -> V:
        """The bits in which listed keys differ."""
        f = self.f
        same = f.splat(first, self.lanes)
        with f.loop(int_(0), self.listed, self.lanes, [int_(0, self.keys_type)]) as block:
            mask = f.tail_mask(f.sub(self.listed, block.index), self.lanes)
            keys = f.masked_load(self._at(self.keys, block.index), self.keys_type, mask, same)
            block.next(f.binary("or", block.carried[0], f.binary("xor", keys, same)))
        return f.call(f"llvm.vector.reduce.or.{mangle(self.keys_type)}", self.key, block.carried[0])

    def _count_below(self, bound: V) -> V:
        f = self.f
        bounds = f.splat(bound, self.lanes)
        with f.loop(int_(0), self.listed, self.lanes, [int_(0, self.keys_type)]) as block:
            below = f.icmp("ult", self._load(self.keys, block.index), bounds)
            block.next(f.sub(block.carried[0], f.convert("sext", below, self.key)))
        total = f.call(f"llvm.vector.reduce.add.{mangle(self.keys_type)}", self.key, block.carried[0])
        return f.convert("zext", total, "i64")

    def _keep(self, bound: V) -> None:
        """Move together what is below a bound, and apart the places of what equals it."""
        f = self.f
        bounds = f.splat(bound, self.lanes)
        with f.loop(int_(0), self.listed, self.lanes, [int_(0), int_(0)]) as block:
            kept, equal = block.carried
            keys, places = (self._load(list_, block.index) for list_ in (self.keys, self.places))
            below = f.icmp("ult", keys, bounds)
            for vector, list_ in ((keys, self.keys), (places, self.places)):
                packed, some = compressed(f, vector, below, self.target)
                self._store(packed, list_, kept)
            ties, more = compressed(f, places, f.icmp("eq", keys, bounds), self.target)
            self._store(ties, self.ties, equal)
            block.next(f.add(kept, some), f.add(equal, more))
