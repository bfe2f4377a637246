"""Loop-nest kernel -> LLVM IR text: outer loops, and how threads share them.

The function of a kernel is `void @name(ptr args, ptr ctx)`; of a tile epilogue
`void @name(ptr tile, i64 pitch, ptr args, ptr coords, i64 rows, i64 cols)`. All pointers, sizes and strides
are words of `args`, in the order of `Emitted.words`, so kernels of equal structure have equal text.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from typing import Any

from sardonyx.base import dim as dims
from sardonyx.base.abi import Context
from sardonyx.base.dataclass import dataclass
from sardonyx.base.digest import begun
from sardonyx.base.dim import Dim
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.emit.extents import Extents, Question
from sardonyx.emit.loops import Several
from sardonyx.emit.shares import Shares
from sardonyx.emit.tile import TileEmitter
from sardonyx.emit.turn import Turn
from sardonyx.emit.words import Word, Words
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.loops.cost import body_cost, points_of
from sardonyx.loops.nest import Apply, Axis, Kernel, Load, Reduce, Store
from sardonyx.loops.schedule import lanes_of
from sardonyx.loops.structure import structure

_GRAIN = 64
"""Elements of the vector axis that threads share out at a time: whole cache lines."""
_BLOCK = 1024
_ENOUGH = 64
"""Points of the shared axes that suffice to keep all threads equally busy."""
_LINE = 64
_TILE_VECTORS = 2
"""Vectors of a row of a tile that long statements run on at a time; most tiles have no more."""
_SHORT_ROW = 1024
"""Elements of a row beside which what ends its reductions still counts."""
_FEW = 2000
"""Instructions below which a kernel runs on one thread."""
_EPILOGUE = [
    ("tile", "ptr"),
    ("pitch", "i64"),
    ("args", "ptr"),
    ("coords", "ptr"),
    ("rows", "i64"),
    ("cols", "i64"),
]


@dataclass(frozen=True, slots=True)
class Emitted:
    """A kernel's function: its symbol (a digest of the text), its module text, and what its words mean.

    `scratch_bytes` is the private memory that each thread needs; `turns` are the shared functions it calls.
    """

    symbol: str
    ir: str
    words: tuple[Word, ...]
    scratch_bytes: Dim = 0
    turns: tuple[Turn, ...] = ()


class _Text(NamedTuple):
    """What was written for a kernel: good for those of its form whose extents give the same answers."""

    symbol: str
    ir: str
    region_bytes: int
    turns: tuple[Turn, ...]
    answers: Mapping[Question, Any]


class Writer:
    """Writes the functions of scheduled kernels.

    What is written follows from a kernel's structure, from which of its sizes are which words, and from what
    is asked of its extents. Where these are equal it is written once.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._texts: dict[Hashable, list[_Text]] = {}

    def emit(self, kernel: Kernel) -> Emitted:
        """The function of one kernel."""
        form, parts = structure(kernel)
        extents = Extents(parts.axes)
        emitter = _KernelEmitter(kernel, self.target, extents)
        emitter.declare()
        texts = self._texts.setdefault((form, *emitter.words.form), [])
        text = next((text for text in texts if extents.agree(text.answers)), None)
        if text is None:
            text = emitter.write()
            texts.append(text)
        scratch = emitter.scratch_bytes
        if text.region_bytes:
            scratch = dims.maximum(scratch, text.region_bytes)
        return Emitted(text.symbol, text.ir, tuple(emitter.words.listed), scratch, text.turns)


def emit(kernel: Kernel, target: Target) -> Emitted:
    """The function of one scheduled kernel."""
    return Writer(target).emit(kernel)


