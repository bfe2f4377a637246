"""Runs without Python: a built-in function that takes the names and arrays of a run and gives its results.

Decides which runs go that way: short ones, of plain arrays of sizes that came several times before, also
those read on the way, and without several large outputs. Texts that are fed may become numbers there
(runtime/texts.py). All others, and all that fail, are left to the call in Python; must not know how that
judges its arguments.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.shortcut import MOST_NAMES, STATION_COUNT, StationBlock
from sardonyx.base.shortcut import Shortcut as Word
from sardonyx.runtime import allocate, interpreter, team, texts
from sardonyx.runtime.outputs import are_fresh
from sardonyx.runtime.pointers import address_of
from sardonyx.runtime.program import Program
from sardonyx.runtime.rows import Row, Rows, Shape, has_rows
from sardonyx.runtime.segments import Key, SegmentRun

if TYPE_CHECKING:
    from sardonyx.runtime.bound import Binder, Bound

Call = Callable[..., list[Any]]

AFTER = 8
"""Runs of the same sizes after which they are taken up."""
_AGAIN = 2
"""The same of numbers that are read on the way, once some are taken up."""
_MOST_BYTES = 1 << 20
"""Memory between kernels that is kept for one set of sizes."""
_MOST_BYTES_BEHIND = 1 << 15
"""The same of segments behind the first, of which there are as many as numbers are read."""
_MOST_HELD = 16 << 20
"""Bytes of all rows."""
_MOST_ROWS = 1024
"""Rows of one set of sizes of the inputs."""
_PAUSE = 1 << 14
"""Runs that are left to Python where what they read is mostly new."""
_NAME = b"run"


def shortcut(
    program: object, inputs: Sequence[tuple[str, np.dtype[Any]]], outputs: Sequence[str], call: Call
) -> Call:
    """`call` of a program with a shortcut before it, where there can be one.

    `call` takes the names of outputs or None, the arrays by the names of the inputs, and options or None.
    """
    if not isinstance(program, Program) or not (program.is_native or has_rows(program.data)):
        return call
    return Shortcut(program, inputs, outputs, call).function() or call


class Shortcut:
    """What the built-in function of one program knows, and calls for all else.

    Its words hold it. It must only hold the function weakly: else a session would outlive its last use.
    """

    __slots__ = (
        *(
            "__weakref__",
            "_call",
            "_function",
            "_inputs",
            "_known",
            "_lock",
            "_outputs",
            "_program",
            "_reads",
            "_rows",
            "_texts",
        ),
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
        self._texts = frozenset(n for n, (_, dtype) in enumerate(inputs) if dtype.hasobject)
        self._rows = Rows()
        self._lock = threading.Lock()
        self._words = allocate.aligned_words(Word.WORDS)
        self._reads = not program.is_native
        program.follow(self)

    def function(self) -> Call | None:
        """The built-in function; None if this interpreter, or the number of names, allows none."""
        known = interpreter.words()
        count = max(len(self._inputs), len(self._outputs), len(self._program.data.results))
        if known is None or count > MOST_NAMES or not self._outputs or allocate.empty is not np.empty:
            return None
        words, self._known = self._words, known
        words[Word.INTERPRETER] = address_of(known)
        words[Word.OTHERWISE] = id(self)
        words[Word.STATIONS], words[Word.ROWS] = _stations.address, self._rows.address
        words[Word.INPUTS], words[Word.OUTPUTS] = len(self._inputs), len(self._outputs)
        words[Word.NAMES : Word.NAMES + len(self._outputs)] = [id(name) for name in self._outputs]
        feeds = [word for name, dtype in self._inputs for word in (id(name), dtype.num)]
        words[Word.FEEDS : Word.FEEDS + len(feeds)] = feeds
        held = words.view(interpreter.Held)
        held.owner = self
        made: Call = interpreter.builtin(held, self._program.image.address("sdx_shortcut"), _NAME)
        self._function = weakref.ref(made)
        return made

    def __call__(self, output_names: Any, input_feed: Any, run_options: Any = None) -> list[Any]:
        """Run in Python; take up the sizes that were fed if they came often enough.

        Texts of fixed width, or apart, become objects side by side, with which the function is called again.
        """
        if self._texts and type(input_feed) is dict:
            again, function = self._side_by_side(input_feed), self._function()
            if again is not None and function is not None:
                return function(output_names, again, run_options)
        results = self._call(output_names, input_feed, run_options)
        if not self._reads and type(input_feed) is dict and len(input_feed) == len(self._inputs):
            self._learn(input_feed)
        return results

    def _side_by_side(self, feed: dict[str, Any]) -> dict[str, Any] | None:
        """A feed with other arrays of texts; None if none need be."""
        changed = None
        for number in self._texts:
            name, _ = self._inputs[number]
            objects = texts.side_by_side(feed.get(name))
            if objects is not None:
                changed = changed or dict(feed)
                changed[name] = objects
        return changed

    def _learn(self, feed: dict[str, Any]) -> None:
        shapes = []
        for name, _ in self._inputs:
            value = feed.get(name)
            if type(value) is not np.ndarray:
                return
            shapes.append(value.shape)
        binders = self._program.binders
        bound = self._program.native(tuple(shapes))
        if bound is not None and bound.served >= 0:
            bound.served += 1
            if bound.served >= AFTER:
                self._judge(binders, [(_key(shapes), bound)])

    def ran(self, feeds: Sequence[Any], run: SegmentRun) -> None:
        """Python did a run of several segments; take it up if it came often enough, also what it read.

        The first segment of a run whose row is known counts 1 as served, and below 0 while there is a pause.
        """
        bounds = [bound for bound, _ in run.bound.values()]
        first, last = bounds[0], bounds[-1]
        if first.served < 0:
            first.served += 1
        elif self._reads and last.served >= 0:
            last.served += 1
            if first.served or last.served >= AFTER:
                key = _key([feed.shape for feed in feeds])
                self._judge(run.binders, list(zip([key, *run.read()], bounds, strict=True)))

    def _judge(self, binders: list[Binder], path: Sequence[tuple[Key, Bound]]) -> None:
        """Take up a run that came often enough, if it is short."""
        if not self._lock.acquire(blocking=False):
            return
        last = path[-1][1]
        try:
            if self._program.binders is not binders or (len(path) > 1 and self._is_left_out(path)):
                return
            if last.served >= (min(AFTER, _AGAIN) if len(path) > 1 and path[0][1].served else AFTER):
                last.served = 0 if self._is_short([bound for _, bound in path]) else -1
                if not last.served:
                    self._take_up(path)
        finally:
            self._lock.release()

    def _is_short(self, path: Sequence[Bound]) -> bool:
        lookups = path[0].lookups
        outputs = [output for bound in path for output in bound.outputs]
        return (
            all(bound.short for bound in path)
            and lookups is not None
            and path[0].arena_bytes + 8 * sum(lookup.size for lookup in lookups) <= _MOST_BYTES
            and sum(bound.arena_bytes for bound in path[1:]) <= _MOST_BYTES_BEHIND
            and not any(dtype.hasobject for _, _, _, dtype, _ in outputs)
            and not are_fresh([prod(shape) * dtype.itemsize for _, _, shape, dtype, _ in outputs])
        )

    def _is_left_out(self, path: Sequence[tuple[Key, Bound]]) -> bool:
        """Whether what a run read is known, or mostly new: then its first segments would be done twice."""
        (key, first), *others = path
        row = self._rows.known.get(key)
        if row is None:
            return False
        if row.along(key for key, _ in others) is not None:
            return True
        if row.is_missed():
            first.served = -_PAUSE
            self._rows.drop(key)
        return first.served < 0

    def _take_up(self, path: Sequence[tuple[Key, Bound]]) -> None:
        """Make the rows that there are not, in the places of the oldest ones, which runs under way hold."""
        (key, first), *others = path
        row = self._rows.known.get(key)
        if row is not None and len(path) > 2 and row.size() >= _MOST_ROWS:
            self._rows.drop(key)
            row = None
        try:
            _stations.prepare(max(bound.scratch_bytes for _, bound in path))
            number = len(self._program.binders) - len(path)
            if len(path) > 1:
                first.served = 1
            row = row or self._put(Row(self._program, number, first, key, len(self._inputs), self._texts))
            begun = row
            for key, bound in others:
                row = row.followers.known.get(key) or row.behind(self._program, bound, key, begun)
        except MemoryError:
            return
        self._program.expect_many_runs()

    def _put(self, row: Row) -> Row:
        """Add the row of a first segment, and take the oldest ones out that there is no memory for."""
        left = _MOST_HELD - row.size_bytes - sum(known.size_bytes for known in self._rows.known.values())
        while left < 0 and self._rows.known:
            oldest = next(iter(self._rows.known.values()))
            left += oldest.size_bytes
            self._rows.drop(oldest.key)
        self._rows.put(row)
        return row

    def renew(self) -> None:
        """Forget all sizes, which come again if they still serve. Runs that are under way hold their rows."""
        with self._lock:
            self._rows.clear()


def _key(shapes: Sequence[Shape]) -> Key:
    return tuple([word for shape in shapes for word in (len(shape), *shape)])


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
