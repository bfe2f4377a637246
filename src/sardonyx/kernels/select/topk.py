"""The k best elements along an axis, in order: a heap of the best so far, most others rejected by vectors."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto

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
from sardonyx.kernels.select.heap import define_sort, key_bits, key_of, sort_heap
from sardonyx.kernels.share import split
from sardonyx.llvm.lanes import any_lane
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_

_BOUNDS = 1


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


def topk_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that selects and orders."""
    target = goal.target
    root = group.root
    (x,), axis = root.args, root.attrs["axis"]
    selection = Selection(x.dtype, bool(root.attrs["largest"]))
    source = places[x.id]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.OUTER: dims.product(x.shape[:axis]),
        Word.SIZE: x.shape[axis],
        Word.INNER: dims.product(x.shape[axis + 1 :]),
        Word.K: root.attrs["k"],
    }
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
        scratch_bytes=root.attrs["k"] * size_of(selection.entry),
        kind="sort",
        plan=f"the best {root.attrs['k']} of {x.shape[axis]}",
    )
    yield call, {selection.symbol: lambda: topk_ir(selection, target)}


def topk_ir(selection: Selection, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    functions = define_sort(module, selection.symbol, selection.entry, lambda f, _, a, b: f.icmp("ugt", a, b))
    _Writer(module, selection, target, *functions).write()
    return module.text()


class _Writer:
    """Writes the kernel: lines shared by threads, the heap in scratch."""

    def __init__(self, module: Module, selection: Selection, target: Target, build: str, sink: str) -> None:
        self.f = Function(module, selection.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.selection, self.target, self.build, self.sink = selection, target, build, sink
        args, self.ctx = self.f.params
        pointers = (Word.X, Word.VALUES, Word.PLACES)
        self.word = {
            w: self.f.word(args, w, "ptr" if w in pointers else "i64") for w in Word if w is not Word.WORDS
        }
        self.access = Access(self.f, selection.dtype, target)
        self.heap = self.f.word(self.ctx, Context.SCRATCH, "ptr")
        self.entry, self.bits = selection.entry, key_bits(selection.dtype)

    def write(self) -> None:
        """Add the function to its module."""
        f, word = self.f, self.word
        bad = f.icmp("sgt", word[Word.K], word[Word.SIZE])
        with f.when(bad):
            f.call("sdx_fail", "void", self.ctx, int_(_BOUNDS), word[Word.K], word[Word.SIZE])
        some = f.select(f.binary("or", bad, f.icmp("sle", word[Word.K], int_(0))), int_(0), word[Word.OUTER])
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        inner = word[Word.INNER]
        with f.loop(*split(f, f.mul(some, inner), tid, threads)) as line:
            outer, column = f.binary("udiv", line.index, inner), f.binary("urem", line.index, inner)
            first = f.add(f.mul(outer, f.mul(word[Word.SIZE], inner)), column)
            self.row = f.gep(word[Word.X], first, self.access.plain)
            self._line()
            self._write_line(f.add(f.mul(outer, f.mul(word[Word.K], inner)), column))
        f.ret()
        f.finish()

    def _line(self) -> None:
        """Fill the heap with the best of a line and sort it."""
        f, k, size = self.f, self.word[Word.K], self.word[Word.SIZE]
        with f.loop(int_(0), k) as place:
            self._put(place.index, self._entry(place.index))
        nothing = V("null", "ptr")
        f.call(self.build, "void", nothing, self.heap, k)
        side_by_side = f.icmp("eq", self.word[Word.INNER], int_(1))
        step = f.select(side_by_side, int_(self.target.lanes), int_(1))
        with f.loop(k, size, step) as block:
            count = f.smin(f.sub(size, block.index), step)
            worth = self._worth(block.index, count, side_by_side)
            with f.loop(int_(0), f.select(worth, count, int_(0))) as lane:
                entry = self._entry(f.add(block.index, lane.index))
                with f.when(f.icmp("ugt", entry, f.load(self.heap, self.entry, size_of(self.entry)))):
                    self._put(int_(0), entry)
                    f.call(self.sink, "void", nothing, self.heap, int_(0), k)
        sort_heap(f, self.sink, nothing, self.heap, k, self.entry)

    def _worth(self, first: V, count: V, side_by_side: V) -> V:
        """Whether any of the elements side by side from `first` on may be among the best."""
        f, lanes = self.f, self.target.lanes
        mask = f.tail_mask(f.select(side_by_side, count, int_(0)), lanes)
        keys = self._key(self.access.load_lanes(self.row, first, mask))
        worst = f.load(self.heap, self.entry, size_of(self.entry))
        worst = f.convert("trunc", f.binary("lshr", worst, int_(self.bits, self.entry)), f"i{self.bits}")
        better = f.binary("and", mask, f.icmp("ugt", keys, f.splat(worst, lanes)))
        return f.binary("or", any_lane(f, better), f.icmp("ne", self.word[Word.INNER], int_(1)))

    def _key(self, value: V) -> V:
        key = key_of(self.f, value, self.selection.dtype)
        return key if self.selection.largest else self.f.binary("xor", key, int_(-1, key.type))

    def _entry(self, place: V) -> V:
        f, entry = self.f, self.entry
        key = self._key(self.access.load(self.row, f.mul(place, self.word[Word.INNER])))
        high = f.binary("shl", f.convert("zext", key, entry), int_(self.bits, entry))
        low = f.binary("xor", place, int_(-1))
        low = f.convert("trunc", low, "i32") if self.bits == 32 else low
        return f.binary("or", high, f.convert("zext", low, entry))

    def _put(self, number: V, entry: V) -> None:
        self.f.store(entry, self.f.gep(self.heap, number, self.entry), size_of(self.entry))

    def _write_line(self, first: V) -> None:
        """Write the values and places of the sorted heap."""
        f, word = self.f, self.word
        values, places = word[Word.VALUES], word[Word.PLACES]
        wants_values, wants_places = (f.icmp("ne", p, V("null", "ptr")) for p in (values, places))
        with f.loop(int_(0), word[Word.K]) as best:
            entry = f.load(f.gep(self.heap, best.index, self.entry), self.entry, size_of(self.entry))
            low = f.convert("trunc", f.binary("xor", entry, int_(-1, self.entry)), f"i{self.bits}")
            place = f.convert("zext", low, "i64")
            to = f.add(first, f.mul(best.index, word[Word.INNER]))
            with f.when(wants_values):
                value = self.access.load(self.row, f.mul(place, word[Word.INNER]))
                self.access.store(value, values, to)
            with f.when(wants_places):
                f.store(place, f.gep(places, to, "i64"))
