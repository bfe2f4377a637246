"""Whether a program serves the sizes that are fed, and which other program of the same model does.

A graph is built under assumptions: no axis is empty, equal names mean equal sizes, windows fit. Where a feed
breaks one, the model is compiled again without it. Must not know how programs are made or run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, Generic, TypeVar

from sardonyx.base import functions
from sardonyx.base.named import NamedTuple
from sardonyx.errors import SardonyxError, ShapeError
from sardonyx.runtime.data import ProgramData

T = TypeVar("T")
_MOST_ALTERNATIVES = 64
_MOST_SEEN = 4096


class Overrides(NamedTuple):
    """What to do differently: free sizes to fix, and names that do not mean equal sizes."""

    fixed: tuple[tuple[str, int], ...] = ()
    distinct: tuple[str, ...] = ()

    @contextmanager
    def explained(self, feeds: Sequence[Any], check: SizeCheck) -> Iterator[None]:
        """Inside the block errors of sizes say which feeds contradict what the model declares."""
        try:
            yield
        except ShapeError as error:
            if self.distinct:
                error.args = (f"{error}; {'; '.join(check.contradictions(feeds).values())}",)
            raise


class SizeCheck:
    """Reads the sizes of a program out of its feeds; `whole`: it is a model, not a body inside one."""

    def __init__(self, data: ProgramData, *, whole: bool) -> None:
        self._data = data
        self._whole = whole
        self._names = [info.name for info in (*data.inputs, *data.initializer_inputs)]
        self._least = data.least_sizes
        self._evaluate = functions.load(data.least_sizes.code) if data.least_sizes else None
        self._seen: set[Any] = set()

    def sizes(self, feeds: Sequence[Any]) -> tuple[dict[str, int], Overrides | None]:
        """The sizes by name, and what to change if the program does not serve them.

        Raises ShapeError if an input has another size than the model declares.
        """
        symbols = {name: feeds[number].shape[axis] for name, number, axis in self._data.symbols}
        shapes = tuple([getattr(feed, "shape", None) for feed in feeds])
        if shapes in self._seen:
            return symbols, None
        distinct = tuple(sorted(self.contradictions(feeds)))
        fixed = {name: 0 for name, size in symbols.items() if size < 1} if self._whole else {}
        if self._whole and not distinct and not fixed:
            fixed = {name: symbols[name] for name in self._too_small(symbols)}
        if distinct or fixed:
            return symbols, Overrides((), distinct) if distinct else Overrides(tuple(sorted(fixed.items())))
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen.add(shapes)
        return symbols, None

    def contradictions(self, feeds: Sequence[Any]) -> dict[str, str]:
        """The names that stand for several sizes in these feeds, with where they do."""
        symbols = {name: feeds[number].shape[axis] for name, number, axis in self._data.symbols}
        found: dict[str, str] = {}
        for name, declared, feed in zip(self._names, self._data.input_shapes, feeds, strict=False):
            given = getattr(feed, "shape", None)
            if declared is None or given is None:
                continue
            for axis, size in enumerate(declared):
                expected = size if isinstance(size, int) else symbols.get(size, given[axis])
                if expected == given[axis]:
                    continue
                text = f"input {name!r}: axis {axis} has size {given[axis]}"
                if isinstance(size, int):
                    raise ShapeError(f"{text}, not {size}")
                found.setdefault(size, f"{text}, but {size} is {expected}")
        return found

    def _too_small(self, symbols: Mapping[str, int]) -> list[str]:
        """The names of which a least size depends that does not hold."""
        if self._evaluate is None or self._least is None:
            return []
        try:
            values = self._evaluate(*(symbols[name] for name in self._least.names))
        except (ValueError, ZeroDivisionError, OverflowError):
            return []
        rows = zip(values, self._least.least, strict=True)
        return sorted({name for value, (low, names) in rows if value < low for name in names})


class Alternatives(Generic[T]):
    """Programs of the same model for feeds that one does not serve; thread-safe."""

    def __init__(self, make: Callable[[Overrides], T] | None) -> None:
        self._make = make
        self._table: dict[Overrides, T | SardonyxError] = {}
        self._lock = RLock()

    def get(self, overrides: Overrides) -> T:
        """The program with a change; an error in making it is raised again each time."""
        found = self._table.get(overrides)
        if found is None:
            with self._lock:
                found = self._table.get(overrides) or self._new(overrides)
        if isinstance(found, SardonyxError):
            raise found.with_traceback(None)
        return found

    def made(self) -> list[T]:
        """Those that there are."""
        return [found for found in list(self._table.values()) if not isinstance(found, SardonyxError)]

    def _new(self, overrides: Overrides) -> T | SardonyxError:
        if self._make is None:
            given = ", ".join((*(f"{name} = {size}" for name, size in overrides.fixed), *overrides.distinct))
            raise ShapeError(f"the sizes of this call contradict each other: {given}")
        try:
            found: T | SardonyxError = self._make(overrides)
        except SardonyxError as error:
            found = error
        while len(self._table) >= _MOST_ALTERNATIVES:
            self._table.pop(next(iter(self._table)))
        self._table[overrides] = found
        return found
