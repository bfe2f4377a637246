"""The k best elements along an axis, in order: a heap of the best so far, most others rejected by vectors.

A vector holds elements of a line where these lie side by side, else those of as many lines at one place. Many
of a line whose elements lie side by side are sieved; of a short one few are found one after the other, or all
are ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum, auto
from functools import partial

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.kernels.access import Access
from sardonyx.kernels.call import Address, Argument, Calls, NativeCall, in_order
from sardonyx.kernels.select.few import FEW, SHORT, Keys, define_few
from sardonyx.kernels.select.heap import define_sort, key_bits, key_of, sort_heap
from sardonyx.kernels.select.radix import entry_at, load_payload
from sardonyx.kernels.select.ranked import define_ranked, most_ranked
from sardonyx.kernels.select.sieve import define_sieve, sieve_bytes
from sardonyx.kernels.share import ceil_div, split
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_BOUNDS = 1
_ABREAST = 1024

_MANY = 32
"""Elements that are sieved."""

_RANKED = 4
"""Of so many elements one must be wanted for all of a short line to be ranked."""


class Word(IntEnum):
    """Argument words: X [OUTER, SIZE, INNER] without gaps; VALUES, PLACES (i64) or 0 [OUTER, K, INNER]."""

    X = 0
    VALUES = auto()
    PLACES = auto()
    OUTER = auto()
    SIZE = auto()
    INNER = auto()
    K = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class Selection:
    """What a kernel is generated for."""

    dtype: DType
    largest: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        return f"sdx_topk_{self.dtype.name}_{'largest' if self.largest else 'smallest'}"

    @property
    def entry(self) -> str:
        """The type of a heap entry: a key above the complement of the place, so that the best is greatest."""
        return f"i{2 * key_bits(self.dtype)}"

    def key(self, f: Function, value: V) -> V:
        """An unsigned integer that is the larger the better an element is; for vectors lane by lane."""
        key = key_of(f, value, self.dtype)
        return key if self.largest else f.binary("xor", key, int_(-1, key.type))


def topk_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that selects and orders."""
    target = goal.target
    root = group.root
    (x,), axis = root.args, root.attrs["axis"]
    selection = Selection(x.dtype, bool(root.attrs["largest"]))
    source = places[x.id]
    k, inner = root.attrs["k"], dims.product(x.shape[axis + 1 :])
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.OUTER: dims.product(x.shape[:axis]),
        Word.SIZE: x.shape[axis],
        Word.INNER: inner,
        Word.K: k,
    }
    entries = dims.minimum(dims.minimum(target.lanes, inner) * k, dims.maximum(_ABREAST * target.lanes, k))
    scratch = entries * size_of(selection.entry)
    if (not isinstance(inner, int) or inner == 1) and (not isinstance(k, int) or k >= _MANY):
        sieve = sieve_bytes(x.shape[axis], k, key_bits(x.dtype), target)
        scratch = dims.maximum(scratch, sieve)
    for word, place in zip((Word.VALUES, Word.PLACES), group.results, strict=True):
        if place is not None:
            words[word] = Address.of(place)
    call = NativeCall(
        selection.symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        tuple(place.storage for place in group.results if place is not None),
        root.origins,
        work=x.size * 8,
        scratch_bytes=scratch,
        kind="sort",
        plan=f"the best {k} of {x.shape[axis]}",
    )
    yield call, {selection.symbol: lambda: topk_ir(selection, target)}


