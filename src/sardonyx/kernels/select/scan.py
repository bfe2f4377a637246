"""Running sums and products along an axis.

Decides which lines a thread computes; each line is summed in order. Must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from sardonyx.kernels.share import ceil_div, round_up, split
from sardonyx.llvm import maps
from sardonyx.llvm.convert import literal, memory_type
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.llvm.vec import Function, Module, V, int_

_ABREAST = 4
"""Vectors side by side, where all threads have so many: memory gives lines that follow each other faster."""
_LEAST_ROW_BYTES = 1 << 10
"""From this length on rows are read to their ends: few columns of all would lie in few sets of a cache."""


class Word(IntEnum):
    """Argument words: Y and X are [OUTER, SIZE, INNER] without gaps."""

    X = 0
    Y = auto()
    OUTER = auto()
    SIZE = auto()
    INNER = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a kernel is generated for."""

    prim: str
    dtype: DType
    exclusive: bool
    reverse: bool

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        ways = ("_exclusive" if self.exclusive else "") + ("_reverse" if self.reverse else "")
        return f"sdx_{self.prim}_{self.dtype.name}{ways}"


def scan_calls(group: Group, places: Mapping[int, Place], goal: Goal) -> Calls:
    """The call that computes a running sum or product."""
    target = goal.target
    root, place = group.root, group.place
    assert place is not None
    (x,), axis = root.args, root.attrs["axis"]
    scan = Scan(root.prim, root.dtype, bool(root.attrs["exclusive"]), bool(root.attrs["reverse"]))
    source = places[x.id]
    words: dict[int, Argument] = {
        Word.X: Address.of(source),
        Word.Y: Address.of(place),
        Word.OUTER: dims.product(x.shape[:axis]),
        Word.SIZE: x.shape[axis],
        Word.INNER: dims.product(x.shape[axis + 1 :]),
    }
    call = NativeCall(
        scan.symbol,
        in_order(words, Word.WORDS),
        (source.storage,),
        (place.storage,),
        root.origins,
        work=x.size * 4,
        kind="scan",
        plan=f"{root.prim} of {words[Word.OUTER]} x {words[Word.SIZE]} x {words[Word.INNER]}",
    )
    yield call, {scan.symbol: lambda: scan_ir(scan, target)}


def scan_ir(scan: Scan, target: Target) -> str:
    """The module with `void @symbol(ptr args, ptr ctx)`."""
    module = Module()
    _Writer(module, scan, target).write()
    return module.text()


