"""Steps of the host before all native calls: a run is then these and one segment.

Texts that become numbers are such steps. Decides which programs open so; must not know what other steps do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.errors import contradiction
from sardonyx.runtime.bound import Bound, Resolved
from sardonyx.runtime.data import HostStep, ProgramData
from sardonyx.runtime.texts import Lookup

if TYPE_CHECKING:
    from sardonyx.runtime.weights import Weights

Array = np.ndarray[Any, Any]
Opening = Callable[[Sequence[Any]], list[Array]]
"""From the feeds of a run to what native code reads of its first steps, one array for each of its patches."""


def opening_steps(data: ProgramData) -> tuple[HostStep, ...]:
    """The steps before the last segment, if nothing else is done there."""
    steps = []
    for segment in data.segments[:-1]:
        step = segment.host
        if segment.functions or segment.after or segment.outputs or step is None or step.many or step.binds:
            return ()
        steps.append(step)
    return tuple(steps)


def are_lookups(steps: Sequence[HostStep]) -> bool:
    """Whether all that the steps do is to number texts."""
    from sardonyx.runtime.host import Prepared

    return all(isinstance(step.run, Prepared) and step.run.table is not None for step in steps)


def opening(
    steps: Sequence[HostStep],
    before: Sequence[Bound],
    read: Sequence[int],
    feeds: Sequence[Any],
    symbols: Mapping[str, int],
    weights: Weights,
) -> tuple[Opening, tuple[Lookup, ...] | None] | None:
    """The steps for feeds of these shapes, whose results `read` native code wants.

    With them come the look-ups of feeds that give these results; None if not all of the steps are such.
    `before` has the segments that end in them. None if a step reads part of a tensor, or cannot be prepared.
    """
    from sardonyx.runtime.host import Prepared

    places: dict[int, int] = {}
    lookups: dict[int, Lookup] = {}
    runs = []
    for step, bound in zip(steps, before, strict=True):
        prepared = step.run if isinstance(step.run, Prepared) else None
        run = prepared.for_sizes(symbols) if prepared is not None else None
        args = [_argument(view, feeds, places, weights) for view in bound.args]
        if prepared is None or run is None or any(arg is None for arg in args):
            return None
        place = places[step.into[0]] = len(feeds) + len(places)
        if prepared.table is not None and type(args[0]) is int and args[0] < len(feeds):
            lookups[place] = Lookup(args[0], prepared.table, feeds[args[0]].size)
        runs.append((run, args, step.name))
    wanted = [places[number] for number in read]

    def opened(feeds: Sequence[Any]) -> list[Array]:
        known = list(feeds)
        for run, args, name in runs:
            try:
                known.append(run([known[arg] if type(arg) is int else arg for arg in args]))
            except ValueError as error:
                raise contradiction(name, error) from error
        return [known[place] for place in wanted]

    if len(lookups) < len(runs):
        return opened, None
    return opened, tuple(lookups[place] for place in wanted)


def _argument(
    view: Resolved, feeds: Sequence[Any], places: Mapping[int, int], weights: Weights
) -> int | Array | None:
    """The place of what a step reads among feeds and results before it, or a constant; None for a part."""
    if view.kind == "result" or (view.kind == "host" and view.dtype.hasobject):
        return places[view.number]
    if view.kind not in ("input", "const"):
        return None
    whole = (feeds if view.kind == "input" else weights)[view.number]
    is_part = view.offset or view.shape != whole.shape or not _is_whole(view)
    if is_part and (view.kind == "input" or not view.dtype.hasobject):
        return None
    return view.number if view.kind == "input" else whole


def _is_whole(view: Resolved) -> bool:
    """Whether a view shows contiguous memory in its order."""
    step = view.dtype.itemsize
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
