"""Groups -> native calls -> program data: which call needs which sizes, when memory lives, who waits.

Knows every stage's result but none of their insides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.abi import BARRIER_AFTER, IDLE, JUMP
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.base.evaluator import Evaluator
from sardonyx.errors import ShapeError
from sardonyx.ir.data_size import DataSize
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.group import Fusion
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.unproven import unproven
from sardonyx.ir.value import Shape, Value
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.runtime.data import HostFunction, HostStep, Segment, SpecKind, Startable, StorageSpec, View
from sardonyx.runtime.team import BARRIER_WORK, LITTLE_WORK

_NO_CALL = "sdx_barrier"
"""The function in a record that calls none."""


@dataclass(slots=True)
class _Storage:
    number: int
    storage: Storage
    index: int = 0
    segment: int = -1
    slot: int = -1
    first: int = 0
    last: int = -1
    slots: tuple[int, ...] = ()

    @property
    def kind(self) -> SpecKind:
        """The kind of its `StorageSpec`."""
        if self.storage.kind == "packed":
            return "const"
        return "sizes" if _sizes_in(self.storage.value) else self.storage.kind


@dataclass(slots=True)
class _Open:
    """The segment being filled."""

    number: int
    evaluator: Evaluator
    functions: list[str] = field(default_factory=list)
    origins: list[tuple[str, ...]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    words: list[tuple[int, int, int, int]] = field(default_factory=list)
    entries: list[tuple[int, str]] = field(default_factory=list)
    phase: int = 0
    read: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)
    outputs: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    checks: list[tuple[int, bool, str]] = field(default_factory=list)
    refusals: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    repeats: bool = False
    alone: bool = False
    work: Dim = 0
    scratch: Dim = 0


class Constants:
    """The arrays of a program that do not change, each once; programs inside it share them."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []
        self._numbers: dict[int, int] = {}

    def number(self, array: np.ndarray[Any, Any]) -> int:
        """The number of an array, contiguous."""
        array = np.asarray(array, order="C")
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[id(array)]


