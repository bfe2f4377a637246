"""Runs without Python: a built-in function that takes the names and arrays of a run and gives its results.

Decides which runs go that way: short ones, of plain arrays of sizes that came several times before, and
without several large outputs. Texts that are fed may become numbers there (runtime/texts.py). All others, and
all that fail, are left to the call in Python; must not know how that judges its arguments.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.shortcut import MOST_NAMES, ROW_COUNT, STATION_COUNT, BoundRow, Lookup, StationBlock
from sardonyx.base.shortcut import Shortcut as Word
from sardonyx.runtime import allocate, interpreter, team
from sardonyx.runtime.allocate import Words
from sardonyx.runtime.bound import Arena, Frame
from sardonyx.runtime.outputs import are_fresh
from sardonyx.runtime.pointers import address_of
from sardonyx.runtime.program import Program

if TYPE_CHECKING:
    from sardonyx.runtime.bound import Bound

Call = Callable[..., list[Any]]
Shape = tuple[int, ...]

AFTER = 8
"""Runs of the same sizes after which they are taken up."""
_MOST_BYTES = 1 << 20
"""Memory between kernels that is kept for one set of sizes."""
_NAME = b"run"


def shortcut(
    program: object, inputs: Sequence[tuple[str, np.dtype[Any]]], outputs: Sequence[str], call: Call
) -> Call:
    """`call` of a program with a shortcut before it, where there can be one.

    `call` takes the names of outputs or None, the arrays by the names of the inputs, and options or None.
    """
    if not isinstance(program, Program) or not program.is_native:
        return call
    return Shortcut(program, inputs, outputs, call).function() or call


class Shortcut:
    """What the built-in function of one program knows, and calls for all else.

    Its words hold it. It must not hold the function: that would keep a session alive after its last use.
    """

    __slots__ = (
        *("__weakref__", "_call", "_inputs", "_known", "_lock", "_next", "_outputs", "_program", "_rows"),
        "_words",
    )

    def __init__(
        self,
        program: Program,
        inputs: Sequence[tuple[str, np.dtype[Any]]],
        outputs: Sequence[str],
        call: Call,
    ) -> None:
        self._program, self._call = program, call
        self._inputs = tuple((sys.intern(name), dtype) for name, dtype in inputs)
        self._outputs = tuple(map(sys.intern, outputs))
        self._rows: list[_Row | None] = [None] * ROW_COUNT
        self._next = 0
        self._lock = threading.Lock()
        self._words = allocate.aligned_words(Word.WORDS)
        program.followers.add(self)

    def function(self) -> Call | None:
        """The built-in function; None if this interpreter, or the number of names, allows none."""
        known = interpreter.words()
        count = max(len(self._inputs), len(self._outputs), len(self._program.data.results))
        if known is None or count > MOST_NAMES or not self._outputs or allocate.empty is not np.empty:
            return None
        words, self._known = self._words, known
        words[Word.INTERPRETER] = address_of(known)
        words[Word.OTHERWISE] = id(self)
        words[Word.STATIONS] = _stations.address
        words[Word.INPUTS], words[Word.OUTPUTS] = len(self._inputs), len(self._outputs)
        words[Word.NAMES : Word.NAMES + len(self._outputs)] = [id(name) for name in self._outputs]
        feeds = [word for name, dtype in self._inputs for word in (id(name), dtype.num)]
        words[Word.FEEDS : Word.FEEDS + len(feeds)] = feeds
        held = words.view(interpreter.Held)
        held.owner = self
        made: Call = interpreter.builtin(held, self._program.image.address("sdx_shortcut"), _NAME)
        return made

    def __call__(self, output_names: Any, input_feed: Any, run_options: Any = None) -> list[Any]:
        """Run in Python; take up the sizes that were fed if they came often enough."""
        results = self._call(output_names, input_feed, run_options)
        if type(input_feed) is dict and len(input_feed) == len(self._inputs):
            self._learn(input_feed)
        return results

    def _learn(self, feed: dict[str, Any]) -> None:
        shapes = []
        for name, _ in self._inputs:
            value = feed.get(name)
            if type(value) is not np.ndarray:
                return
            shapes.append(value.shape)
        bound = self._program.native(tuple(shapes))
        if bound is None or bound.served < 0:
            return
        bound.served += 1
        if bound.served >= AFTER:
            bound.served = 0 if self._is_short(bound) else -1
            if not bound.served and self._lock.acquire(blocking=False):
                try:
                    self._take_up(bound, shapes)
                finally:
                    self._lock.release()

    def _is_short(self, bound: Bound) -> bool:
        texts = {number for number, (_, dtype) in enumerate(self._inputs) if dtype.hasobject}
        lookups = bound.lookups
        return (
            bound.short
            and lookups is not None
            and texts == {lookup.feed for lookup in lookups}
            and bound.arena_bytes + 8 * sum(lookup.size for lookup in lookups) <= _MOST_BYTES
            and not any(o[3].hasobject for o in bound.outputs)
            and not are_fresh([prod(o[2]) * o[3].itemsize for o in bound.outputs])
        )

    def _take_up(self, bound: Bound, shapes: Sequence[Shape]) -> None:
        """Put a row in the place of the oldest one, which a run that is under way holds."""
        try:
            _stations.prepare(bound.scratch_bytes)
            row = _Row(self._program, bound, shapes)
        except MemoryError:
            return
        place, self._next = self._next, (self._next + 1) % ROW_COUNT
        if self._program.native(tuple(shapes)) is not bound:
            return
        self._words[Word.ROWS + place] = row.address
        self._rows[place] = row
        self._program.expect_many_runs()

    def renew(self) -> None:
        """Forget all sizes, which come again if they still serve. Runs that are under way hold their rows."""
        with self._lock:
            self._words[Word.ROWS : Word.ROWS + ROW_COUNT] = 0
            self._rows[:] = [None] * ROW_COUNT


class _Row:
    """Memory for runs of one set of sizes, one at a time; see `base.shortcut.BoundRow`."""

    __slots__ = ("_held", "address")

    def __init__(self, program: Program, bound: Bound, shapes: Sequence[Shape]) -> None:
        frame = Frame(program.binders[-1], bound)
        arena = Arena(bound.arena_bytes) if bound.arena_bytes else None
        if arena is not None:
            frame.rebase(arena.address)
        fed = [word for shape in shapes for word in (len(shape), *shape)]
        made = [word for output in bound.outputs for word in _made(output, frame)]
        lookups, numbers = _looked_up(bound, frame)
        results = bound.closing or tuple(range(len(shapes), len(shapes) + len(bound.outputs)))
        patches = {number: found for _, number, found in bound.inputs}
        read = [word for n in range(len(shapes)) for word in _patches(patches.get(n, ()), frame)]
        behind = [*fed, *made, *read, *(r if isinstance(r, int) else id(r) for r in results), *lookups]
        words = allocate.aligned_words(BoundRow.SHAPES + len(behind))
        self.address = address_of(words)
        words[BoundRow.OWNER] = id(self)
        words[BoundRow.LAUNCH], words[BoundRow.HOLDS] = frame.launch.address, frame.launch.hold_gil
        run = program.team.run
        if frame.launch.threads > 1:
            words[BoundRow.TEAM], words[BoundRow.ARGUMENT] = id(run), id(frame.launch)
        words[BoundRow.MADE] = len(bound.outputs)
        words[BoundRow.ARRAYS] = self.address + 8 * (BoundRow.SHAPES + len(fed))
        words[BoundRow.READS] = self.address + 8 * (BoundRow.SHAPES + len(fed) + len(made))
        words[BoundRow.RESULTS] = self.address + 8 * (BoundRow.SHAPES + len(fed) + len(made) + len(read))
        words[BoundRow.LOOKUPS] = self.address + 8 * (words.size - len(lookups))
        words[BoundRow.LOOKED_UP] = len(lookups) // Lookup.WORDS
        words[BoundRow.SHAPES :] = behind
        dtypes = [output[3] for output in bound.outputs]
        self._held = (words, frame, arena, run, results, dtypes, numbers, bound.lookups)


def _looked_up(bound: Bound, frame: Frame) -> tuple[list[int], Words]:
    """The words of the texts that are looked up, and the memory of their numbers, which native code reads."""
    lookups = bound.lookups or ()
    numbers = allocate.aligned_words(max(1, sum(lookup.size for lookup in lookups)))
    words, address = [], address_of(numbers)
    for lookup, (_, patches) in zip(lookups, bound.patches, strict=True):
        words += [lookup.feed, id(lookup.table), lookup.size, address]
        for position, offset in patches:
            frame.words[position] = address + offset
        address += 8 * lookup.size
    return words, numbers


def _made(output: tuple[int, int, Shape, np.dtype[Any], Any], frame: Frame) -> Iterator[int]:
    _, _, shape, dtype, patches = output
    yield from (id(dtype), len(shape), *shape)
    yield from _patches(patches, frame)


def _patches(patches: Sequence[tuple[int, int]], frame: Frame) -> Iterator[int]:
    yield len(patches)
    for position, offset in patches:
        yield from (frame.address + 8 * position, offset)


class _Station:
    """Where one run at a time is; see `base.shortcut.StationBlock`."""

    __slots__ = ("_held", "address")

    def __init__(self, scratch_bytes: int) -> None:
        station = team.Station()
        station.grow(scratch_bytes)
        words = allocate.aligned_words(StationBlock.WORDS)
        words[StationBlock.OWNER], words[StationBlock.CONTEXT] = id(self), station.address
        self.address = address_of(words)
        self._held = words, station


class _Stations:
    """The stations of this process, for the shortcuts of all programs."""

    def __init__(self) -> None:
        self._words = allocate.aligned_words(STATION_COUNT)
        self.address = address_of(self._words)
        self._scratch_bytes = 0
        self.renew()

    def renew(self) -> None:
        """Take new ones: after a fork, those of other threads would be busy forever."""
        self._lock = threading.Lock()
        self._fill(self._scratch_bytes)

    def prepare(self, scratch_bytes: int) -> None:
        """Have so much scratch at all of them. A run that is under way holds the station that it has."""
        with self._lock:
            if scratch_bytes > self._scratch_bytes:
                self._fill(scratch_bytes)

    def _fill(self, scratch_bytes: int) -> None:
        made = [_Station(scratch_bytes) for _ in range(STATION_COUNT)]
        self._words[:] = [station.address for station in made]
        self._held, self._scratch_bytes = made, scratch_bytes


_stations = _Stations()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stations.renew)
