"""Loop nests -> calls, each structure emitted once: equal kernels over other buffers take the same function.

A model repeats its layers; what is repeated is scheduled and written out for the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import replace
from sardonyx.base.named import NamedTuple
from sardonyx.base.target import Target
from sardonyx.emit.nest import Emitted, Writer
from sardonyx.emit.turn import Turn
from sardonyx.ir.place import Storage
from sardonyx.kernels.call import Address, Argument, NativeCall
from sardonyx.loops.nest import (
    Apply,
    Expr,
    Kernel,
    Load,
    Reduce,
    Statement,
    Store,
    roots,
    trip_count,
    walk,
)
from sardonyx.loops.schedule import schedule
from sardonyx.loops.structure import Parts, structure

_NO_FUNCTIONS = frozenset({"cast", "bitcast", "where"})


class _Made(NamedTuple):
    """The call of the first kernel of a structure; `told` has the number that a word tells, both by place."""

    call: NativeCall
    ir: str
    parts: Parts
    told: Mapping[int, int]

    def over(self, kernel: Kernel, parts: Parts) -> NativeCall:
        """The same call over other buffers, with other numbers."""
        pairs = zip(self.parts.buffers, parts.buffers, strict=True)
        to = {a.key: b.key for a, b in pairs if a.key is not None}
        words = [Address(to[w.storage], w.offset) if isinstance(w, Address) else w for w in self.call.words]
        for word, number in self.told.items():
            words[word] = parts.numbers[number].bits
        return replace(
            self.call,
            words=tuple(words),
            reads=tuple(to[s] for s in self.call.reads),
            writes=tuple(to[s] for s in self.call.writes),
            origins=kernel.origins,
            plan=kernel.name,
        )


class Emissions:
    """What was emitted for the kernels of one program."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._writer = Writer(target)
        self._made: dict[Hashable, _Made] = {}
        self._turns: dict[str, tuple[Turn, ...]] = {}

    def call(self, kernel: Kernel) -> tuple[NativeCall, str]:
        """The call of a loop nest that is not scheduled yet, and the IR of its function.

        Of an epilogue the words are those that its contraction passes on.
        """
        form, parts = structure(kernel)
        key = form, parts.sizes, tuple([number.is_positive for number in parts.numbers])
        made = self._made.get(key)
        if made is not None:
            return made.over(kernel, parts), made.ir
        scheduled = schedule(kernel, self.target)
        emitted = self._writer.emit(scheduled)
        self._turns[emitted.symbol] = emitted.turns
        told = {n: parts.numbers.index(w.number) for n, w in enumerate(emitted.words) if w.number}
        made = self._made[key] = _Made(_call(scheduled, emitted), emitted.ir, parts, told)
        return made.call, made.ir

    def turns(self, call: NativeCall) -> tuple[Turn, ...]:
        """The shared functions that the function of a call calls itself."""
        return self._turns[call.symbol]


def _call(kernel: Kernel, emitted: Emitted) -> NativeCall:
    reads, writes = touched(kernel)
    return NativeCall(
        emitted.symbol,
        words(emitted),
        reads,
        writes,
        kernel.origins,
        work=work(kernel),
        scratch_bytes=emitted.scratch_bytes,
        plan=kernel.name,
        flops=flops(kernel),
        touched=elements(kernel, (*reads, *writes)),
        kernel=kernel,
    )


def words(emitted: Emitted) -> tuple[Argument, ...]:
    """The argument words of an emitted kernel."""
    return tuple(Address(w.buffer.key, w.dim) if w.buffer else w.dim for w in emitted.words)


def touched(kernel: Kernel) -> tuple[tuple[Storage, ...], tuple[Storage, ...]]:
    """(storages read, storages written)."""
    reads: dict[Storage, None] = {}
    writes: dict[Storage, None] = {}
    for statement in kernel.body:
        for expr in statement.exprs:
            if isinstance(expr, Load) and expr.buffer.key is not None:
                reads.setdefault(expr.buffer.key)
        if isinstance(statement, Store) and statement.buffer.key is not None:
            writes.setdefault(statement.buffer.key)
    return tuple(reads), tuple(writes)


def elements(kernel: Kernel, storages: Sequence[Storage]) -> tuple[dims.Dim, ...]:
    """The most elements of each storage that the kernel reads or writes."""
    counts: dict[Storage | None, dims.Dim] = {}
    for statement in kernel.body:
        found = [(e.buffer.key, e.axes) for e in statement.exprs if isinstance(e, Load)]
        if isinstance(statement, Store):
            picked = (pick.index.axes for pick in statement.picks)
            found.append((statement.buffer.key, statement.at.axes.union(*picked)))
        for storage, axes in found:
            counts[storage] = counts.get(storage, 0) + trip_count(axes)
    return tuple(counts[storage] for storage in storages)


def work(kernel: Kernel) -> dims.Dim:
    """About how many scalar operations the kernel does, loads included."""
    return _counted(kernel, lambda statement: max(1, _count(statement, Apply, Load)))


def flops(kernel: Kernel) -> dims.Dim:
    """How many functions of floats the kernel computes at least, a step of a reduction being one.

    What does not change along an axis is computed once for all its points; a choice or conversion is none.
    """
    total: dims.Dim = 0
    for expr in walk(e for statement in kernel.body for e in roots(statement)):
        if isinstance(expr, Apply) and expr.prim not in _NO_FUNCTIONS and _is_of_floats(expr):
            total = total + trip_count(expr.axes)
    for statement in kernel.body:
        if isinstance(statement, Reduce) and statement.result.dtype.is_float:
            total = total + trip_count((*kernel.outer, *statement.axes))
    return total


def _is_of_floats(expr: Apply) -> bool:
    return any(part.dtype.is_float for part in (expr, *expr.args))


def _counted(kernel: Kernel, cost: Callable[[Statement], int]) -> dims.Dim:
    total: dims.Dim = 0
    points = trip_count(kernel.outer)
    for statement in kernel.body:
        total = total + points * trip_count(statement.axes) * cost(statement)
    return total


def _count(statement: Statement, *kinds: type[Expr]) -> int:
    return sum([isinstance(e, kinds) for e in statement.exprs])
