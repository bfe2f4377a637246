"""Distinct elements or slices: sorted places, cut into runs of equals. One thread does it all."""

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
from sardonyx.llvm.vec import Function, Module, V, int_


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
        work=x.size * 30,
        scratch_bytes=shape[1] * 32,
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
        order = f.call(compare, "i64", args, a, b)
        tie = f.binary("and", f.icmp("eq", order, int_(0)), f.icmp("slt", a, b))
        return f.binary("or", f.icmp("slt", order, int_(0)), tie)

    functions = define_sort(module, distinct.symbol, "i64", less)
    _Writer(module, distinct, compare, *functions).write()
    return module.text()


def _write_compare(module: Module, name: str, dtype: DType, target: Target) -> None:
    """Add `i64 @name(ptr args, i64 a, i64 b)`: -1, 0 or 1 as slice a comes before, is equal to or after b."""
    params = [("args", "ptr"), ("a", "i64"), ("b", "i64")]
    f = Function(module, name, params, "i64", internal=True, attributes="nounwind noinline")
    args, a, b = f.params
    x = f.word(args, Word.X, "ptr")
    outer, size, inner = (f.word(args, w) for w in _SIZES)
    access = Access(f, dtype, target)
    rows = [f.gep(x, f.mul(slice_, inner), access.plain) for slice_ in (a, b)]
    total = f.mul(outer, inner)

    def undecided(at: V, order: V) -> V:
        return f.binary("and", f.icmp("slt", at, total), f.icmp("eq", order, int_(0)))

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

    Scratch holds four i64 lists of SIZE: the sorted places; of each run in sorted order its first place and
    size; of each place its run, and in the end for each run its number.
    """

    def __init__(self, module: Module, distinct: Distinct, compare: str, build: str, sink: str) -> None:
        self.f = Function(module, distinct.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.distinct, self.compare, self.build, self.sink = distinct, compare, build, sink
        self.args, ctx = self.f.params
        self.word: dict[Word, V] = {
            w: self.f.word(self.args, w, "i64" if w in _SIZES else "ptr") for w in Word if w is not Word.WORDS
        }
        self.first_thread = self.f.icmp("eq", self.f.word(ctx, Context.TID), int_(0))
        self.size = self.word[Word.SIZE]
        scratch = self.f.word(ctx, Context.SCRATCH, "ptr")
        self.sorted, self.first, self.counts, self.runs = (
            self.f.gep(scratch, self.f.mul(self.size, int_(n)), "i64") for n in range(4)
        )

    def write(self) -> None:
        """Add the function to its module."""
        f = self.f
        with f.when(self.first_thread):
            with f.loop(int_(0), self.size) as loop:
                self._set(self.sorted, loop.index, loop.index)
            f.call(self.build, "void", self.args, self.sorted, self.size)
            sort_heap(f, self.sink, self.args, self.sorted, self.size, "i64")
            number = self._find_runs()
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

    def _find_runs(self) -> V:
        """Cut the sorted places into runs; returns their number."""
        f = self.f
        with f.loop(int_(0), self.size, 1, [int_(-1)]) as loop:
            place = self._get(self.sorted, loop.index)
            before = self._get(self.sorted, f.smax(f.sub(loop.index, int_(1)), int_(0)))
            differs = f.icmp("ne", f.call(self.compare, "i64", self.args, before, place), int_(0))
            begins = f.binary("or", differs, f.icmp("eq", loop.index, int_(0)))
            run = f.add(loop.carried[0], f.convert("zext", begins, "i64"))
            with f.when(begins):
                self._set(self.first, run, place)
                self._set(self.counts, run, int_(0))
            self._set(self.counts, run, f.add(self._get(self.counts, run), int_(1)))
            self._set(self.runs, place, run)
            loop.next(run)
        return f.add(loop.carried[0], int_(1))

    def _number_runs(self, number: V) -> None:
        """Write the results; the list of sorted places becomes the number of each run."""
        f = self.f
        if self.distinct.ordered:
            with f.loop(int_(0), number) as run:
                self._set(self.sorted, run.index, run.index)
                self._put_run(run.index, run.index)
        else:
            with f.loop(int_(0), self.size, 1, [int_(0)]) as place:
                run_of = self._get(self.runs, place.index)
                begins = f.icmp("eq", self._get(self.first, run_of), place.index)
                with f.when(begins):
                    self._set(self.sorted, run_of, place.carried[0])
                    self._put_run(run_of, place.carried[0])
                place.next(f.add(place.carried[0], f.convert("zext", begins, "i64")))
        inverse = self._wanted(Word.INVERSE)
        with f.loop(int_(0), f.select(inverse, self.size, int_(0))) as slice_:
            run_of = self._get(self.runs, slice_.index)
            self._set(self.word[Word.INVERSE], slice_.index, self._get(self.sorted, run_of))

    def _put_run(self, run: V, number: V) -> None:
        """Write the first place and the size of a run as those of slice `number` of the result."""
        f = self.f
        for word, list_ in ((Word.FIRST, self.first), (Word.COUNTS, self.counts)):
            with f.when(self._wanted(word)):
                self._set(self.word[word], number, self._get(list_, run))
