"""Distinct elements or slices: sorted places, cut into runs of equals. One thread does it all.

Slices are sorted by digits of their first elements, the last of these first. What these leave equal is sorted
by comparing, and so are few slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.select.heap import define_sort, key_of, sort_heap
from sardonyx.kernels.select.radix import (
    ENTRY_BYTES,
    define_radix,
    entry_at,
    load_key,
    load_payload,
    store_entry,
)
from sardonyx.llvm.vec import Function, Module, V, int_

_LEADING = 4
_FEW = 48
_LISTS = 3


class Word(IntEnum):
    """Argument words: X [OUTER, SIZE, INNER] without gaps, whose slices along SIZE are compared.

    Results, i64, each or 0: FIRST and COUNTS of the distinct slices in their order, INVERSE of every slice,
    and their NUMBER.
    """

    X = 0
    OUTER = auto()
    SIZE = auto()
    INNER = auto()
    FIRST = auto()
    INVERSE = auto()
    COUNTS = auto()
    NUMBER = auto()
    WORDS = auto()


_SIZES = (Word.OUTER, Word.SIZE, Word.INNER)


@dataclass(frozen=True, slots=True)
class Distinct:
    """What a kernel is generated for; not `ordered`: slices come in the order of their first places."""

    dtype: DType
    ordered: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        return f"sdx_unique_{self.dtype.name}_{'sorted' if self.ordered else 'first'}"


def unique_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that finds and numbers the distinct slices."""
    target = goal.target
    root = group.root
    (x,), axis = root.args, root.attrs["axis"]
    shape: tuple[Dim, ...] = (1, x.size, 1)
    if axis is not None:
        shape = (dims.product(x.shape[:axis]), x.shape[axis], dims.product(x.shape[axis + 1 :]))
    distinct = Distinct(x.dtype, bool(root.attrs["ordered"]))
    source = places[x.id]
    words: dict[int, Argument] = {}
    words |= dict(zip(_SIZES, shape, strict=True))
    words[Word.X] = Address.of(source)
    for word, place in zip((Word.FIRST, Word.INVERSE, Word.COUNTS, Word.NUMBER), group.results, strict=True):
        if place is not None:
            words[word] = Address.of(place)
    call = NativeCall(
        distinct.symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        tuple(place.storage for place in group.results if place is not None),
        root.origins,
        work=x.size * 8,
        scratch_bytes=shape[1] * (2 * ENTRY_BYTES + _LISTS * 8),
        kind="sort",
        plan=f"distinct ones of {shape[1]} slices",
    )
    yield call, {distinct.symbol: lambda: unique_ir(distinct, target)}


