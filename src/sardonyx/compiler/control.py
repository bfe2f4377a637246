"""Control flow inside native code: the calls of branches and loop bodies, and the jumps between them.

A graph inside another is partitioned on its own, over inputs and outputs stored by the graph around it. Knows
groups and calls; must not know which control flow is native.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Iterate
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.compiler.assemble import Assembler
from sardonyx.fuse.partition import partition
from sardonyx.fuse.storage import BodyPlaces
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.place import Place, Storage, contiguous_strides
from sardonyx.ir.unproven import unproven
from sardonyx.ir.value import Value
from sardonyx.kernels.call import Address, Argument, NativeCall

Add: TypeAlias = Callable[[Fusion], None]
"""Appends the groups of a graph."""

_ENDLESS = 1 << 62


def add_if(assembler: Assembler, fusion: Fusion, value: Value, native: frozenset[str], add: Add) -> None:
    """Append both courses of a `native_if` and the jumps around them."""
    results = _results(fusion, value)
    args = [fusion.places[arg.id] for arg in value.args]
    split = 1 + value.attrs["split"]
    then, otherwise = (_without(value.attrs[side], results) for side in ("then", "otherwise"))
    outputs = tuple(results.values())
    assembler.begin(_names(value), [place.storage for place in (*args, *outputs)])
    before = assembler.records.work
    skip = assembler.jumps.forward(value.origins, args[0])
    with _guarded(assembler, then):
        add(partition(then, native, BodyPlaces(tuple(args[1:split]), outputs)))
    over = assembler.jumps.forward(value.origins)
    assembler.jumps.land(skip)
    work, assembler.records.work = assembler.records.work, before
    with _guarded(assembler, otherwise):
        add(partition(otherwise, native, BodyPlaces(tuple(args[split:]), outputs)))
    assembler.records.work = dims.maximum(work, assembler.records.work)
    assembler.jumps.land(over)
    assembler.jumps.join(over)


def _results(fusion: Fusion, value: Value) -> dict[int, Place]:
    """Where the results that somebody reads are stored, by their number."""
    return {v.attrs["index"]: fusion.places[v.id] for v in fusion.graph.results.get(value.id, ())}


def _without(body: Graph, results: dict[int, Place]) -> Graph:
    """The body without the results that nobody reads."""
    outputs = tuple(body.outputs[number] for number in results)
    return Graph(body.inputs, outputs, obligations=body.obligations)


def _names(value: Value) -> frozenset[str]:
    return symbols_of(value).union(*(symbols_of(arg) for arg in value.args))


def _guarded(assembler: Assembler, body: Graph) -> AbstractContextManager[None]:
    """Calls that run only if the sizes of a body fit; nothing to check if they are all known."""
    order = body.order()
    checks = unproven(body)
    fixed = not checks and not any(symbols_of(v) for v in order)
    return nullcontext() if fixed else assembler.jumps.guarded(checks)


@dataclass(frozen=True, slots=True)
class _Copy:
    """One tensor copied to another place; each iteration moves on by `to_step` and `source_step` elements."""

    to: Place
    source: Place
    size: Dim
    to_step: Dim = 0
    source_step: Dim = 0

    def words(self) -> Iterator[Argument]:
        """The argument words of `sdx_iterate` about it."""
        item = self.to.storage.dtype.size_bytes
        yield Address(self.to.storage, self.to.offset)
        yield Address(self.source.storage, self.source.offset)
        yield from (self.size * item, self.to_step * item, self.source_step * item)


class NativeLoop:
    """A `native_loop` or `native_scan` as calls: state stays in place, `sdx_iterate` begins each iteration.

    The carried values live where the results are stored. The body reads them there, writes new ones
    elsewhere, and `sdx_iterate` copies these back.
    """

    def __init__(self, assembler: Assembler, fusion: Fusion, value: Value, native: frozenset[str]) -> None:
        self.assembler, self.value, self.native = assembler, value, native
        at = value.attrs
        self.body: Graph = at["body"]
        self.is_scan = value.prim == "native_scan"
        self.args = [fusion.places[arg.id] for arg in value.args]
        self.results = _results(fusion, value)
        first = 0 if self.is_scan else at["limited"] + at["conditional"]
        self.count: int = at["carried"]
        self.scanned: int = at["scanned"] if self.is_scan else 0
        self.initial = self.args[first : first + self.count]
        self.arrays = range(first + self.count, first + self.count + self.scanned)
        self.captured = self.args[first + self.count + self.scanned :]
        self.counter = _stored(dt.I64, ())
        flags = Storage("arena", dt.BOOL, 3)
        self.more, self.done, self.going = (Place(flags, offset, ()) for offset in range(3))
        formals = self.body.inputs if self.is_scan else self.body.inputs[2:]
        self.state = [
            self.results.get(k) or _stored(v.dtype, v.shape) for k, v in enumerate(formals[: self.count])
        ]
        self.slices = [_stored(v.dtype, v.shape) for v in formals[self.count : self.count + self.scanned]]
        control = [] if self.is_scan else [self.counter, self.going]
        self.inputs = (*control, *self.state, *self.slices, *self.captured)
        self.made: dict[int, Place] = {}

    def add(self, add: Add) -> None:
        """Append the calls of the loop; `add` appends the groups of its body."""
        assembler, origins = self.assembler, self.value.origins
        copies = self.copies()
        condition = self.condition()
        outputs = tuple(("", v) for v in self.body_outputs())
        body = Graph(self.body.inputs, outputs, obligations=self.body.obligations)
        places = (*self.args, *self.results.values(), *self.inputs, self.counter, self.more)
        storages = [place.storage for place in places]
        assembler.begin(_names(self.value), storages)
        with assembler.jumps.alone():
            self.iterate(True, self.first_condition(), [_Copy(t, s, v.size) for t, s, v in self.beginnings()])
            assembler.records.meet()
            skip = assembler.jumps.forward(origins, self.more)
            head = len(assembler.records.functions)
            with _guarded(assembler, body):
                fusion = partition(body, self.native, BodyPlaces(self.inputs, tuple(self.made.values())))
                add(fusion)
                self.iterate(False, condition, copies)
            assembler.records.meet()
            assembler.jumps.back(origins, self.done, head)
            assembler.jumps.land(skip)
            assembler.jumps.join(skip)
            assembler.records.touch_all(storages)

    def beginnings(self) -> Iterator[tuple[Place, Place, Value]]:
        """Where each carried value is kept, where it comes from, and its formal."""
        formals = self.body.inputs if self.is_scan else self.body.inputs[2:]
        return zip(self.state, self.initial, formals[: self.count], strict=True)

    def body_outputs(self) -> Sequence[Value]:
        """The values that the body must store, in the order of `made`."""
        values = {v.id: v for _, v in self.body.outputs}
        return [values[number] for number in self.made]

    def copies(self) -> list[_Copy]:
        """What is copied at the end of an iteration: rows of stacked results, then new state."""
        skipped = 0 if self.is_scan else 1
        outputs = [v for _, v in self.body.outputs[skipped:]]
        formals = self.body.inputs if self.is_scan else self.body.inputs[2:]
        inputs = {v.id: place for v, place in zip(self.body.inputs, self.inputs, strict=True)}
        states = []
        for k, (v, formal) in enumerate(zip(outputs[: self.count], formals, strict=False)):
            if v.id not in self.made and _may_replace(v, formal, self.body):
                self.made[v.id] = self.state[k]
            elif v is not formal:
                states.append(_Copy(self.state[k], self.store(v), v.size))
        rows = [
            _Copy(self.results[k], inputs.get(v.id) or self.store(v), v.size, to_step=v.size)
            for k, v in enumerate(outputs)
            if k >= self.count and k in self.results
        ]
        return [*rows, *states]

    def store(self, value: Value) -> Place:
        """Where the body stores one of its results."""
        return self.made.setdefault(value.id, _stored(value.dtype, value.shape))

    def condition(self) -> Place | None:
        """The condition that the body computes; None if it always holds."""
        if self.is_scan:
            return None
        value = self.body.outputs[0][1]
        if value is self.body.inputs[1]:
            return self.going
        if value.data is not None and value.is_numeric_const and value.data.all():
            return None
        return self.store(value)

    def first_condition(self) -> Place | None:
        """The condition before the first iteration; None if it holds."""
        at = self.value.attrs
        return self.args[int(at["limited"])] if not self.is_scan and at["conditional"] else None

    def iterate(self, first: bool, condition: Place | None, after: Sequence[_Copy]) -> None:
        """Append the call that leads to the next iteration."""
        trips = self.args[0] if not self.is_scan and self.value.attrs["limited"] else None
        limit = self.value.args[self.arrays[0]].shape[0] if self.is_scan else _ENDLESS
        arrays = [(self.args[n], self.value.args[n]) for n in self.arrays]
        before = [
            _Copy(to, place, dims.product(x.shape[1:]), source_step=dims.product(x.shape[1:]))
            for to, (place, x) in zip(self.slices, arrays, strict=True)
        ]
        head: dict[Iterate, Argument] = {
            Iterate.COUNTER: _address(self.counter),
            Iterate.FLAGS: _address(self.more),
            Iterate.CONDITION: _address(condition),
            Iterate.TRIPS: _address(trips),
            Iterate.LIMIT: limit,
            Iterate.FIRST: int(first),
            Iterate.AFTER: len(after),
            Iterate.BEFORE: len(before),
        }
        words = [head[word] for word in sorted(head)]
        copies = [*after, *before]
        reads = [place.storage for place in (condition, trips) if place is not None]
        reads += [self.counter.storage, *(copy.source.storage for copy in copies)]
        writes = [self.counter.storage, self.more.storage, *(copy.to.storage for copy in copies)]
        words += [word for copy in copies for word in copy.words()]
        self.assembler.call(
            NativeCall("sdx_iterate", tuple(words), tuple(reads), tuple(writes), self.value.origins)
        )


def _may_replace(new: Value, old: Value, body: Graph) -> bool:
    """Whether a value may be written over an input: nothing reads that later, or at another position."""
    if new.kind != "map" or any(v is old for _, v in body.outputs):
        return False
    before: set[int] = set()
    stack = [new]
    while stack:
        for arg in stack.pop().args:
            if arg.id not in before:
                before.add(arg.id)
                stack.append(arg)
    uses = body.uses()
    seen: set[int] = set()
    stack = [old]
    while stack:
        for user in uses.get(stack.pop().id, ()):
            if user is new or user.id in seen:
                continue
            aligned = user.kind == "map" and user.rank == new.rank
            if user.id not in before or not aligned or user.shape != new.shape:
                return False
            seen.add(user.id)
            stack.append(user)
    return old.shape == new.shape


def _address(place: Place | None) -> Argument:
    return 0 if place is None else Address(place.storage, place.offset)


def _stored(dtype: DType, shape: Sequence[Dim]) -> Place:
    return Place(Storage("arena", dtype, dims.product(shape)), 0, contiguous_strides(shape))
