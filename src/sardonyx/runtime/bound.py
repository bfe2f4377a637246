"""A segment for one set of sizes, and the memory in which one run of it takes place.

Knows sizes, words and addresses; must not know what a run is fed or in which order segments run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base import functions
from sardonyx.base.abi import BARRIER_AFTER, Record
from sardonyx.base.named import NamedTuple
from sardonyx.errors import ShapeError
from sardonyx.runtime import allocate, team
from sardonyx.runtime.allocate import Words
from sardonyx.runtime.arena import plan_arena
from sardonyx.runtime.data import ProgramData, Segment, StorageSpec, View
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.pointers import address_of
from sardonyx.runtime.sharing import Sharing
from sardonyx.runtime.texts import Lookup

Array = np.ndarray[Any, Any]

_IDLE = 8
"""Frames, and arenas, of a segment that are kept for later runs."""
_LARGEST = float(1 << 62)
_MOST_BOUND = 1024
_MOST_BOUND_BYTES = 64 << 20


class Arena:
    """Memory for the intermediate tensors of one segment in one run."""

    __slots__ = ("address", "memory", "size")

    def __init__(self, size: int) -> None:
        self.memory = allocate.aligned_bytes(size)
        self.size = size
        self.address = address_of(self.memory)


class Frame:
    """Argument words and records of one run; used by one run at a time."""

    __slots__ = ("_own", "address", "base", "launch", "words")

    def __init__(self, binder: Binder, bound: Bound) -> None:
        filled = allocate.aligned_words(max(1, bound.template.size))
        filled[: bound.template.size] = bound.template
        self.base = 0
        self._own = filled, binder.own
        self.words: memoryview[int] = filled.data
        self.address = address_of(filled)
        records = allocate.empty((len(binder.functions), Record.WORDS), np.int64)
        records[:, Record.FUNCTION] = binder.functions
        records[:, Record.ARGS] = self.address + 8 * binder.starts
        records[:, Record.FLAGS] = binder.segment.flags
        self.launch = team.Launch(
            binder.image,
            records,
            threads=bound.threads,
            scratch_bytes=bound.scratch_bytes,
            spin_us=binder.spin_us,
            flush_denormals=binder.flush_denormals,
            hold_gil=bound.small and not binder.segment.repeats,
            sharing=bound.sharing,
            keep=filled,
        )

    def rebase(self, address: int) -> None:
        """Make the words point into the arena at `address`."""
        filled, own = self._own
        filled[own] += address - self.base
        self.base = address


class Bound:
    """One segment with all sizes known.

    Attributes:
        outputs: (storage, output number, shape, dtype, patches) of the outputs that the segment writes.
        inputs: (storage, input number, patches) of the inputs that it reads.
        patches: the same of results of host steps and of tensors of earlier segments.
        offsets: where the storages planned here are in the arena, in bytes.
        opening: what gives the results of host steps before the segment, in a program of these alone.
        lookups: the feeds that `opening` looks up, in its results' order; None if it does anything else.
        closing: how the results of the program are made of its feeds and outputs; see `runtime.closing`.
        after, args, results: the views of the segment, resolved.
        used: whether it served since it was last considered for eviction.
        served: how often a run by Python that a shortcut could do was this; below 0 if none can.
    """

    __slots__ = (
        *(
            "after",
            "arena_bytes",
            "args",
            "closing",
            "frames",
            "inputs",
            "lookups",
            "offsets",
            "opening",
            "outputs",
            "patches",
            "results",
            "scratch_bytes",
        ),
        *("served", "sharing", "short", "sizes", "small", "template", "threads", "used"),
    )

    def __init__(self, binder: Binder, values: Words) -> None:
        segment = binder.segment
        known = np.append(values, 0)
        words = binder.constants + _product(known[binder.slots], binder.scales)
        sizes = _product(known[binder.arena_slots], binder.arena_items)
        if sizes.min(initial=0) < 0:
            raise ShapeError("the sizes of this call contradict each other: a tensor has a negative size")
        offsets, self.arena_bytes = plan_arena(sizes.tolist(), binder.arena_lives)
        self.offsets = dict(zip(binder.arena_storages, offsets, strict=True))
        self.sizes = {number: _filled(known, slots, dtype) for number, slots, dtype in binder.sizes}
        fixed = np.asarray([*offsets, *(address_of(a) for a in self.sizes.values()), 0], np.int64)
        words += fixed[binder.fixed]
        self.template: Words = words
        patches = {n: tuple((p, int(words[p])) for p in places) for n, places in binder.foreign.items()}
        specs = binder.data.storages
        self.outputs = tuple(
            (n, specs[n].number, tuple(known[list(slots)].tolist()), dtype, patches.pop(n, ()))
            for (n, slots), dtype in zip(segment.outputs, binder.output_types, strict=True)
        )
        self._ask_memory()
        self.inputs = tuple((n, specs[n].number, patches[n]) for n in patches if specs[n].kind == "input")
        self.patches = tuple((n, found) for n, found in patches.items() if specs[n].kind != "input")
        self.opening: Callable[[Sequence[Any]], list[Array]] | None = None
        self.lookups: tuple[Lookup, ...] | None = ()
        self.closing: tuple[int | Callable[..., Any], ...] | None = None
        self.frames: list[Frame] = []
        work = int(values[segment.work])
        self.small = work < team.LITTLE_WORK
        self.short = work < team.SHORT_WORK
        self.threads = binder.threads if work >= binder.worth_sharing else 1
        self.sharing = Sharing() if self.short and self.threads > 1 else None
        self.scratch_bytes = int(values[segment.scratch]) + 64
        self.after = tuple(resolve(known, view, specs) for view, _, _ in segment.after)
        self.args = tuple(resolve(known, view, specs) for view in segment.host.args) if segment.host else ()
        self.results = tuple(resolve(known, view, specs) for view in binder.results)
        self.used = True
        self.served = 0

    def _ask_memory(self) -> None:
        """Raise RunError if a run takes more memory than there is."""
        needed = self.arena_bytes
        for _, _, shape, dtype, _ in self.outputs:
            if min(shape, default=0) < 0:
                raise ShapeError(f"the sizes of this call contradict each other: a result of {list(shape)}")
            _check_held(shape, dtype)
            needed += math.prod(shape) * dtype.itemsize
        allocate.ask(needed)

    def address(self, storage: int, arena: Arena | None) -> int:
        """Where a storage planned or filled here is."""
        if storage in self.sizes:
            return address_of(self.sizes[storage])
        return self.offsets[storage] + (arena.address if arena is not None else 0)


class Resolved(NamedTuple):
    """A view for known sizes: the kind and numbers of its storage, strides and offset in bytes.

    `kind` is "result" for a result of a host step, "whole" for an output as it is.
    """

    kind: str
    number: int
    storage: int = -1
    segment: int = 0
    dtype: np.dtype[Any] = np.dtype(object)
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    offset: int = 0


def resolve(known: Words, view: View, storages: Sequence[StorageSpec]) -> Resolved:
    """The view for the values of all slots."""
    if view.host >= 0:
        return Resolved("result", view.host)
    spec = storages[view.storage]
    if spec.kind == "output" and view.offset < 0:
        return Resolved("whole", spec.number)
    dtype = dt.by_name(view.dtype)
    shape = tuple(known[list(view.shape)].tolist())
    _check_held(shape, dtype.numpy)
    strides = tuple((known[list(view.strides)] * dtype.size_bytes).tolist())
    offset = int(known[view.offset]) * dtype.size_bytes
    return Resolved(spec.kind, spec.number, view.storage, spec.segment, dtype.numpy, shape, strides, offset)


def _product(a: Words, b: Words) -> Words:
    """The product. Raises ShapeError where it does not fit into a word."""
    if np.abs(a * b.astype(np.float64)).max(initial=0) >= _LARGEST:
        raise ShapeError("the sizes of this call are too large for any memory")
    return a * b


def _check_held(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise ShapeError for sizes that no array without elements has; it takes no memory to ask for."""
    if 0 in shape and math.prod(size or 1 for size in shape) * dtype.itemsize > sys.maxsize:
        raise ShapeError("the sizes of this call are too large for any memory")


