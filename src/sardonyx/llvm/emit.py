"""Loop-nest kernel -> LLVM IR text, vectorised along one axis. Knows nests and the vector writer only.

The function of a kernel is `void @name(ptr args, ptr ctx)`; of a tile epilogue
`void @name(ptr tile, i64 pitch, ptr args, ptr coords, i64 rows, i64 cols)`. All pointers, sizes and strides
are words of `args`, in the order of `Emitted.words`, so kernels of equal structure have equal text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from sardonyx.base.dim import Dim
from sardonyx.base.target import Target
from sardonyx.llvm.expr import ExprEmitter
from sardonyx.llvm.vec import Function, Module, V, int_
from sardonyx.loops.nest import (
    Affine,
    Axis,
    Buffer,
    Kernel,
    Load,
    Reduce,
    Reduced,
    Statement,
    Store,
    roots,
    walk,
)

NAME = "@KERNEL@"
LITERAL = 64
_UNROLL_POINTS = 32
_JAM_POINTS = 64


@dataclass(frozen=True, slots=True)
class Word:
    """One argument word: the address of element `dim` of `buffer`, or without one the integer `dim`."""

    buffer: Buffer | None
    dim: Dim


@dataclass(frozen=True, slots=True)
class Emitted:
    """A kernel's function: its symbol (a digest of the text), its module text, and what its words mean."""

    symbol: str
    ir: str
    words: tuple[Word, ...]


def emit(kernel: Kernel, target: Target) -> Emitted:
    """The module text of one scheduled kernel."""
    module = Module()
    emitter = _KernelEmitter(kernel, target, module)
    emitter.write()
    text = module.text()
    symbol = "k" + hashlib.sha256(text.encode()).hexdigest()[:20]
    return Emitted(symbol, text.replace("KERNEL_NAME", symbol), tuple(emitter.words))


