"""One run of a program that goes back and forth between native calls and Python.

Decides what is passed from segment to segment; must not know how sizes become words.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from sardonyx.errors import contradiction
from sardonyx.runtime import team
from sardonyx.runtime.bound import Arena, Binder, Bound, Frame, Resolved
from sardonyx.runtime.data import ClosingStep, HostStep, ProgramData, View
from sardonyx.runtime.outputs import Outputs
from sardonyx.runtime.pointers import address_of

if TYPE_CHECKING:
    from sardonyx.runtime.weights import Weights

Array: TypeAlias = np.ndarray[Any, Any]
Key: TypeAlias = tuple[int, ...]
Execute: TypeAlias = Callable[[team.Launch], "team.Failure | None"]

_INTEGERS: dict[str, Any] = {
    "b1": ctypes.c_uint8,
    **{f"i{n}": getattr(ctypes, f"c_int{8 * n}") for n in (1, 2, 4, 8)},
    **{f"u{n}": getattr(ctypes, f"c_uint{8 * n}") for n in (1, 2, 4, 8)},
}
"""By kind and bytes of a numpy dtype."""

_MOST_WANTED = 64
"""Choices of outputs whose idle steps are kept."""


class Links:
    """Which storages connect the segments of a program and the host.

    Attributes:
        shared: by segment, its own storages that later segments or the host read.
        host: by number of a host result, the storages that stand for it.
    """

    def __init__(self, data: ProgramData, binders: Sequence[Binder]) -> None:
        wanted = {view.storage for view in _views(data)}.union(*(binder.foreign for binder in binders))
        own = [[*binder.arena_storages, *(n for n, _, _ in binder.sizes)] for binder in binders]
        self.shared = [[n for n in numbers if n in wanted] for numbers in own]
        self.host: dict[int, list[int]] = {}
        for number, spec in enumerate(data.storages):
            if spec.kind == "host":
                self.host.setdefault(spec.number, []).append(number)
        self._data = data
        self._foreign = [tuple(binder.foreign) for binder in binders]
        self._idle: dict[tuple[int, ...], frozenset[int]] = {}

    def idle(self, wanted: tuple[int, ...]) -> frozenset[int]:
        """The segments whose host step gives nothing that the wanted outputs need."""
        found = self._idle.get(wanted)
        if found is None:
            if len(self._idle) >= _MOST_WANTED:
                self._idle.clear()
            found = self._idle[wanted] = frozenset(self._find_idle(wanted))
        return found

    def _find_idle(self, wanted: tuple[int, ...]) -> Iterator[int]:
        """From the last segment to the first, noting which results of host steps are read behind each."""
        data = self._data
        read = {self._result(data.results[number]) for number in wanted}
        for number, segment in reversed(list(enumerate(data.segments))):
            step = segment.host
            if step is not None:
                if step.binds or not read.isdisjoint(step.into):
                    read.update(map(self._result, step.args))
                else:
                    yield number
            read.update(self._result(view) for view, _, _ in segment.after)
            stored = (data.storages[storage] for storage in self._foreign[number])
            read.update(spec.number for spec in stored if spec.kind == "host")

    def _result(self, view: View) -> int:
        """The number of the host step's result that a view shows; -1 if it shows other memory."""
        if view.host >= 0:
            return view.host
        spec = self._data.storages[view.storage]
        return spec.number if spec.kind == "host" else -1


def _views(data: ProgramData) -> Iterator[View]:
    yield from data.results
    for segment in data.segments:
        yield from (view for view, _, _ in segment.after)
        if segment.host is not None:
            yield from segment.host.args


