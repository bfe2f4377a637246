"""The segment being filled: its calls as records and words, and where its threads meet.

Decides which calls may run side by side and when memory lives; must not know why a segment ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.abi import BARRIER_AFTER
from sardonyx.base.dim import Dim
from sardonyx.base.evaluator import Evaluator
from sardonyx.compiler.storages import Storages, sizes_in
from sardonyx.errors import ShapeError
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.place import Storage
from sardonyx.kernels.call import Address, Argument, Entry, NativeCall
from sardonyx.runtime.data import CallCosts, HostStep, Segment, View


class Records:
    """Calls in order; the lists are those of `Segment`.

    Attributes:
        number: of the segment.
        evaluator: what its sizes are added to.
        phase: the calls between two meetings of the threads have one number.
        work: elementary operations so far.
        scratch: bytes of private memory that a thread needs.
        repeats: whether a jump goes back.
        costs: floating-point operations and bytes of every call, 0 if unknown.
        begins: where the words of every call begin.
        alone: whether calls are being added that the first thread may do alone.
    """

    def __init__(self, number: int, known: Collection[str], storages: Storages) -> None:
        self.number, self.storages = number, storages
        self.evaluator = Evaluator(known)
        self.functions: list[str] = []
        self.flags: list[int] = []
        self.begins: list[int] = []
        self.counts: list[int] = []
        self.words: list[tuple[int, int, int, int]] = []
        self.refusals: list[tuple[int, tuple[str, ...]]] = []
        self.phase = 0
        self.work: Dim = 0
        self.scratch: Dim = 0
        self.repeats = self.alone = False
        self.costs: list[tuple[Dim, Dim]] = []
        self._known = known
        self._origins: list[tuple[str, ...]] = []
        self._entries: list[tuple[int, str]] = []
        self._outputs: list[tuple[int, tuple[int, ...]]] = []
        self._checks: list[str] = []
        self._read: set[int] = set()
        self._written: set[int] = set()

    def check(self, obligation: Obligation) -> None:
        """Refuse a run whose sizes break an obligation."""
        self.evaluator.check(obligation.dim, obligation.exact)
        self._checks.append(obligation.message)

    def call(self, call: NativeCall) -> None:
        """Append a call; the threads meet before it if it needs what one of the calls so far does."""
        reads = {self.storages.number(s) for s in call.reads}
        writes = {self.storages.number(s) for s in call.writes}
        if reads & self._written or writes & self._written or writes & self._read:
            self.meet()
        self.costs[self.add(call.symbol, call.origins, call.words)] = call.flops, traffic(call)
        self._read |= reads
        self._written |= writes
        self.work = self.work + call.work
        self.scratch = dims.maximum(self.scratch, call.scratch_bytes)
        for number in reads | writes:
            self.touch(number)

    def meet(self) -> None:
        """All threads wait for each other before the next call."""
        if self.functions:
            self.flags[-1] |= BARRIER_AFTER
        self.phase += 1
        self._read, self._written = set(), set()

    def add(self, symbol: str, origins: tuple[str, ...], words: Sequence[Argument], flags: int = 0) -> int:
        """Append a record; its number in the segment."""
        self.functions.append(symbol)
        self.costs.append((0, 0))
        self._origins.append(origins)
        self.begins.append(len(self.words))
        self.counts.append(len(words))
        self.flags.append(flags)
        for word in words:
            self._add_word(word)
        return len(self.functions) - 1

    def _add_word(self, word: Argument) -> None:
        storage, slot, scale, constant = -1, -1, 1, 0
        if isinstance(word, Entry):
            self._entries.append((len(self.words), word.symbol))
        elif isinstance(word, Address):
            storage = self.storages.number(word.storage)
            scale = word.storage.dtype.size_bytes
            if isinstance(word.offset, int):
                constant = word.offset * scale
            else:
                slot = self.evaluator.add(word.offset)
        elif isinstance(word, int):
            constant = word
        else:
            slot = self.evaluator.add(word)
        self.words.append((storage, slot, scale, constant))

    def touch(self, number: int) -> None:
        """A storage is used in the current phase."""
        use, add = self.storages[number], self.evaluator.add
        if use.segment < 0:
            use.segment, use.first = self.number, self.phase
            if use.storage.kind == "arena":
                use.slot = add(use.storage.size)
            content = use.storage.value
            if use.kind == "sizes" and content is not None and content.data is not None:
                use.slots = tuple(add(n) for n in content.data.flat)
            if use.storage.kind == "output":
                self._outputs.append((number, tuple(add(n) for n in self.storages.shape(use.storage))))
        use.last = self.phase if use.segment == self.number else -1

    def touch_all(self, storages: Iterable[Storage]) -> None:
        """Let storages live up to here."""
        for storage in storages:
            self.touch(self.storages.number(storage))

    def segment(self, after: Sequence[tuple[View, int, str]], host: HostStep | None) -> Segment:
        """The finished segment.

        Raises ShapeError if a word is too large.
        """
        work, scratch = self.evaluator.add(self.work), self.evaluator.add(self.scratch)
        try:
            words = np.array(self.words, np.int64).reshape(-1, 4).T
        except OverflowError:
            raise ShapeError("the sizes of this model are too large for any memory") from None
        return Segment(
            *(tuple(self.functions), tuple(self._origins), tuple(self.counts), tuple(self.flags)),
            words=np.ascontiguousarray(words),
            entries=tuple(self._entries),
            names=self.evaluator.used,
            code=self.evaluator.code(),
            outputs=tuple(sorted(self._outputs, key=lambda made: self.storages[made[0]].storage.index)),
            checks=tuple(self._checks),
            refusals=tuple(self.refusals),
            repeats=self.repeats,
            costs=self._call_costs(),
            work=work,
            scratch=scratch,
            after=tuple(after),
            host=host,
        )

    def _call_costs(self) -> CallCosts:
        evaluator = Evaluator(self._known)
        slots = tuple((evaluator.add(flops), evaluator.add(size)) for flops, size in self.costs)
        return CallCosts(evaluator.used, evaluator.code(), slots)


def traffic(call: NativeCall) -> Dim:
    """Bytes that a call must read and write if nothing is asked for twice."""
    total: Dim = 0
    storages = (*call.reads, *call.writes)
    for storage, count in zip(storages, call.touched or (s.size for s in storages), strict=True):
        least = count if count == storage.size else dims.minimum(count, storage.size)
        total = total + least * storage.dtype.size_bytes
    return total


def names_of(call: NativeCall, storages: Storages) -> frozenset[str]:
    """The symbols of all sizes that a call needs."""
    names: set[str] = set(dims.symbols(call.work)) | dims.symbols(call.scratch_bytes)
    for word in call.words:
        if isinstance(word, Address):
            names |= dims.symbols(word.offset) | dims.symbols(word.storage.size)
        elif not isinstance(word, Entry):
            names |= dims.symbols(word)
    for storage in call.writes:
        names |= dims.symbols(storage.size).union(*map(dims.symbols, storages.shape(storage)))
    for storage in call.reads:
        names |= sizes_in(storage.value)
    return frozenset(names)