def unique_ir(distinct: Distinct, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    compare = f"{distinct.symbol}_compare"
    _write_compare(module, compare, distinct.dtype, target)

    def less(f: Function, args: V, a: V, b: V) -> V:
        total = f.mul(f.word(args, Word.OUTER), f.word(args, Word.INNER))
        order = f.call(compare, "i64", args, a, b, total)
        tie = f.binary("and", f.icmp("eq", order, int_(0)), f.icmp("slt", a, b))
        return f.binary("or", f.icmp("slt", order, int_(0)), tie)

    functions = define_sort(module, distinct.symbol, "i64", less)
    radix = define_radix(module, distinct.symbol)
    _Writer(module, distinct, target, compare, radix, *functions).write()
    return module.text()


def _write_compare(module: Module, name: str, dtype: DType, target: Target) -> None:
    """Add `i64 @name(ptr args, i64 a, i64 b, i64 end)`: compares the elements of two slices before `end`.

    It is -1, 0 or 1 as slice a comes before, is equal to or after b.
    """
    params = [("args", "ptr"), ("a", "i64"), ("b", "i64"), ("end", "i64")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    args, a, b, end = f.params
    x = f.word(args, Word.X, "ptr")
    size, inner = f.word(args, Word.SIZE), f.word(args, Word.INNER)
    access = Access(f, dtype, target)
    rows = [f.gep(x, f.mul(slice_, inner), access.plain) for slice_ in (a, b)]

    def undecided(at: V, order: V) -> V:
        return f.binary("and", f.icmp("slt", at, end), f.icmp("eq", order, int_(0)))

    with f.repeat(undecided, [int_(0), int_(0)]) as loop:
        at, _ = loop.carried
        block, column = f.binary("udiv", at, inner), f.binary("urem", at, inner)
        offset = f.add(f.mul(block, f.mul(size, inner)), column)
        p, q = (key_of(f, access.load(row, offset), dtype) for row in rows)
        below, above = (f.convert("zext", f.icmp(how, p, q), "i64") for how in ("ult", "ugt"))
        loop.next(f.add(at, int_(1)), f.sub(above, below))
    f.ret(loop.carried[1])
    f.finish()


class _Writer:
    """Writes the kernel.

    Scratch holds two lists of SIZE entries, a key and a place, between which sorting moves them; then three
    of i64: of each run in order its first place and its size, and of each place its run. Over the first of
    these lie places while they are compared, and over the entries, once runs are known, their numbers.
    """

    def __init__(
        self,
        module: Module,
        distinct: Distinct,
        target: Target,
        compare: str,
        radix: str,
        build: str,
        sink: str,
    ) -> None:
        self.f = f = Function(module, distinct.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.distinct, self.compare, self.radix, self.build, self.sink = distinct, compare, radix, build, sink
        self.args, ctx = f.params
        self.word: dict[Word, V] = {
            w: f.word(self.args, w, "i64" if w in _SIZES else "ptr") for w in Word if w is not Word.WORDS
        }
        self.access = Access(f, distinct.dtype, target)
        self.first_thread = f.icmp("eq", f.word(ctx, Context.TID), int_(0))
        self.size = self.word[Word.SIZE]
        self.total = f.mul(self.word[Word.OUTER], self.word[Word.INNER])
        self.entries = self.numbers = f.word(ctx, Context.SCRATCH, "ptr")
        self.others = entry_at(f, self.entries, self.size)
        lists = entry_at(f, self.others, self.size)
        self.first, self.counts, self.runs = (
            f.gep(lists, f.mul(self.size, int_(n)), "i64") for n in range(_LISTS)
        )

    def write(self) -> None:
        """Add the function to its module."""
        f = self.f
        with f.when(self.first_thread):
            with f.loop(int_(0), self.size) as loop:
                store_entry(f, entry_at(f, self.entries, loop.index), int_(0), loop.index)
            few = f.icmp("slt", self.size, int_(_FEW))
            leading = f.select(few, int_(0), f.smin(self.total, int_(_LEADING)))
            entries = self._sort_leading(leading)
            self._sort_equals(entries, leading)
            number = self._find_runs(entries, leading)
            self._number_runs(number)
            with f.when(self._wanted(Word.NUMBER)):
                self._set(self.word[Word.NUMBER], int_(0), number)
        f.ret()
        f.finish()

    def _get(self, list_: V, at: V) -> V:
        return self.f.load(self.f.gep(list_, at, "i64"), "i64")

    def _set(self, list_: V, at: V, value: V) -> None:
        self.f.store(value, self.f.gep(list_, at, "i64"))

    def _wanted(self, word: Word) -> V:
        return self.f.icmp("ne", self.word[word], V("null", "ptr"))

    def _key(self, slice_: V, element: V) -> V:
        """The key of an element of a slice."""
        f, inner = self.f, self.word[Word.INNER]
        block, column = f.binary("udiv", element, inner), f.binary("urem", element, inner)
        row = f.add(f.mul(f.mul(block, self.size), inner), column)
        value = self.access.load(self.word[Word.X], f.add(row, f.mul(slice_, inner)))
        return f.convert("zext", key_of(f, value, self.distinct.dtype), "i64")

    def _sort_leading(self, leading: V) -> V:
        """Sort by so many first elements, of which the first stays the key; returns where the entries are."""
        f = self.f
        with f.loop(int_(0), leading, 1, [self.entries, self.others]) as loop:
            source, other = loop.carried
            element = f.sub(f.sub(leading, int_(1)), loop.index)
            any_key = self._key(int_(0), element)
            with f.loop(int_(0), self.size, 1, [int_(0)]) as at:
                entry = entry_at(f, source, at.index)
                key = self._key(load_payload(f, entry), element)
                f.store(key, entry, 8)
                at.next(f.binary("or", at.carried[0], f.binary("xor", key, any_key)))
            sorted_ = f.call(self.radix, "ptr", source, other, self.size, at.carried[0])
            stayed = f.icmp("eq", sorted_, source)
            loop.next(sorted_, f.select(stayed, other, source))
        return loop.carried[0]

    def _sort_equals(self, entries: V, leading: V) -> None:
        """Sort what the first elements leave equal, if slices have more."""
        f = self.f
        longer = f.icmp("sgt", self.total, leading)
        with f.loop(int_(0), f.select(longer, self.size, int_(0)), 1, [int_(0)]) as loop:
            begin = loop.carried[0]
            end = f.add(loop.index, int_(1))
            following = f.smin(end, f.sub(self.size, int_(1)))
            a, b = (load_payload(f, entry_at(f, entries, n)) for n in (loop.index, following))
            differs = f.icmp("ne", f.call(self.compare, "i64", self.args, a, b, leading), int_(0))
            ends = f.binary("or", differs, f.icmp("eq", end, self.size))
            several = f.icmp("ne", begin, loop.index)
            with f.when(f.binary("and", ends, several)):
                self._sort_run(entry_at(f, entries, begin), f.sub(end, begin))
            loop.next(f.select(ends, end, begin))

    def _sort_run(self, entries: V, size: V) -> None:
        """Sort the places of entries whose keys are equal."""
        f, places = self.f, self.first
        with f.loop(int_(0), size) as loop:
            self._set(places, loop.index, load_payload(f, entry_at(f, entries, loop.index)))
        f.call(self.build, "void", self.args, places, size)
        sort_heap(f, self.sink, self.args, places, size, "i64")
        with f.loop(int_(0), size) as loop:
            entry = entry_at(f, entries, loop.index)
            store_entry(f, entry, load_key(f, entry), self._get(places, loop.index))

    def _find_runs(self, entries: V, leading: V) -> V:
        """Cut the sorted places into runs; returns their number."""
        f = self.f
        keyless = f.binary("or", f.icmp("ne", self.total, int_(1)), f.icmp("eq", leading, int_(0)))
        with f.loop(int_(0), self.size, 1, [int_(-1)]) as loop:
            entry = entry_at(f, entries, loop.index)
            before = entry_at(f, entries, f.smax(f.sub(loop.index, int_(1)), int_(0)))
            place = load_payload(f, entry)
            keys_differ = f.icmp("ne", load_key(f, before), load_key(f, entry))
            begins = f.binary("or", keys_differ, f.icmp("eq", loop.index, int_(0)))
            asks = f.binary("and", keyless, f.binary("xor", begins, int_(1, "i1")))
            with f.loop(int_(0), f.convert("zext", asks, "i64"), 1, [begins]) as answer:
                order = f.call(self.compare, "i64", self.args, load_payload(f, before), place, self.total)
                answer.next(f.icmp("ne", order, int_(0)))
            begins = answer.carried[0]
            run = f.add(loop.carried[0], f.convert("zext", begins, "i64"))
            with f.when(begins):
                self._set(self.first, run, place)
                self._set(self.counts, run, int_(0))
            self._set(self.counts, run, f.add(self._get(self.counts, run), int_(1)))
            self._set(self.runs, place, run)
            loop.next(run)
        return f.add(loop.carried[0], int_(1))

    def _number_runs(self, number: V) -> None:
        """Write the results."""
        f = self.f
        if self.distinct.ordered:
            with f.loop(int_(0), number) as run:
                self._set(self.numbers, run.index, run.index)
                self._put_run(run.index, run.index)
        else:
            with f.loop(int_(0), self.size, 1, [int_(0)]) as place:
                run_of = self._get(self.runs, place.index)
                begins = f.icmp("eq", self._get(self.first, run_of), place.index)
                with f.when(begins):
                    self._set(self.numbers, run_of, place.carried[0])
                    self._put_run(run_of, place.carried[0])
                place.next(f.add(place.carried[0], f.convert("zext", begins, "i64")))
        inverse = self._wanted(Word.INVERSE)
        with f.loop(int_(0), f.select(inverse, self.size, int_(0))) as slice_:
            run_of = self._get(self.runs, slice_.index)
            self._set(self.word[Word.INVERSE], slice_.index, self._get(self.numbers, run_of))

    def _put_run(self, run: V, number: V) -> None:
        """Write the first place and the size of a run as those of slice `number` of the result."""
        f = self.f
        for word, list_ in ((Word.FIRST, self.first), (Word.COUNTS, self.counts)):
            with f.when(self._wanted(word)):
                self._set(self.word[word], number, self._get(list_, run))