class _Writer:
    """Writes the kernel: lines side by side in vectors, or one by one if fewer lie side by side.

    Of many lines side by side all take a step together: what it before has written are the totals.
    Halves are summed in single precision, so their totals stay in registers.
    """

    def __init__(self, module: Module, scan: Scan, target: Target) -> None:
        self.f = Function(module, scan.symbol, [("args", "ptr"), ("ctx", "ptr")])
        self.scan, self.target = scan, target
        self.args, self.ctx = self.f.params
        self.access = Access(self.f, scan.dtype, target)
        self.x, self.y = (self.f.word(self.args, w, "ptr") for w in (Word.X, Word.Y))
        self.outer, self.size, self.inner = (
            self.f.word(self.args, w) for w in (Word.OUTER, Word.SIZE, Word.INNER)
        )

    def write(self) -> None:
        """Add the function to its module."""
        f, dtype = self.f, self.scan.dtype
        tid, threads = f.word(self.ctx, Context.TID), f.word(self.ctx, Context.NTHREADS)
        columns = f.new_label("columns")
        if memory_type(dtype) == self.access.compute:
            size, rows = size_of(self.access.compute), f.new_label("rows")
            least = f.mul(threads, int_(_LEAST_ROW_BYTES // size))
            f.branch(f.icmp("sge", self.inner, least), rows, columns)
            f.start(rows)
            self._by_rows(tid, threads, self.target.l1_bytes // (3 * size))
            f.ret()
        else:
            f.jump(columns)
        f.start(columns)
        self._by_columns(tid, threads)
        f.ret()
        f.finish()

    def _by_rows(self, tid: V, threads: V, most: int) -> None:
        """Rows of at most so many columns, each the sums with the row before it; three lie in L1."""
        f, abreast = self.f, _ABREAST * self.target.lanes
        each = round_up(f, ceil_div(f, self.inner, threads), abreast)
        step = f.smin(each, int_(most // abreast * abreast))
        with self._block(step, tid, threads) as (first, count):
            with f.when(f.icmp("sgt", self.size, int_(0))):
                self._row(f.add(first, self._behind(int_(0))), None, count)
            with f.loop(int_(1), self.size) as steps:
                row, before = (self._behind(at) for at in (steps.index, f.sub(steps.index, int_(1))))
                self._row(f.add(first, row), f.add(first, before), count)

    @contextmanager
    def _block(self, step: V, tid: V, threads: V) -> Iterator[tuple[V, V]]:
        """A loop over blocks of at most `step` columns: the first element of each, and how many columns."""
        f = self.f
        blocks = ceil_div(f, self.inner, step)
        low, high = split(f, f.mul(self.outer, blocks), tid, threads)
        with f.loop(low, high) as loop:
            outer, block = f.binary("udiv", loop.index, blocks), f.binary("urem", loop.index, blocks)
            column = f.mul(block, step)
            first = f.add(f.mul(outer, f.mul(self.size, self.inner)), column)
            yield first, f.smin(f.sub(self.inner, column), step)

    def _behind(self, step: V) -> V:
        """How far the elements of a step are behind the first ones of their lines."""
        f = self.f
        return f.mul(f.sub(f.sub(self.size, int_(1)), step) if self.scan.reverse else step, self.inner)

    def _row(self, row: V, before: V | None, count: V) -> None:
        """So many sums of a row, which begin with those of the row before it."""
        f, lanes = self.f, self.target.lanes
        whole = f.binary("and", count, int_(-_ABREAST * lanes))
        with f.loop(int_(0), whole, _ABREAST * lanes) as part:
            for n in range(_ABREAST):
                self._sums(row, before, f.add(part.index, int_(n * lanes)), int_(1, vector_of("i1", lanes)))
        with f.loop(whole, count, lanes) as part:
            self._sums(row, before, part.index, f.tail_mask(f.sub(count, part.index), lanes))

    def _sums(self, row: V, before: V | None, column: V, mask: V) -> None:
        f, access, exclusive = self.f, self.access, self.scan.exclusive
        y = self._identity(mask.lanes)
        if before is not None:
            y = access.load_lanes(self.y, f.add(before, column), mask)
        added = before if exclusive else row
        if added is not None:
            y = self._combined(y, access.load_lanes(self.x, f.add(added, column), mask))
        access.store_lanes(y, self.y, f.add(row, column), mask)

    def _by_columns(self, tid: V, threads: V) -> None:
        """Lines in vectors, from their beginning to their end."""
        f, lanes = self.f, self.target.lanes
        wide = f.icmp("sge", self.inner, int_(lanes))
        widest = f.icmp("sge", self.inner, f.mul(threads, int_(_ABREAST * lanes)))
        step = f.select(widest, int_(_ABREAST * lanes), f.select(wide, int_(lanes), int_(1)))
        with self._block(step, tid, threads) as (first, left):
            abreast, less, vector, scalar, done = (
                f.new_label(name) for name in ("abreast", "less", "vector", "scalar", "done")
            )
            f.branch(f.icmp("eq", left, int_(_ABREAST * lanes)), abreast, less)
            f.start(abreast)
            self._lines(first, [int_(1, vector_of("i1", lanes))] * _ABREAST)
            f.jump(done)
            f.start(less)
            f.branch(wide, vector, scalar)
            f.start(vector)
            with f.loop(int_(0), left, lanes) as part:
                self._lines(f.add(first, part.index), [f.tail_mask(f.sub(left, part.index), lanes)])
            f.jump(done)
            f.start(scalar)
            self._lines(first, [None])
            f.jump(done)
            f.start(done)

    def _lines(self, first: V, masks: Sequence[V | None]) -> None:
        """One line, or as many side by side as the masks, one a vector, have lanes."""
        f, access = self.f, self.access
        lanes = masks[0].lanes if masks[0] else 1
        identity = self._identity(lanes)
        with f.loop(int_(0), self.size, 1, [identity] * len(masks)) as loop:
            row = f.add(first, self._behind(loop.index))
            places = [f.add(row, int_(n * lanes)) for n in range(len(masks))]
            totals = []
            for at, mask, before in zip(places, masks, loop.carried, strict=True):
                x = access.load_lanes(self.x, at, mask) if mask else access.load(self.x, at)
                totals.append(self._combined(before, x))
            written = loop.carried if self.scan.exclusive else totals
            for at, mask, y in zip(places, masks, written, strict=True):
                if mask:
                    access.store_lanes(y, self.y, at, mask)
                else:
                    access.store(y, self.y, at)
            loop.next(*totals)

    def _identity(self, lanes: int) -> V:
        return literal(1 if self.scan.prim == "cumprod" else 0, self.scan.dtype, lanes)

    def _combined(self, a: V, b: V) -> V:
        dtype = self.scan.dtype
        prim = "mul" if self.scan.prim == "cumprod" else "add"
        return maps.apply(self.f, self.target, prim, (a, b), (dtype, dtype), dtype, {}, None, None)
