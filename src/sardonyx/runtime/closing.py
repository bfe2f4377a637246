"""Steps of the host behind all native calls: what they make is made when it is asked for, not otherwise.

Maps and sequences of scores and the names of classes are such results. Decides whose memory a result is; must
not know what a step does, nor how native calls run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.errors import contradiction
from sardonyx.runtime.data import Closing, ClosingStep, Source

Make = Callable[..., Any]
"""From all feeds and outputs of native code, each an argument, to a result."""
Closed = tuple[int | Make, ...]
"""Of each result, its place among those arguments or what makes it."""
Host = Callable[[ClosingStep, Sequence[Any], Mapping[str, int]], Any]


def closed(results: Closed, known: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
    """The wanted results, of all feeds and outputs of native code."""
    found = [results[number] for number in wanted]
    return [known[made] if type(made) is int else made(*known) for made in found]  # type: ignore[operator]


class Closer:
    """The closing steps of one program, ready to run.

    Attributes:
        every: the numbers of all results.
    """

    def __init__(self, closing: Closing, start: object) -> None:
        self._steps = [_started(step, start) for step in closing.steps]
        self._constants, self._results = closing.constants, closing.results
        for constant in self._constants:
            constant.flags.writeable = False
        self.every = tuple(range(len(closing.results)))

    def read(self, wanted: Sequence[int]) -> tuple[int, ...]:
        """The outputs of native code that these results are made of."""
        waiting = [self._results[number] for number in wanted]
        for source in waiting:
            if source.kind == "step":
                waiting += self._steps[source.number].args
        return tuple(dict.fromkeys(source.number for source in waiting if source.kind == "made"))

    def run(
        self,
        host: Host,
        feeds: Sequence[Any],
        made: Mapping[int, Any],
        symbols: Mapping[str, int],
        wanted: Sequence[int],
    ) -> list[Any]:
        """The wanted results by steps that `host` runs, for outputs of native code by their numbers."""
        given = {"feed": feeds, "made": made, "constant": self._constants}
        known = (*feeds, *made.values())

        def value(source: Source) -> Any:
            if source.kind != "step":
                return given[source.kind][source.number]  # type: ignore[index]
            step = self._steps[source.number]
            args = [value(arg) for arg in step.args]
            try:
                return host(step, args, symbols)
            except ValueError as error:
                raise contradiction(step.name, error) from error

        found = [(self._results[number], value(self._results[number])) for number in wanted]
        return [_own(result, known) if source.kind == "step" else result for source, result in found]

    def for_sizes(self, symbols: Mapping[str, int], feeds: int) -> Closed | None:
        """How results are made for known sizes; None if a step cannot be prepared for them."""
        from sardonyx.runtime.host import Prepared

        runs = [s.run.for_sizes(symbols) if isinstance(s.run, Prepared) else None for s in self._steps]
        if None in runs:
            return None

        def reader(source: Source) -> Make:
            if source.kind == "constant":
                constant = self._constants[source.number]
                return lambda _: constant
            if source.kind != "step":
                place = source.number + (feeds if source.kind == "made" else 0)
                return lambda known: known[place]
            step, run = self._steps[source.number], runs[source.number]
            readers = [reader(arg) for arg in step.args]

            def made(known: Sequence[Any]) -> Any:
                try:
                    return run([read(known) for read in readers])  # type: ignore[misc]
                except ValueError as error:
                    raise contradiction(step.name, error) from error

            return made

        def whole(source: Source) -> int | Make:
            if source.kind == "made":
                return feeds + source.number
            made = reader(source)

            def result(*known: Any) -> Any:
                return _own(made(known), known)

            return result

        return tuple(whole(source) for source in self._results)


def _started(step: ClosingStep, start: object) -> ClosingStep:
    return step if callable(step.run) else step._replace(run=step.run.start(start))


def _own(result: Any, known: Sequence[Any]) -> Any:
    """A result that shares no memory with feeds, constants or other results.

    Items of sequences share none from the start, but with those of fed sequences.
    """
    if isinstance(result, np.ndarray):
        is_fresh = result.base is None and result.flags.writeable
    elif type(result) is list:
        is_fresh = True
    else:
        return result
    if is_fresh:
        for one in known:
            if one is result:
                return result.copy()
        return result
    return result.copy()