def topk_ir(selection: Selection, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    functions = define_sort(module, selection.symbol, selection.entry, lambda f, _, a, b: f.icmp("ugt", a, b))
    sieve = _define_sieve(module, selection, target)
    ranked = _define_ranked(module, selection, target)
    few = _define_few(module, selection, target) if key_bits(selection.dtype) == 32 else None
    _Writer(module, selection, target, *functions, sieve, ranked, few).write()
    return module.text()


def _define_sieve(module: Module, selection: Selection, target: Target) -> str:
    """Add the function that sieves a line by the complements of keys; returns its name."""

    def keys(f: Function, line: V, first: V, mask: V) -> V:
        key = selection.key(f, Access(f, selection.dtype, target).load_lanes(line, first, mask))
        return f.binary("xor", key, int_(-1, key.type))

    return define_sieve(module, selection.symbol, keys, key_bits(selection.dtype), target)


def _define_ranked(module: Module, selection: Selection, target: Target) -> str:
    """Add the function that ranks the elements of a short line; returns its name."""
    keys = _keys(selection, target)
    return define_ranked(module, selection.symbol, keys, key_bits(selection.dtype), target)


def _define_few(module: Module, selection: Selection, target: Target) -> str:
    """Add the function that finds the best of a short line one after the other; returns its name."""
    return define_few(module, selection.symbol, _keys(selection, target), target)


def _keys(selection: Selection, target: Target) -> Keys:
    return lambda f, line, first, mask: selection.key(
        f, Access(f, selection.dtype, target).load_lanes(line, first, mask)
    )


class _Writer:
    """Writes the kernel: lines shared by threads, the heaps of those of a vector in scratch."""

    def __init__(
        self,
        module: Module,
        selection: Selection,
        target: Target,
        build: str,
        sink: str,
        sieve: str,
        ranked: str,
        few: str | None,
    ) -> None:
        self.f = Function(module, selection.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.selection, self.target, self.build, self.sink = selection, target, build, sink
        self.sieve, self.ranked, self.few = sieve, ranked, few
        args, self.ctx = self.f.params
        pointers = (Word.X, Word.VALUES, Word.PLACES)
        self.word = {
            w: self.f.word(args, w, "ptr" if w in pointers else "i64") for w in Word if w is not Word.WORDS
        }
        self.access = Access(self.f, selection.dtype, target)
        self.heaps = self.f.word(self.ctx, Context.SCRATCH, "ptr")
        self.entry, self.bits = selection.entry, key_bits(selection.dtype)
        self.key = f"i{self.bits}"
        self.most_ranked = most_ranked(self.bits, target)
        self.worst = self.f.alloca(self.key, target.lanes)
        self.in_order = self.f.alloca(self.key, self.most_ranked)

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        bad = f.icmp("sgt", word[Word.K], word[Word.SIZE])
        with f.when(bad):
            f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), word[Word.K], word[Word.SIZE])
        some = f.select(f.binary("or", bad, f.icmp("sle", word[Word.K], int_(0))), int_(0), word[Word.OUTER])
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        inner, k = word[Word.INNER], word[Word.K]
        width = f.select(f.icmp("sle", k, int_(_ABREAST)), int_(self.target.lanes), int_(1))
        runs = ceil_div(f, inner, width)
        with f.loop(*split(f, f.mul(some, runs), tid, threads)) as loop:
            outer, run = f.binary("udiv", loop.index, runs), f.binary("urem", loop.index, runs)
            column = f.mul(run, width)
            lines = f.smin(width, f.sub(inner, column))
            first = f.add(f.mul(outer, f.mul(word[Word.SIZE], inner)), column)
            self.rows = f.gep(word[Word.X], first, self.access.plain)
            first_to = f.add(f.mul(outer, f.mul(k, inner)), column)
            side_by_side = f.icmp("eq", inner, int_(1))
            ranks = self._is_ranked(side_by_side)
            with f.when(ranks):
                f.call(self.ranked, "void", self.rows, word[Word.SIZE], self.in_order)
                self._write_line(int_(0), first_to, self._ranked_place)
            others = f.binary("and", side_by_side, f.binary("xor", ranks, int_(1, "i1")))
            sieves = f.binary("and", others, f.icmp("sge", k, int_(_MANY)))
            with f.when(sieves):
                entries = f.call(self.sieve, "ptr", self.rows, word[Word.SIZE], k, self.heaps)
                self._write_line(int_(0), first_to, lambda n: load_payload(f, entry_at(f, entries, n)))
            seen = self._is_seen_through(others)
            if self.few:
                with f.when(seen):
                    f.call(self.few, "void", self.rows, word[Word.SIZE], k, self.heaps)
                    self._write_line(int_(0), first_to, partial(self._place_in, self.heaps))
            is_done = f.binary("or", ranks, f.binary("or", sieves, seen))
            heaps = f.select(is_done, int_(0), lines)
            with f.loop(int_(0), heaps) as line:
                self._begin(line.index)
            with f.when(f.icmp("eq", f.mul(heaps, inner), int_(1))):
                self._along_line()
            with f.when(f.binary("xor", side_by_side, int_(1, "i1"))):
                self._across_lines(lines)
            with f.loop(int_(0), heaps) as line:
                heap = self._heap(line.index)
                sort_heap(f, self.sink, V("null", "ptr"), heap, k, self.entry)
                self._write_line(line.index, f.add(first_to, line.index), partial(self._place_in, heap))
        f.ret()
        f.finish()

    def _is_ranked(self, side_by_side: V) -> V:
        """Whether a line is short, and all of it is ranked sooner than its best are found."""
        f, size = self.f, self.word[Word.SIZE]
        is_short = f.icmp("sle", size, int_(self.most_ranked))
        are_many = f.icmp("sge", f.mul(self.word[Word.K], int_(_RANKED)), size)
        return f.binary("and", side_by_side, f.binary("and", is_short, are_many))

    def _ranked_place(self, number: V) -> V:
        """The place of an element of a ranked line."""
        return self.f.convert(
            "zext", self.f.load(self.f.gep(self.in_order, number, self.key), self.key), "i64"
        )

    def _is_seen_through(self, side_by_side: V) -> V:
        """Whether the best of a line are found one after the other."""
        f = self.f
        if self.few is None:
            return int_(0, "i1")
        is_short = f.icmp("sle", self.word[Word.SIZE], int_(SHORT))
        are_few = f.icmp("sle", self.word[Word.K], int_(FEW))
        return f.binary("and", side_by_side, f.binary("and", is_short, are_few))

    def _heap(self, line: V) -> V:
        """The heap of a line of the vector."""
        return self.f.gep(self.heaps, self.f.mul(line, self.word[Word.K]), self.entry)

    def _begin(self, line: V) -> None:
        """Make a heap of the first elements of a line."""
        f, k, heap = self.f, self.word[Word.K], self._heap(line)
        with f.loop(int_(0), k) as place:
            self._put(heap, place.index, self._entry(line, place.index))
        f.call(self.build, "void", V("null", "ptr"), heap, k)
        self._note_worst(line)

    def _note_worst(self, line: V) -> None:
        """Keep the key of the worst entry of a heap where vectors read it."""
        f = self.f
        worst = f.load(self._heap(line), self.entry, size_of(self.entry))
        key = f.convert("trunc", f.binary("lshr", worst, int_(self.bits, self.entry)), self.key)
        f.store(key, f.gep(self.worst, line, self.key))

    def _offer(self, line: V, place: V) -> None:
        """Take an element for the worst of its heap if it is better."""
        f, k, heap, entry = self.f, self.word[Word.K], self._heap(line), self._entry(line, place)
        with f.when(f.icmp("ugt", entry, f.load(heap, self.entry, size_of(self.entry)))):
            self._put(heap, int_(0), entry)
            f.call(self.sink, "void", V("null", "ptr"), heap, int_(0), k)
            self._note_worst(line)

    def _along_line(self) -> None:
        """Offer the elements of one line, a vector of neighbours at a time."""
        f, lanes, size = self.f, self.target.lanes, self.word[Word.SIZE]
        with f.loop(self.word[Word.K], size, lanes) as block:
            mask = f.tail_mask(f.sub(size, block.index), lanes)
            worst = f.splat(f.load(self.worst, self.key), lanes)
            with self._better(block.index, mask, worst) as lane:
                self._offer(int_(0), f.add(block.index, lane))

    def _across_lines(self, lines: V) -> None:
        """Offer the elements of all lines of a vector, one place at a time."""
        f, lanes = self.f, self.target.lanes
        mask = f.tail_mask(lines, lanes)
        with f.loop(self.word[Word.K], self.word[Word.SIZE]) as place:
            at = f.mul(place.index, self.word[Word.INNER])
            with self._better(at, mask, f.load(self.worst, vector_of(self.key, lanes))) as line:
                self._offer(line, place.index)

    @contextmanager
    def _better(self, first: V, mask: V, worst: V) -> Iterator[V]:
        """For each lane of a vector of elements that are above the worst: its number."""
        f = self.f
        keys = self.selection.key(f, self.access.load_lanes(self.rows, first, mask))
        better = f.binary("and", mask, f.icmp("ugt", keys, worst))
        bits = f.convert("zext", f.bitcast(better, f"i{mask.lanes}"), "i64")
        with f.repeat(lambda left: f.icmp("ne", left, int_(0)), [bits]) as loop:
            (left,) = loop.carried
            yield f.call("llvm.cttz.i64", "i64", left, int_(1, "i1"))
            loop.next(f.binary("and", left, f.sub(left, int_(1))))

    def _load(self, line: V, place: V) -> V:
        f = self.f
        return self.access.load(self.rows, f.add(f.mul(place, self.word[Word.INNER]), line))

    def _entry(self, line: V, place: V) -> V:
        f, entry = self.f, self.entry
        key = self.selection.key(f, self._load(line, place))
        high = f.binary("shl", f.convert("zext", key, entry), int_(self.bits, entry))
        low = f.binary("xor", place, int_(-1))
        low = f.convert("trunc", low, "i32") if self.bits == 32 else low
        return f.binary("or", high, f.convert("zext", low, entry))

    def _put(self, heap: V, number: V, entry: V) -> None:
        self.f.store(entry, self.f.gep(heap, number, self.entry), size_of(self.entry))

    def _place_in(self, heap: V, number: V) -> V:
        """The place that an entry of a heap tells."""
        f = self.f
        entry = f.load(f.gep(heap, number, self.entry), self.entry, size_of(self.entry))
        low = f.convert("trunc", f.binary("xor", entry, int_(-1, self.entry)), self.key)
        return f.convert("zext", low, "i64")

    def _write_line(self, line: V, first: V, place_of: Callable[[V], V]) -> None:
        """Write the values and places of the best of a line, of which the first is the best."""
        f, word = self.f, self.word
        values, places = word[Word.VALUES], word[Word.PLACES]
        wants_values, wants_places = (f.icmp("ne", p, V("null", "ptr")) for p in (values, places))
        with f.loop(int_(0), word[Word.K]) as best:
            place = place_of(best.index)
            to = f.add(first, f.mul(best.index, word[Word.INNER]))
            with f.when(wants_values):
                self.access.store(self._load(line, place), values, to)
            with f.when(wants_places):
                f.store(place, f.gep(places, to, "i64"))