class Runner:
    """Does what a run consists of."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def calls(self, number: int, launch: team.Launch) -> team.Failure | None:
        """The native calls of the segment of that number."""
        return self._execute(launch)

    def host(self, step: HostStep | ClosingStep, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        """One operation in Python."""
        assert callable(step.run)
        return step.run(args, symbols)


class Segmented(Protocol):
    """What a run needs of its program; see `Program`."""

    addresses: list[int]
    binders: list[Binder]
    links: Links
    weights: Weights
    made: Outputs

    def fail(self, number: int, failure: team.Failure) -> None:
        """Raise the error that a kernel of that segment reported."""


class SegmentRun:
    """The state of one run: addresses of storages, arrays, and the memory taken so far."""

    def __init__(
        self, program: Segmented, runner: Runner, feeds: Sequence[Any], symbols: dict[str, int]
    ) -> None:
        self.program = program
        self.binders = program.binders
        self.runner = runner
        self.feeds = feeds
        self.symbols = symbols
        self.outputs: dict[int, Array] = {}
        self.host: dict[int, Any] = {}
        self.addresses = list(program.addresses)
        self.taken: list[tuple[Binder, Bound, Frame, Arena | None]] = []
        self.bound: dict[int, tuple[Bound, Arena | None]] = {}

    def run(self, wanted: Sequence[int]) -> list[Any]:
        """Run all segments; the wanted outputs in order."""
        symbols, idle = self.symbols, self.program.links.idle(tuple(wanted))
        try:
            for number, binder in enumerate(self.binders):
                segment = binder.segment
                arguments = tuple([symbols[name] for name in segment.names])
                bound = binder.table.get(arguments) or binder.bind(arguments, arguments)
                bound.used = True
                self._calls(number, binder, bound)
                if segment.after:
                    for (_, index, name), resolved in zip(segment.after, bound.after, strict=True):
                        symbols[name] = self._element(resolved, index)
                if segment.host is not None and number not in idle:
                    self._host_step(segment.host, bound)
            results: list[Any] = []
            for number in wanted:
                results.append(self._output(bound.results[number], results))
            return results
        finally:
            for taken in self.taken:
                taken[0].give(*taken[1:])

    def read(self) -> list[Key]:
        """The numbers that were read behind each segment but the last."""
        symbols = self.symbols
        return [tuple([symbols[name] for _, _, name in b.segment.after]) for b in self.binders[:-1]]

    def _calls(self, number: int, binder: Binder, bound: Bound) -> None:
        addresses, arena = self.addresses, None
        if binder.functions or bound.arena_bytes:
            frame, arena = binder.take(bound)
            self.taken.append((binder, bound, frame, arena))
        self.bound[number] = bound, arena
        for storage in self.program.links.shared[number]:
            addresses[storage] = bound.address(storage, arena)
        if binder.functions:
            self._native(number, bound, frame)

    def _native(self, number: int, bound: Bound, frame: Frame) -> None:
        addresses, words = self.addresses, frame.words
        for storage, index, shape, dtype, patches in bound.outputs:
            self.outputs[index] = made = self.program.made.empty(index, shape, dtype)
            addresses[storage] = address = address_of(made)
            for position, offset in patches:
                words[position] = address + offset
        for _, index, patches in bound.inputs:
            address = address_of(self.feeds[index])
            for position, offset in patches:
                words[position] = address + offset
        for storage, patches in bound.patches:
            address = addresses[storage]
            for position, offset in patches:
                words[position] = address + offset
        failure = self.runner.calls(number, frame.launch)
        if failure is not None:
            self.program.fail(number, failure)

    def _element(self, resolved: Resolved, index: int) -> int:
        """One element of an integer tensor."""
        if resolved.kind == "input":
            fed = self.feeds[resolved.number]
            if isinstance(fed, np.ndarray) and (fed.shape, fed.strides) == (resolved.shape, resolved.strides):
                return int(fed.item(index))
        reader = _INTEGERS.get(resolved.dtype.str[1:])
        if resolved.kind not in ("arena", "output") or reader is None:
            return int(np.asarray(self.array(resolved)).reshape(-1)[index])
        address = self.addresses[resolved.storage] + resolved.offset
        for size, stride in zip(reversed(resolved.shape), reversed(resolved.strides), strict=True):
            address += index % size * stride
            index //= size
        value: int = reader.from_address(address).value
        return value

    def array(self, resolved: Resolved) -> Any:
        """A tensor or host object; tensors may share the memory they live in."""
        kind, number, storage, segment, dtype, shape, strides, offset = resolved
        match kind:
            case "whole":
                return self.outputs[number]
            case "result":
                return self.host[number]
            case "arena":
                bound, arena = self.bound[segment]
                if arena is None:
                    return np.empty(shape, dtype)
                return np.ndarray(shape, dtype, arena.memory, offset + bound.offsets[storage], strides)
            case "input":
                whole = self.feeds[number]
            case "output":
                whole = self.outputs[number]
            case "host":
                whole = self.host[number]
            case "sizes":
                whole = self.bound[segment][0].sizes[storage]
            case _:
                whole = self.program.weights[number]
        if dtype.hasobject or not isinstance(whole, np.ndarray):
            return whole
        if not whole.size:
            return np.empty(shape, dtype)
        if whole.dtype == object or (whole.shape == shape and whole.strides == strides):
            return whole
        flat = np.ascontiguousarray(whole).reshape(-1).view(np.uint8)
        return np.ndarray(shape, dtype, flat, offset, strides)

    def _host_step(self, step: HostStep, bound: Bound) -> None:
        args = [self.array(resolved) for resolved in bound.args]
        try:
            results = self.runner.host(step, args, self.symbols)
        except ValueError as error:
            raise contradiction(step.name, error) from error
        for number, result in zip(step.into, results if step.many else [results], strict=False):
            self.host[number] = result
            for storage in self.program.links.host.get(number, ()):
                self.addresses[storage] = address_of(result)
        for name, index, result_number in step.binds:
            if result_number is None:
                self.symbols[name] = int(np.asarray(results).reshape(-1)[index])
            else:
                self.symbols[name] = int(np.shape(results[result_number])[index])

    def _output(self, resolved: Resolved, others: Sequence[Any]) -> Any:
        """A result that shares no memory with feeds, weights, arenas or other results.

        Items of sequences share none from the start, but with those of fed sequences.
        """
        result = self.array(resolved)
        if isinstance(result, list):
            return result.copy()
        if resolved.kind == "whole" or not isinstance(result, np.ndarray):
            return result
        arenas = [arena.memory for _, arena in self.bound.values() if arena is not None]
        near = (m for m in (*self.feeds, *others, *arenas) if isinstance(m, np.ndarray))
        if not result.flags.writeable or any(np.may_share_memory(result, m) for m in near):
            return result.copy()
        return result