class _KernelEmitter(ExprEmitter):
    """Writes the loops; expressions are the business of the base class."""

    def __init__(self, kernel: Kernel, target: Target, module: Module) -> None:
        self.kernel = kernel
        self.words: list[Word] = []
        self._word_values: dict[tuple[int, Dim], V] = {}
        tile = kernel.form != "loops"
        params = (
            [
                ("tile", "ptr"),
                ("pitch", "i64"),
                ("args", "ptr"),
                ("coords", "ptr"),
                ("rows", "i64"),
                ("cols", "i64"),
            ]
            if tile
            else [("args", "ptr"), ("ctx", "ptr")]
        )
        function = Function(module, "KERNEL_NAME", params)
        super().__init__(function, target, kernel.vector)
        self.args = function.params[2] if tile else function.params[0]

    # ---- words

    def word(self, buffer: Buffer | None, dim: Dim) -> V:
        """The value of an argument word, loaded once at entry; small integers are literals."""
        if buffer is None and isinstance(dim, int) and abs(dim) <= LITERAL:
            return int_(dim)
        key = (id(buffer) if buffer else 0, dim)
        if key not in self._word_values:
            raise AssertionError(f"word {dim} was not declared")
        return self._word_values[key]

    def declare_words(self) -> None:
        """Load every pointer, stride and extent that the kernel needs, in a fixed order."""
        for statement in self.kernel.body:
            for expr in walk(roots(statement)):
                self.declare_expr(expr)
            if isinstance(statement, Store):
                self.declare_access(statement.buffer, statement.at)
                for pick in statement.picks:
                    self.declare(None, pick.stride)
                    self.declare(None, pick.extent)
            for axis in statement.axes:
                self.declare(None, axis.extent)
        for axis in self.kernel.outer:
            if self.kernel.form == "loops" or (
                self.kernel.form == "product" and axis in self.kernel.outer[1:-2]
            ):
                self.declare(None, axis.extent)

    def declare(self, buffer: Buffer | None, dim: Dim) -> None:
        """Make one word available."""
        if buffer is None and isinstance(dim, int) and abs(dim) <= LITERAL:
            return
        key = (id(buffer) if buffer else 0, dim)
        if key not in self._word_values:
            type_ = "ptr" if buffer else "i64"
            self._word_values[key] = self.f.word(self.args, len(self.words), type_)
            self.words.append(Word(buffer, dim))

    def declare_access(self, buffer: Buffer, at: Affine) -> None:
        """Make the words of an address available."""
        if buffer.role != "tile":
            self.declare(buffer, at.const)
            for _, factor in at.terms:
                self.declare(None, factor)

    # ---- loops

    def write(self) -> None:
        """Write the whole function."""
        self.declare_words()
        if self.kernel.form != "loops":
            self._write_tile()
        else:
            self._write_loops()
        self.f.ret()
        self.f.finish()

    def _write_tile(self) -> None:
        _, pitch, _, coords, rows, cols = self.f.params
        row, column = self.kernel.outer[-2:]
        self.tile_strides = (row, column, pitch)
        self.open_accesses(self.kernel.body)
        for axis, origin in zip(self.kernel.outer, self._origins(coords), strict=True):
            self.enter(axis, origin, tile=False)
        with self.f.loop(int_(0), rows) as loop, self.scope():
            self.enter(row, loop.index, keep=True)
            self.hoist(self.kernel.body, {column})
            self.vector_loop(column, int_(0), cols, lambda: self.statements(self.kernel.body, keep={column}))

    def _origins(self, coords: V) -> list[V]:
        """The origin of the tile along each outer axis."""
        outer = self.kernel.outer
        if self.kernel.form == "tile":
            return [self.f.word(coords, number) for number in range(len(outer))]
        flat, tail = self.f.word(coords, 0), [self.f.word(coords, 1), self.f.word(coords, 2)]
        lead = outer[:-2]
        if len(lead) == 2:
            extent = self.word(None, lead[1].extent)
            return [self.f.binary("udiv", flat, extent), self.f.binary("urem", flat, extent), *tail]
        return [flat, *tail] if lead else tail

    def _write_loops(self) -> None:
        self.open_accesses(self.kernel.body)
        self.hoist(self.kernel.body, set(self.kernel.outer) | self._inner_axes())
        outer = self.kernel.outer
        if self.kernel.serial:
            with self.f.when(self.f.icmp("eq", self.thread()[0], int_(0))):
                self._nest(outer)
            return
        if not outer:
            with self.f.when(self.f.icmp("eq", self.thread()[0], int_(0))):
                self.statements(self.kernel.body)
            return
        if outer[0] is self.vector:
            low, high = self.share(self.word(None, outer[0].extent), 64)
            self.vector_loop(outer[0], low, high, lambda: self.statements(self.kernel.body))
            return
        flat = outer[:2] if len(outer) > 1 and outer[1] is not self.vector else outer[:1]
        self._split(flat, outer[len(flat) :])

    def _jams(self, axis: Axis, rest: Sequence[Axis]) -> bool:
        """Whether several points of `axis` should share the operands of a small unrolled window."""
        body = self.kernel.body
        windows = [s for s in body if isinstance(s, Reduce)]
        return (
            bool(windows)
            and axis is not self.vector
            and list(rest) == ([self.vector] if self.vector in self.kernel.outer else [])
            and (not rest or rest[0].extent == self.target.lanes)
            and all(self._unrolls(s.axes, _JAM_POINTS) for s in windows)
            and len({s.axes for s in windows}) == 1
            and all(not s.axes for s in body if isinstance(s, Store))
            and not any(isinstance(e, Reduced) for s in windows for e in walk(roots(s)))
        )

    def _jam(self, axis: Axis, rest: Sequence[Axis]) -> None:
        """Run blocks of points of `axis` together: each tap's shared operands are read once a block."""
        windows = [s for s in self.kernel.body if isinstance(s, Reduce)]
        points = len(list(self._taps(windows[0].axes)))
        widths = _block_widths(axis.extent, 8 if points <= 25 and len(windows) == 1 else 4)
        extent = self.word(None, axis.extent)
        for vector in rest:
            self.enter(vector, int_(0))
        taps = []
        for at in self._taps(windows[0].axes):
            with self.scope():
                for tap, index in zip(windows[0].axes, at, strict=True):
                    if not self._is_displacement(tap):
                        self.enter(tap, int_(index))
                taps.append((at, dict(self.pointers[-1])))
        low: V = int_(0)
        for width in widths:
            with self.f.loop(low, self.f.sub(extent, int_(width - 1)), width) as loop:
                self._jam_block(axis, [self.f.add(loop.index, int_(u)) for u in range(width)], windows, taps)
            low = loop.index

    def _jam_block(
        self,
        axis: Axis,
        indices: Sequence[V],
        windows: Sequence[Reduce],
        taps: Sequence[tuple[tuple[int, ...], dict[tuple[Buffer, Affine], V]]],
    ) -> None:
        self.begin_reductions(windows)
        sums = [self.accumulators(windows) for _ in indices]
        for at, pointers in taps:
            with self.scope():
                self.pointers[-1].update(pointers)
                for tap, place in zip(windows[0].axes, at, strict=True):
                    if self._is_displacement(tap):
                        self.enter(tap, int_(place))
                    else:
                        self.indices[-1][tap] = int_(place)
                self.hoist(windows, {axis})
                for number, index in enumerate(indices):
                    with self.scope():
                        self.enter(axis, index)
                        self.carry(windows, sums[number])
                        for statement in windows:
                            self.accumulate(statement)
                        sums[number] = self.accumulators(windows)
        for number, index in enumerate(indices):
            with self.scope():
                self.enter(axis, index)
                self.carry(windows, sums[number])
                for store in self.kernel.body:
                    if isinstance(store, Store):
                        self.store(store)

    def _taps(self, axes: Sequence[Axis]) -> Iterator[tuple[int, ...]]:
        return product(*(range(int(a.extent)) for a in axes))  # type: ignore[arg-type]

    def _is_displacement(self, tap: Axis) -> bool:
        """Whether moving along a tap is a constant displacement in every address."""
        factors = [at.factor(tap) for _, at in self.pointers[0]]
        return all(isinstance(f, int) and abs(f) <= LITERAL for f in factors)

    def _split(self, flat: Sequence[Axis], rest: Sequence[Axis]) -> None:
        """Share the points of the first one or two axes among the threads."""
        extents = [self.word(None, a.extent) for a in flat]
        total = extents[0] if len(flat) == 1 else self.f.mul(extents[0], extents[1])
        low, high = self.share(total, 1)
        remaining = set(rest) | self._inner_axes()
        with self.f.loop(low, high) as loop, self.scope():
            if len(flat) == 1:
                self.enter(flat[0], loop.index)
            else:
                self.enter(flat[0], self.f.binary("udiv", loop.index, extents[1]))
                self.enter(flat[1], self.f.binary("urem", loop.index, extents[1]))
            self.hoist(self.kernel.body, remaining)
            self._nest(rest)

    def _nest(self, axes: Sequence[Axis]) -> None:
        if not axes:
            self.statements(self.kernel.body)
            return
        axis, rest = axes[0], axes[1:]
        if self._jams(axis, rest):
            self._jam(axis, rest)
            return
        if axis is self.vector:
            extent = self.word(None, axis.extent)
            self.vector_loop(axis, int_(0), extent, lambda: self._nest(rest))
            return
        with self.f.loop(int_(0), self.word(None, axis.extent)) as loop, self.scope():
            self.enter(axis, loop.index)
            self.hoist(self.kernel.body, set(rest) | self._inner_axes())
            self._nest(rest)

    def _inner_axes(self) -> set[Axis]:
        return {a for s in self.kernel.body for a in s.axes}

    def share(self, total: V, grain: int) -> tuple[V, V]:
        """This thread's range of `total` points, in multiples of `grain`."""
        tid, count = self.thread()
        f = self.f
        units = f.binary("udiv", f.add(total, int_(grain - 1)), int_(grain)) if grain > 1 else total
        low = f.mul(f.binary("udiv", f.mul(units, tid), count), int_(grain))
        high = f.mul(f.binary("udiv", f.mul(units, f.add(tid, int_(1))), count), int_(grain))
        return low, f.smin(high, total)

    def thread(self) -> tuple[V, V]:
        """(thread number, number of threads)."""
        if not hasattr(self, "_thread"):
            context = self.f.params[1]
            self._thread = (self.f.word(context, 0), self.f.word(context, 1))
        return self._thread

    # ---- statements

    def statements(self, body: Sequence[Statement], keep: set[Axis] | None = None) -> None:
        """Run statements inside the outer loops; neighbours over the same axes share their loops."""
        position = 0
        while position < len(body):
            end = position + 1
            while end < len(body) and self._can_join(body[position:end], body[end]):
                end += 1
            self._run_together(body[position:end])
            position = end
        del keep

    def _can_join(self, first: Sequence[Statement], other: Statement) -> bool:
        if first[0].axes != other.axes:
            return False
        if not other.axes:
            return True
        made = {s.result.name for s in first if not isinstance(s, Store)}
        written = {s.buffer for s in first if isinstance(s, Store)}
        for expr in walk(roots(other)):
            if getattr(expr, "name", None) in made:
                return False
            if isinstance(expr, Load) and expr.buffer in written:
                return False
        return True

    def _run_together(self, group: Sequence[Statement]) -> None:
        axes = group[0].axes
        if not axes:
            for s in group:
                if isinstance(s, Store):
                    self.store(s)
                else:
                    self.begin_reductions([s])
                    self.accumulate(s)
            return
        reductions = [s for s in group if not isinstance(s, Store)]
        self.begin_reductions(reductions)
        self.hoist(group, set(axes))
        self._inner(list(axes), group)
        self.end_reductions(reductions)

    def _inner(self, axes: list[Axis], group: Sequence[Statement]) -> None:
        if not axes:
            for s in group:
                if isinstance(s, Store):
                    self.store(s)
                else:
                    self.accumulate(s)
            return
        ordered = [a for a in axes if a is not self.vector] + [a for a in axes if a is self.vector]
        axis, rest = ordered[0], ordered[1:]
        reductions = [s for s in group if not isinstance(s, Store)]
        if axis is self.vector:
            high = self.word(None, axis.extent)
            self.vector_loop(axis, int_(0), high, lambda: self._inner(rest, group), reductions)
        elif self._unrolls(axes):
            for index in range(int(axis.extent)):  # type: ignore[arg-type]
                with self.scope():
                    self.enter(axis, int_(index))
                    self.hoist(group, set(rest))
                    self._inner(rest, group)
        else:
            carried = self.accumulators(reductions)
            with self.f.loop(int_(0), self.word(None, axis.extent), 1, carried) as loop, self.scope():
                self.carry(reductions, loop.carried)
                self.enter(axis, loop.index)
                self.hoist(group, set(rest))
                self._inner(rest, group)
                loop.next(*self.accumulators(reductions))
            self.carry(reductions, loop.carried)

    def _unrolls(self, axes: Sequence[Axis], limit: int = _UNROLL_POINTS) -> bool:
        points = 1
        for axis in axes:
            if axis is self.vector or not isinstance(axis.extent, int):
                return False
            points *= axis.extent
        return points <= limit


def _block_widths(extent: Dim, most: int) -> tuple[int, ...]:
    """How many points to run together, first and for what is left over."""
    if not isinstance(extent, int):
        return (most, most // 2, 1)
    if extent <= most:
        return (max(1, extent),)
    best = max(range(most // 2 + 1, most + 1), key=lambda width: (-(extent % width), width))
    return (best, extent % best) if extent % best else (best,)
