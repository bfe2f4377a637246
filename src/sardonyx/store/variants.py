"""A model whose ranks or axes depend on what is fed: one program for each content that decides them.

Decides which program serves a call and which are kept; must not know how programs are made.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sardonyx.base.dataclass import dataclass, field, replace
from sardonyx.base.dependence import FeedDependence
from sardonyx.base.report import FallbackNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo

if TYPE_CHECKING:
    from sardonyx.runtime.runnable import CallTime, Runnable

Make: TypeAlias = "Callable[[Mapping[str, Any], FeedDependence], tuple[Runnable, FeedDependence]]"
"""The program for a feed, of which the given dependence are known to matter, and all that matters of it."""

Reader: TypeAlias = Callable[[FeedDependence, Sequence[str]], Callable[[Sequence[Any]], tuple[Any, ...]]]

_MOST = 64
"""Programs that are kept; each holds addresses and small tables of its own, weights are shared on disk."""


@dataclass(slots=True)
class _Choice:
    """A program, or a further decision, with whether it served since it was last considered for eviction."""

    program: Runnable | None = None
    level: _Level | None = None
    used: bool = False


@dataclass(slots=True)
class _Level:
    """One decision: what of the feeds it looks at, and what it leads to."""

    dependence: FeedDependence
    key: Callable[[Sequence[Any]], Any]
    table: dict[Any, _Choice] = field(default_factory=dict)


class Variants:
    """A model that is compiled anew for each content that decides its ranks; thread-safe.

    Offers what `Program` offers. The report grows with each variant; its counter `variants` says how many
    were made.

    Args:
        inputs: what the model declares, as the other descriptions.
        dependence: what of a feed is known to decide the graph.
        make: makes the program for a feed.
        reader: makes a function of the feeds that tells what of them decides; see `FeedDependence.reader`.
        report: the report to add to.
    """

    def __init__(
        self,
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
        initializer_inputs: tuple[TensorInfo, ...],
        metadata: ModelMeta,
        *,
        fed: Sequence[str] = (),
        dependence: FeedDependence,
        make: Make,
        reader: Reader = FeedDependence.reader,
        report: Report | None = None,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.initializer_inputs, self.metadata = initializer_inputs, metadata
        self._report = report or Report()
        self._report.counters.setdefault("variants", 0)
        self._report.counters.setdefault("compiles", 0)
        self._names = [info.name for info in inputs]
        self._names += [info.name for info in initializer_inputs if info.name in fed]
        self._make, self._reader = make, reader
        self._root = self._level(dependence)
        self._kept: deque[tuple[_Level, Any]] = deque()
        self._lock = threading.Lock()

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs for one feed an input; see `Program.run`.

        Raises what loading a model raises, too.
        """
        root = self._root
        choice = root.table.get(root.key(feeds))
        if choice is not None and choice.program is not None:
            choice.used = True
            return choice.program.run(feeds, wanted)
        return self.program(feeds).run(feeds, wanted)

    def compile_fully(self) -> None:
        """Have the full code of the programs so far; see `Program.compile_fully`."""
        for program in self._programs():
            program.compile_fully()

    @property
    def report(self) -> Report:
        """That of all programs, which grows with each."""
        self._report.counters.pop("quick_kernels", None)
        for made in [program.report for program in self._programs()]:
            self._report.fault = self._report.fault or made.fault
            if quick := made.counters.get("quick_kernels", 0):
                self._report.count("quick_kernels", quick)
        return self._report

    def _programs(self) -> list[Runnable]:
        """Those that are kept."""
        choices = [level.table.get(key) for level, key in tuple(self._kept)]
        return [choice.program for choice in choices if choice is not None and choice.program is not None]

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """All outputs and the times of the calls; see `Program.profile`."""
        return self.program(feeds).profile(feeds)

    def program(self, feeds: Sequence[Any]) -> Runnable:
        """The program that serves these feeds, made if there is none yet."""
        level = self._root
        while (choice := level.table.get(level.key(feeds))) is not None:
            if choice.program is not None:
                choice.used = True
                return choice.program
            assert choice.level is not None
            level = choice.level
        return self._new(level, feeds)

    @property
    def fallbacks(self) -> tuple[FallbackNote, ...]:
        """What does not run native in the programs so far."""
        return tuple(self._report.fallbacks)

    def _level(self, dependence: FeedDependence) -> _Level:
        return _Level(dependence, self._reader(dependence, self._names))

    def _new(self, level: _Level, feeds: Sequence[Any]) -> Runnable:
        with self._lock:
            key = level.key(feeds)
            if key not in level.table:
                program, dependence = self._make(dict(zip(self._names, feeds, strict=True)), level.dependence)
                if dependence != level.dependence:
                    further = self._level(dependence)
                    if (
                        level is self._root
                        and not level.table
                        and _asks_units_only(level.dependence, dependence)
                    ):
                        self._root = further
                    else:
                        level.table[key] = _Choice(level=further)
                    level, key = further, further.key(feeds)
                self._make_room()
                level.table[key] = _Choice(program)
                self._kept.append((level, key))
                self._note(program.report)
                return program
        return self.program(feeds)

    def _note(self, made: Report) -> None:
        """Add the report of a variant."""
        report = self._report
        report.count("variants")
        for name, amount in made.counters.items():
            report.count(name, amount)
        report.kernels = list(dict.fromkeys((*report.kernels, *made.kernels)))
        report.decisions = list(dict.fromkeys((*report.decisions, *made.decisions)))
        report.fallbacks = list(dict.fromkeys((*report.fallbacks, *made.fallbacks)))
        report.timings = list(made.timings)
        report.operators |= made.operators

    def _make_room(self) -> None:
        """Drop the oldest programs until there is room, but give each that served a second chance."""
        while len(self._kept) >= _MOST:
            level, key = self._kept.popleft()
            if level.table[key].used:
                level.table[key].used = False
                self._kept.append((level, key))
            else:
                del level.table[key]


def _asks_units_only(before: FeedDependence, after: FeedDependence) -> bool:
    """Whether all that came to matter is whether sizes are 1: few programs, whatever is fed."""
    return after == replace(before, units=after.units)