def _filled(known: Words, slots: tuple[int, ...], dtype: str) -> Array:
    filled = allocate.empty(len(slots), dt.by_name(dtype).numpy)
    filled[:] = known[list(slots)]
    return filled


class Binder:
    """What of a segment does not depend on sizes, and the table of its `Bound`s.

    Args:
        own: the numbers of the storages that live in this segment alone.
        bases: addresses of the constant storages by number, and 0 for the others and at the end.
    """

    def __init__(
        self,
        data: ProgramData,
        number: int,
        own: Sequence[int],
        image: LoadedImage,
        bases: Words,
        *,
        threads: int,
        spin_us: int,
        flush_denormals: bool,
    ) -> None:
        segment: Segment = data.segments[number]
        self.data, self.segment, self.image = data, segment, image
        self.threads, self.spin_us, self.flush_denormals = threads, spin_us, flush_denormals
        self.results = data.results if number == len(data.segments) - 1 else ()
        self.evaluate = functions.load(segment.code)
        storage, self.slots, self.scales, constants = segment.words
        self.constants: Words = constants + bases[storage]
        for position, symbol in segment.entries:
            self.constants[position] += image.address(symbol)
        counts = np.asarray(segment.counts, np.int64)
        self.starts: Words = np.cumsum(counts) - counts
        barriers = sum(flag & BARRIER_AFTER for flag in segment.flags)
        self.worth_sharing = team.LITTLE_WORK + team.BARRIER_WORK * barriers
        self.functions = [image.address(symbol) for symbol in segment.functions]
        self._find_storages(own, storage)
        self.table: dict[Any, Bound] = {}
        self.arenas: list[Arena] = []

    def _find_storages(self, own: Sequence[int], storage: Words) -> None:
        """Tell the storages apart: planned here, filled with sizes here, set in each run."""
        specs = self.data.storages
        self.arena_storages = [n for n in own if specs[n].kind == "arena"]
        sizes = [n for n in own if specs[n].kind == "sizes"]
        self.sizes = [(n, specs[n].slots, specs[n].dtype) for n in sizes]
        self.arena_slots = [specs[n].slot for n in self.arena_storages]
        items = [dt.by_name(specs[n].dtype).size_bytes for n in self.arena_storages]
        self.arena_items = np.asarray(items, np.int64)
        self.arena_lives = [(specs[n].first, specs[n].last) for n in self.arena_storages]
        self.output_types = [dt.by_name(specs[n].dtype).numpy for n, _ in self.segment.outputs]
        fixed = np.full(len(specs) + 1, -1, np.int64)
        fixed[[*self.arena_storages, *sizes]] = np.arange(len(self.arena_storages) + len(sizes))
        self.fixed: Words = fixed[storage]
        arena_count = len(self.arena_storages)
        self.own = np.flatnonzero((self.fixed >= 0) & (self.fixed < arena_count))
        varies = np.array([n >= 0 and specs[n].kind != "const" for n in storage.tolist()], bool)
        self.foreign: dict[int, list[int]] = {}
        for position in np.flatnonzero((self.fixed < 0) & varies).tolist():
            self.foreign.setdefault(int(storage[position]), []).append(position)

    def bind(self, key: Any, arguments: Sequence[int]) -> Bound:
        """Evaluate all sizes from those of the segment's `names` and keep the result under `key`.

        Raises ShapeError if the sizes contradict each other.
        """
        bound = self.bound(arguments)
        self.keep(key, bound)
        return bound

    def keep(self, key: Any, bound: Bound) -> None:
        """Have runs find it under `key`."""
        self.make_room()
        self.table[key] = bound

    def bound(self, arguments: Sequence[int]) -> Bound:
        """Evaluate all sizes from those of the segment's `names`.

        Raises ShapeError if the sizes contradict each other.
        """
        segment = self.segment
        try:
            values = np.array(self.evaluate(*arguments), np.int64)
        except OverflowError:
            raise ShapeError("the sizes of this call are too large for any memory") from None
        except functions.Refused as refused:
            given = dict(zip(segment.names, arguments, strict=True))
            message = f"{segment.checks[refused.number]}; check the input shapes {given}"
            raise ShapeError(message) from None
        except (ValueError, ZeroDivisionError) as error:
            raise ShapeError(f"the sizes of this call contradict each other: {error}") from None
        return Bound(self, values)

    def arena_bytes(self) -> int:
        """The most memory that a run took so far, or would take if its sizes are the same in all."""
        bound = list(self.table.values())
        if not bound and not self.segment.names:
            with suppress(functions.Refused):
                bound = [Bound(self, np.array(self.evaluate(), np.int64))]
        return max((b.arena_bytes for b in bound), default=0)

    def make_room(self) -> None:
        """Drop sizes that did not serve for longest, by giving each that did a second chance."""
        most = min(_MOST_BOUND, max(8, _MOST_BOUND_BYTES // (1024 + 64 * self.slots.size)))
        table = self.table
        for _ in range(2 * most):
            if len(table) < most:
                return
            try:
                key = next(iter(table))
                bound = table.pop(key)
            except (KeyError, RuntimeError, StopIteration):
                continue
            if bound.used:
                bound.used = False
                table[key] = bound
            elif self.arenas:
                self.arenas = [a for a in self.arenas if a.size != bound.arena_bytes]

    def take(self, bound: Bound) -> tuple[Frame, Arena | None]:
        """A frame and an arena for one run, to be given back."""
        try:
            frame = bound.frames.pop()
        except IndexError:
            frame = Frame(self, bound)
        if not bound.arena_bytes:
            return frame, None
        try:
            arena = self.arenas.pop()
        except IndexError:
            arena = Arena(bound.arena_bytes)
        if arena.size < bound.arena_bytes:
            arena = Arena(bound.arena_bytes)
        if arena.address != frame.base:
            frame.rebase(arena.address)
        return frame, arena

    def give(self, bound: Bound, frame: Frame, arena: Arena | None) -> None:
        """Take back what `take` gave."""
        if len(bound.frames) < _IDLE:
            bound.frames.append(frame)
        if arena is not None and len(self.arenas) < _IDLE:
            self.arenas.append(arena)