class Assembler:
    """Collects calls and host steps in execution order."""

    def __init__(self, fusion: Fusion, known: Iterable[str], constants: Constants | None = None) -> None:
        self.fusion = fusion
        self.known = tuple(known)
        self.storages: dict[int, _Storage] = {}
        self.keep: list[Storage] = []
        self.constants = constants or Constants()
        self.segments: list[Segment] = []
        self.host_numbers: dict[int, int] = {}
        self.host_storages: dict[int, int] = {}
        self._bound: tuple[str, ...] = ()
        self.pending: dict[str, DataSize] = {}
        self.items: dict[int, list[Value]] = {}
        for value in fusion.graph.order():
            if value.prim == "result":
                self.items.setdefault(value.args[0].id, []).append(value)
        self.output_shapes = {
            id(p.storage): v.shape
            for p, (_, v) in zip(fusion.outputs, fusion.graph.outputs, strict=True)
            if p
        }
        self.unproven = [(o, dims.symbols(o.dim)) for o in unproven(fusion.graph)]
        self.open = self._begin()

    def _begin(self) -> _Open:
        """A new segment, which checks every size that has become known."""
        opened = _Open(len(self.segments), Evaluator(self.known))
        known = frozenset(self.known)
        opened.checks = [
            (opened.evaluator.add(o.dim), o.exact, o.message) for o, names in self.unproven if names <= known
        ]
        self.unproven = [(o, names) for o, names in self.unproven if not names <= known]
        return opened

    # ---- calls

    def call(self, call: NativeCall) -> None:
        """Add a native call, in a new segment if it needs a size that is computed before it."""
        self.need(self._names(call))
        seg = self.open
        reads = {self._number(s) for s in call.reads}
        writes = {self._number(s) for s in call.writes}
        if reads & seg.written or writes & seg.written or writes & seg.read:
            self.meet()
        self._add_record(call.symbol, call.origins, call.words)
        seg.read |= reads
        seg.written |= writes
        seg.work = seg.work + call.work
        seg.scratch = dims.maximum(seg.scratch, call.scratch_bytes)
        for number in reads | writes:
            self._touch(number)

    def _names(self, call: NativeCall) -> frozenset[str]:
        names: set[str] = set(dims.symbols(call.work)) | dims.symbols(call.scratch_bytes)
        for word in call.words:
            if isinstance(word, Address):
                names |= dims.symbols(word.offset) | dims.symbols(word.storage.size)
            elif not isinstance(word, Entry):
                names |= dims.symbols(word)
        for storage in call.writes:
            names |= dims.symbols(storage.size).union(*map(dims.symbols, self._shape(storage)))
        for storage in call.reads:
            names |= _sizes_in(storage.value)
        return frozenset(names)

    def meet(self) -> None:
        """All threads wait for each other before the next call."""
        seg = self.open
        if seg.functions:
            seg.flags[-1] |= BARRIER_AFTER
        seg.phase += 1
        seg.read, seg.written = set(), set()

    def _add_record(
        self, symbol: str, origins: tuple[str, ...], words: Sequence[Argument], flags: int = 0
    ) -> int:
        """Add a record; its number in the segment."""
        seg = self.open
        seg.functions.append(symbol)
        seg.origins.append(origins)
        seg.counts.append(len(words))
        seg.flags.append(flags)
        for word in words:
            self._add_word(word)
        return len(seg.functions) - 1

    def _add_word(self, word: Argument) -> None:
        seg = self.open
        storage, slot, scale, constant = -1, -1, 1, 0
        if isinstance(word, Entry):
            seg.entries.append((len(seg.words), word.symbol))
        elif isinstance(word, Address):
            storage = self._number(word.storage)
            scale = word.storage.dtype.size_bytes
            if isinstance(word.offset, int):
                constant = word.offset * scale
            else:
                slot = seg.evaluator.add(word.offset)
        elif isinstance(word, int):
            constant = word
        else:
            slot = seg.evaluator.add(word)
        seg.words.append((storage, slot, scale, constant))

    # ---- calls that a run may leave out

    def begin(self, names: Iterable[str], storages: Iterable[Storage]) -> None:
        """Prepare for calls that a run may leave out: the sizes they need, storages that outlast them."""
        self.need(names)
        self.touch(storages)
        self.meet()

    def jump(self, origins: tuple[str, ...], condition: Place | None = None) -> int:
        """Skip the calls from here to `land`, unless the bool at `condition` holds; gives its number."""
        test = 0 if condition is None else Address(condition.storage, condition.offset)
        return self._add_record(_NO_CALL, origins, (test, 0), JUMP)

    def land(self, jump: int) -> None:
        """Let a jump end here."""
        seg = self.open
        storage, slot, scale, _ = seg.words[at := sum(seg.counts[:jump]) + 1]
        seg.words[at] = storage, slot, scale, len(seg.functions) - jump - 1

    def jump_back(self, origins: tuple[str, ...], condition: Place, to: int) -> None:
        """Go back to the call number `to`, unless the bool at `condition` holds."""
        distance = to - len(self.open.functions) - 1
        self._add_record(_NO_CALL, origins, (Address(condition.storage, condition.offset), distance), JUMP)
        self.open.repeats = True

    def touch(self, storages: Iterable[Storage]) -> None:
        """Let storages live up to here."""
        for storage in storages:
            self._touch(self._number(storage))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Leave what is done inside the block to the first thread if its calls do little each time."""
        seg = self.open
        if seg.alone:
            yield
            return
        seg.alone = True
        work, seg.work = seg.work, 0
        record = self._add_record("sdx_alone", (), (0, 0))
        at = len(seg.words) - 2
        idle = self._add_record(_NO_CALL, (), (0, 0), JUMP | IDLE)
        yield
        self.land(idle)
        storage, _, scale, constant = seg.words[at]
        seg.words[at] = storage, seg.evaluator.add(seg.work), scale, constant
        barriers = sum(flag & BARRIER_AFTER for flag in seg.flags[record:])
        seg.words[at + 1] = storage, -1, scale, LITTLE_WORK + BARRIER_WORK * barriers
        seg.work = work + seg.work
        self._add_record("sdx_together", (), ())
        self.meet()
        seg.alone = False

    def join(self, *jumps: int) -> None:
        """All threads wait for each other, those too that come here by a jump."""
        self.meet()
        for jump in jumps:
            self.open.flags[jump] |= BARRIER_AFTER

    @contextmanager
    def guarded(self, obligations: Sequence[Obligation]) -> Iterator[None]:
        """Sizes inside the block may contradict each other; a run that comes here is then refused."""
        seg = self.open
        work, scratch = seg.work, seg.scratch
        seg.work = seg.scratch = 0
        with seg.evaluator.guarded() as guard:
            for o in obligations:
                seg.evaluator.check(o.dim, o.exact)
            record = self._add_record("sdx_require", (), (0,))
            storage, _, scale, constant = seg.words[-1]
            seg.words[-1] = storage, guard.state, scale, constant
            seg.refusals.append((record, tuple(o.message for o in obligations)))
            self.meet()
            yield
            seg.work = work + seg.evaluator.hoisted(seg.work)
            seg.scratch = dims.maximum(scratch, seg.evaluator.hoisted(seg.scratch))

    # ---- storages

    def _number(self, storage: Storage) -> int:
        found = self.storages.get(id(storage))
        if found is None:
            found = _Storage(len(self.storages), storage, storage.index)
            self.keep.append(storage)
            self.storages[id(storage)] = found
            if found.kind == "const":
                assert storage.value is not None
                assert storage.value.data is not None
                found.index = self.constants.number(storage.value.data)
            elif storage.kind == "host":
                found.index = self.host_storages[id(storage)]
        return found.number

    def _touch(self, number: int) -> None:
        """The storage is used in the current phase."""
        record = self.storages[id(self.keep[number])]
        seg = self.open
        if record.segment < 0:
            record.segment, record.first = seg.number, seg.phase
            if record.storage.kind == "arena":
                record.slot = seg.evaluator.add(record.storage.size)
            content = record.storage.value
            if record.kind == "sizes" and content is not None and content.data is not None:
                record.slots = tuple(seg.evaluator.add(n) for n in content.data.flat)
            if record.storage.kind == "output":
                sizes = tuple(seg.evaluator.add(n) for n in self._shape(record.storage))
                seg.outputs.append((number, sizes))
        record.last = seg.phase if record.segment == seg.number else -1

    def _shape(self, storage: Storage) -> Shape:
        """The sizes of an output, whose product may hide some of them behind a 0; () of anything else."""
        return self.output_shapes.get(id(storage), ())

    # ---- host steps and segments

    def need(self, names: Iterable[str]) -> None:
        """Make sizes available: close the segment if some are still to be read from computed tensors."""
        missing = [n for n in names if n not in self.known]
        if not missing:
            return
        for name in missing:
            size = self.fusion.graph.data_sizes[name]
            if size.value.kind == "source":
                self.need(symbols_of(size.value) & self._graph_names())
                self.pending[name] = size
        self.close(None)
        self.known = (*self.known, *(n for n in self._bound if n not in self.known))
        self.open = self._begin()
        still = [n for n in missing if n not in self.known]
        assert not still, f"nothing has computed the sizes {still}"

    def computed(self, value: Value) -> None:
        """Sizes that depend on the content of `value` can be read once its call has run."""
        for name, size in self.fusion.graph.data_sizes.items():
            source = size.value.args[0] if size.value.prim == "result" else size.value
            if source is value and size.result is None and name not in self.known:
                self.pending[name] = size

    def host(self, value: Value, run: HostFunction | Startable, args: Sequence[Value]) -> None:
        """Run an operation in Python after the calls so far."""
        names = symbols_of(value).union(*(symbols_of(arg) for arg in args))
        self.need(names & self._graph_names() - self._own_names(value))
        views = tuple(self.view(a) for a in args)
        items = self.items.get(value.id, [])
        many = bool(items)
        count = max([len(value.results), *(item.attrs["index"] + 1 for item in items)]) if many else 1
        numbers = tuple(self._host_number(value, n) for n in range(count))
        binds = tuple(
            (name, u.index, u.result) for name, u in self.fusion.graph.data_sizes.items() if u.value is value
        )
        for user in self.items.get(value.id, [value]):
            place = self.fusion.places.get(user.id)
            if place is not None and place.storage.kind == "host":
                self.host_storages[id(place.storage)] = numbers[user.attrs["index"] if many else 0]
        self.close(HostStep(run, views, numbers, many, binds, ", ".join(value.origins) or value.prim))
        self.known = (*self.known, *(n for n, _, _ in binds if n not in self.known), *self._fresh())
        self.open = self._begin()

    def _graph_names(self) -> frozenset[str]:
        return frozenset(self.fusion.graph.data_sizes)

    def _own_names(self, value: Value) -> frozenset[str]:
        return frozenset(n for n, u in self.fusion.graph.data_sizes.items() if u.value is value)

    def _fresh(self) -> tuple[str, ...]:
        return tuple(n for n in self._bound if n not in self.known)

    def _host_number(self, value: Value, result: int) -> int:
        key = value.id * 64 + result
        return self.host_numbers.setdefault(key, len(self.host_numbers))

    def close(self, host: HostStep | None) -> None:
        """End the segment, reading pending sizes after it."""
        seg = self.open
        after = []
        for name, size in self.pending.items():
            after.append((self.view(size.value), size.index, name))
        self._bound = tuple(self.pending)
        self.pending = {}
        work, scratch = seg.evaluator.add(seg.work), seg.evaluator.add(seg.scratch)
        try:
            words = np.array(seg.words, np.int64).reshape(-1, 4).T
        except OverflowError:
            raise ShapeError("the sizes of this model are too large for any memory") from None
        self.segments.append(
            Segment(
                *(tuple(seg.functions), tuple(seg.origins), tuple(seg.counts), tuple(seg.flags)),
                words=np.ascontiguousarray(words),
                entries=tuple(seg.entries),
                names=seg.evaluator.used,
                code=seg.evaluator.code(),
                outputs=tuple(seg.outputs),
                checks=tuple(seg.checks),
                refusals=tuple(seg.refusals),
                repeats=seg.repeats,
                work=work,
                scratch=scratch,
                after=tuple(after),
                host=host,
            )
        )

    def view(self, value: Value) -> View:
        """How the host finds a value."""
        source = value.args[0] if value.prim == "result" else value
        result = value.attrs["index"] if value.prim == "result" else 0
        key = source.id * 64 + result
        if key in self.host_numbers and value.id not in self.fusion.places:
            return View(-1, value.dtype.name, host=self.host_numbers[key])
        place = self.fusion.places[value.id]
        return self.place_view(place, value.dtype.name, value.shape)

    def place_view(self, place: Place, dtype: str, shape: Sequence[Dim]) -> View:
        """A place as slots of the current segment."""
        add = self.open.evaluator.add
        number = self._number(place.storage)
        self._touch(number)
        record = self.storages[id(place.storage)]
        if record.segment == self.open.number:
            record.last = -1
        return View(number, dtype, tuple(map(add, shape)), tuple(map(add, place.strides)), add(place.offset))

    def specs(self) -> tuple[StorageSpec, ...]:
        """The storages, numbered."""
        result = []
        for record in sorted(self.storages.values(), key=lambda r: r.number):
            numbers = record.index, max(0, record.segment), max(0, record.slot), record.first, record.last
            result.append(StorageSpec(record.kind, record.storage.dtype.name, *numbers, record.slots))
        return tuple(result)

    def results(self) -> tuple[View, ...]:
        """Where each graph output is found at the end of a run; call before the last `close`."""
        views = []
        for place, (_, value) in zip(self.fusion.outputs, self.fusion.graph.outputs, strict=True):
            if place is None or value.dtype is dt.OBJECT:
                views.append(self.view(value))
            else:
                number = self._number(place.storage)
                if self.storages[id(place.storage)].segment < 0:
                    self._touch(number)
                views.append(View(number, value.dtype.name))
        return tuple(views)


def _sizes_in(value: Value | None) -> frozenset[str]:
    """The symbols in the content of a constant."""
    return frozenset() if value is None or value.is_numeric_const else symbols_of(value)