class _KernelEmitter(TileEmitter):
    """Writes a whole function."""

    def __init__(self, kernel: Kernel, target: Target, extents: Extents) -> None:
        self.kernel, self.extents = kernel, extents
        self.scratch_bytes: Dim = 0
        tile = kernel.form != "loops"
        params = _EPILOGUE if tile else [("args", "ptr"), ("ctx", "ptr")]
        function = Function(Module(), "KERNEL_NAME", params)
        super().__init__(function, target, kernel.vector, lanes_of(kernel, target))
        self.plain = frozenset(s.result.name for s in kernel.body if isinstance(s, Reduce) and s.plain)
        for row in (b for b in kernel.buffers() if b.role == "scratch"):
            self.rows[row] = self.scratch_bytes
            size = row.size * row.dtype.size_bytes
            self.scratch_bytes = self.scratch_bytes + dims.ceildiv(size, _LINE) * _LINE
        args = function.params[2] if tile else function.params[0]
        outer = kernel.outer
        jammed = next((a for n, a in enumerate(outer, 1) if self.jams(a, outer[n:])), None)
        told = frozenset() if tile else frozenset(outer) - {jammed}
        sized = frozenset() if tile else _sized(kernel)
        self.words = Words(function, args, kernel, self.lanes, told, sized, self.rows)

    # ---- whole functions

    def declare(self) -> None:
        """Begin the function: its words."""
        self.words.declare()
        kernel = self.kernel
        if kernel.form == "loops" and kernel.outer and not kernel.serial:
            each = sum(body_cost([s]) * points_of(s.axes) for s in kernel.body)
            self._work = self.words.own(max(1, int(each)))

    def write(self) -> _Text:
        """Write the rest of the function."""
        if self.kernel.form != "loops":
            self._write_tile()
        else:
            self._write_loops()
        self.f.ret()
        self.f.finish()
        text = self.f.module.text()
        symbol = "k" + begun(text.encode(), 10).hexdigest()
        ir, turns = text.replace("KERNEL_NAME", symbol), tuple(sorted(self.turns))
        return _Text(symbol, ir, self.region_bytes, turns, self.extents.answers)

    def _write_tile(self) -> None:
        _, pitch, _, coords, rows, cols = self.f.params
        whole = self.kernel.form == "rows"
        axes = (*self.kernel.outer, *self.kernel.body[-1].axes) if whole else self.kernel.outer
        row, column = axes[-2:]
        self.tile_strides = (row, column, pitch)
        self.open_accesses(self.kernel.body)
        for axis, origin in zip(axes, self._origins(coords), strict=True):
            self.enter(axis, origin, tile=False)
        body = self.kernel.body
        if not whole and not self._depends_on(row, column):
            long = self.several_vectors(body).abreast
            several = Several(_TILE_VECTORS, abreast=True) if long else Several()
            self.vector_loop(column, int_(0), cols, lambda: self._rows_of_a_tile(row, rows), (), several)
            return
        if whole:
            self._row_pairs(row, int_(0), rows)
            return
        with self.f.loop(int_(0), rows) as loop, self.scope():
            self.enter(row, loop.index, keep=True)
            self.hoist(body, {column})
            long = self.several_vectors(body).abreast
            several = Several(_TILE_VECTORS, abreast=True) if long else Several()
            self.vector_loop(column, int_(0), cols, lambda: self.statements(body), (), several)

    def _rows_of_a_tile(self, row: Axis, rows: V) -> None:
        """All rows of a vector of columns, beside which what is the same for all rows stays in registers.

        Rows may run along another axis than sums are addressed by.
        """
        sums = (
            e.at for s in self.kernel.body for e in s.exprs if isinstance(e, Load) and e.buffer.role == "tile"
        )
        self.hoist(self.kernel.body, {row, *(axis for at in sums for axis in at.axes - {self.vector})})
        body, f = self.kernel.body, self.f
        are_paired = self.mask is None and self.lanes > lanes_of(self.kernel, self.target)
        with f.loop(int_(0), rows, 2 if are_paired else 1) as loop, self.scope():
            self.enter(row, loop.index, keep=True)
            if are_paired:
                following = f.icmp("slt", f.add(loop.index, int_(1)), rows)
                with self.stacking(row, f.convert("zext", following, "i64")):
                    self.statements(body)
            else:
                self.statements(body)

    def _depends_on(self, row: Axis, column: Axis) -> bool:
        """Whether something is computed that differs between the rows of a tile alone."""
        found = (e for s in self.kernel.body for e in s.exprs)
        return any(isinstance(e, Apply) and row in e.axes and column not in e.axes for e in found)

    def _origins(self, coords: V) -> list[V]:
        """The origin of the tile along each outer axis."""
        outer = self.kernel.outer
        if self.kernel.form == "tile":
            return [self.f.word(coords, number) for number in range(len(outer))]
        flat, tail = self.f.word(coords, 0), [self.f.word(coords, 1), self.f.word(coords, 2)]
        lead = self.words.flat_axes
        if len(lead) == 2:
            extent = self.words.extent(lead[1])
            return [self.f.binary("udiv", flat, extent), self.f.binary("urem", flat, extent), *tail]
        return [flat, *tail] if lead else tail

    def _write_loops(self) -> None:
        self.open_accesses(self.kernel.body)
        outer, f = self.kernel.outer, self.f
        points = int_(1)
        for axis in outer:
            points = f.mul(points, self.words.extent(axis))
        with f.when(f.icmp("sgt", points, int_(0))):
            self.hoist(self.kernel.body, {*outer, *self.inner_axes()})
            if self.kernel.serial or not outer:
                with f.when(f.icmp("eq", f.word(f.params[1], Context.TID), int_(0))):
                    self._nest(outer)
            else:
                self._sharing = self._shares(points)
                with self._sharing.mine(f) as self._share, self.scope():
                    self._split(outer)

    def inner_axes(self) -> set[Axis]:
        """The axes that belong to statements rather than to the whole kernel."""
        return {a for s in self.kernel.body for a in s.axes}

    def reuses_scratch(self, axis: Axis) -> bool:
        """Whether a row in scratch memory serves one vector of an axis after the other."""
        return axis in self.kernel.outer

    # ---- threads

    def _shares(self, points: V) -> Shares:
        """How threads share that many points: one thread alone takes them if there is little to do."""
        f, context = self.f, self.f.params[1]
        work = f.mul(points, self._work)
        few = f.icmp("ult", work, int_(_FEW))
        threads = f.select(few, int_(1), f.word(context, Context.NTHREADS))
        return Shares.of(f, context, threads, work, points)

    def share(self, total: V, grain: int) -> tuple[V, V]:
        """The range of `total` points, in multiples of `grain`, of the share that is worked on."""
        f = self.f
        units = f.binary("udiv", f.add(total, int_(grain - 1)), int_(grain)) if grain > 1 else total
        low, high = (
            f.mul(f.binary("udiv", f.mul(units, at), self._sharing.units), int_(grain)) for at in self._share
        )
        return low, f.smin(high, total)

    def _split(self, outer: Sequence[Axis]) -> None:
        """Share the points of the first axes among the threads."""
        shared, rest = self._shared_axes(outer)
        if len(shared) == 1 and self._run_range(shared[0], rest, self.share):
            return
        extents = [self._units(a) for a in shared]
        total = int_(1)
        for extent in extents:
            total = self.f.mul(total, extent)
        low, high = self.share(total, 1)
        if not rest and self._pairs_rows():
            self._split_rows(shared, extents, low, high)
            return
        with self.f.loop(low, high, 1, self._digits(low, extents)) as loop, self.scope():
            digits = loop.carried
            whole = [a for a in shared if self._block_size(a) == 1]
            for axis, digit in zip(shared, digits, strict=False):
                if axis in whole:
                    self.enter(axis, digit)
            self.hoist(self.kernel.body, {*outer, *self.inner_axes()} - {*whole})
            if shared[-1] in whole:
                self._nest(rest)
            else:
                self._run_range(
                    shared[-1], rest, lambda extent, _: self._part(shared[-1], digits[-1], extent)
                )
            loop.next(*self._following(digits, extents))

    def _split_rows(self, axes: Sequence[Axis], extents: Sequence[V], low: V, high: V) -> None:
        """Points of all axes counted together, those along the last one as far as they go."""
        f = self.f
        digits = self._digits(low, extents)
        with f.repeat(lambda at, *_: f.icmp("slt", at, high), [low, *digits]) as loop, self.scope():
            at, *before, first = loop.carried
            for axis, digit in zip(axes, before, strict=False):
                self.enter(axis, digit)
            end = f.smin(extents[-1], f.add(first, f.sub(high, at)))
            self.hoist(self.kernel.body, {axes[-1], *self.inner_axes()})
            self._row_pairs(axes[-1], first, end)
            loop.next(f.add(at, f.sub(end, first)), *self._following(before, extents[:-1]), int_(0))

    def _run_range(self, axis: Axis, rest: Sequence[Axis], share: Callable[[V, int], tuple[V, V]]) -> bool:
        """Run the part of an axis that `share` gives for (extent, grain), if it runs in blocks of points."""
        extent = self.words.extent(axis)
        if axis is self.vector:
            self._along_vector(*share(extent, max(_GRAIN, self._several().number * self.lanes)))
        elif axis is self.kernel.cross:
            self.squares(*share(extent, self.lanes))
        elif self.jams(axis, rest):
            self.jam(axis, rest, *share(extent, self.jam_width(axis)))
        elif not rest and self._pairs_rows():
            self._row_pairs(axis, *share(extent, 1))
        else:
            return False
        return True

    def _pairs_rows(self) -> bool:
        """Whether rows run two by two, so that what ends the reductions of one hides behind the other."""
        body, vector = self.kernel.body, self.vector
        return (
            vector is not None
            and not self.extents.at_least(vector, _SHORT_ROW + 1)
            and self.kernel.cross is None
            and all(s.axes in ((), (vector,)) for s in body)
            and any(isinstance(s, Reduce) and s.axes for s in body)
            and not any(b.role == "scratch" for b in self.kernel.buffers())
            and not any(isinstance(e, Load) and e.picks for s in body for e in s.exprs)
        )

    def _row_pairs(self, axis: Axis, low: V, high: V) -> None:
        """Rows in pairs, the last one alone if their number is odd, all of them if they are long."""
        assert self.vector is not None
        f = self.f
        short = f.icmp("sle", self.words.extent(self.vector), int_(_SHORT_ROW))
        end, step = f.select(short, f.sub(high, int_(1)), low), f.select(short, int_(2), int_(1))
        with f.loop(low, high, step) as pair, self.scope():
            self.enter(axis, pair.index, keep=self.kernel.form == "rows")
            self.row_step = step
            with self.alternating(axis, f.icmp("slt", pair.index, end)):
                self.statements(self.kernel.body)
            self.row_step = int_(1)

    def _shared_axes(self, outer: Sequence[Axis]) -> tuple[list[Axis], list[Axis]]:
        """(axes whose points are shared out, axes that each point loops over)."""
        shared, rest = [outer[0]], list(outer[1:])
        while rest and not self._suffice(shared) and self._may_share(shared[-1], rest):
            shared.append(rest.pop(0))
        return shared, rest

    def _suffice(self, axes: Sequence[Axis]) -> bool:
        return self.extents.ask(_are_surely, axes, _ENOUGH)

    def _may_share(self, last: Axis, rest: Sequence[Axis]) -> bool:
        axis = rest[0]
        if last is self.kernel.cross or self.jams(last, rest) or self.jams(axis, rest[1:]):
            return False
        return axis is not self.vector or not self.extents.at_most([axis], 2 * _BLOCK - 1)

    def _block_size(self, axis: Axis) -> int:
        """How many points of an axis are shared out as one."""
        return _BLOCK if axis is self.vector else self.lanes if axis is self.kernel.cross else 1

    def _part(self, axis: Axis, digit: V, extent: V) -> tuple[V, V]:
        size = int_(self._block_size(axis))
        low = self.f.mul(digit, size)
        return low, self.f.smin(self.f.add(low, size), extent)

    def _units(self, axis: Axis) -> V:
        """How many shared points an axis has."""
        extent, size = self.words.extent(axis), self._block_size(axis)
        return extent if size == 1 else self.f.binary("udiv", self.f.add(extent, int_(size - 1)), int_(size))

    def _digits(self, number: V, extents: Sequence[V]) -> list[V]:
        """The index along each axis of a point counted over all of them."""
        digits = []
        for extent in reversed(extents[1:]):
            digits.append(self.f.binary("urem", number, extent))
            number = self.f.binary("udiv", number, extent)
        return [number, *reversed(digits)]

    def _following(self, digits: Sequence[V], extents: Sequence[V]) -> list[V]:
        """The indices of the next point."""
        f, carry = self.f, int_(1)
        result = []
        for digit, extent in zip(reversed(digits[1:]), reversed(extents[1:]), strict=True):
            more = f.add(digit, carry)
            wraps = f.icmp("eq", more, extent)
            result.append(f.select(wraps, int_(0), more))
            carry = f.convert("zext", wraps, "i64")
        return [f.add(digits[0], carry), *reversed(result)]

    # ---- nests

    def _nest(self, axes: Sequence[Axis]) -> None:
        if not axes:
            self.statements(self.kernel.body)
            return
        axis, rest = axes[0], axes[1:]
        if self._run_range(axis, rest, lambda extent, _: (int_(0), extent)):
            return
        with self.f.loop(int_(0), self.words.extent(axis)) as loop, self.scope():
            self.enter(axis, loop.index)
            self.hoist(self.kernel.body, {*rest, *self.inner_axes()})
            self._nest(rest)

    def _along_vector(self, low: V, high: V) -> None:
        """All statements over a range of the vector axis, the innermost of the outer axes."""
        axis, body = self.kernel.vector, self.kernel.body
        assert axis is not None
        if self.kernel.cross is not None:
            self.vector_loop(axis, low, high, self.short_rows, again=True)
        else:
            once = any(isinstance(s, Store) and s.reduction != "none" for s in body)
            several = self._several()
            self.vector_loop(axis, low, high, lambda: self.statements(body), (), several, again=not once)

    def _several(self) -> Several:
        """How many vectors run side by side; shares begin at multiples, so that the order of sums is one."""
        alone = any(b.role == "scratch" for b in self.kernel.buffers())
        return Several() if alone or self.kernel.cross is not None else self.several_vectors(self.kernel.body)


def _sized(kernel: Kernel) -> frozenset[Axis]:
    """Axes of statements for which other loops would hardly be faster if their extents were written out.

    A reduction of a whole tensor runs once a call, and stores run their loops around that of their vectors.
    """
    reduced = {axis for s in kernel.body if isinstance(s, Reduce) for axis in s.axes}
    stored = [set(s.axes) for s in kernel.body if isinstance(s, Store)]
    if not kernel.outer and reduced == {kernel.vector} and not any(stored):
        return frozenset(reduced)
    around = {axis for axes in stored if kernel.vector in axes for axis in axes}
    return frozenset(around - reduced - {kernel.vector, kernel.cross})


def _are_surely(extents: Sequence[Dim], least: int) -> bool:
    """Whether there are so many points by the extents that are known."""
    return prod(extent for extent in extents if isinstance(extent, int)) >= least
