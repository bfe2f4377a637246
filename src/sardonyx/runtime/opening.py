"""A step of the host before all native calls that reads one input: a run is then one segment and that step.

Texts that become numbers are such a step. Decides which programs open so; must not know what a step does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.errors import RunError
from sardonyx.runtime.bound import Bound, Resolved
from sardonyx.runtime.data import HostStep, ProgramData

Opening = Callable[[Sequence[Any]], np.ndarray[Any, Any]]
"""From the feeds of a run to the result of its first step."""


def opening_step(data: ProgramData) -> HostStep | None:
    """The step, if nothing but it and one native segment is to be run."""
    if len(data.segments) != 2:
        return None
    first, step = data.segments[0], data.segments[0].host
    if first.functions or first.after or first.outputs or step is None:
        return None
    simple = not step.many and not step.binds and len(step.args) == 1 and step.args[0].host < 0
    return step if simple and data.storages[step.args[0].storage].kind == "input" else None


def opening(step: HostStep, first: Bound, feeds: Sequence[Any], symbols: Mapping[str, int]) -> Opening | None:
    """The step for feeds of these shapes; None if it reads its input by a view, or cannot be prepared."""
    from sardonyx.runtime.host import Prepared

    (view,) = first.args
    if view.offset or view.shape != feeds[view.number].shape or not _is_whole(view):
        return None
    run = step.run.for_sizes(symbols) if isinstance(step.run, Prepared) else None
    if run is None:
        return None
    number, name = view.number, step.name

    def opened(feeds: Sequence[Any]) -> np.ndarray[Any, Any]:
        try:
            result: np.ndarray[Any, Any] = run((feeds[number],))
            return result
        except ValueError as error:
            raise RunError(f"{name}: the sizes of this call contradict each other: {error}") from error

    return opened


def _is_whole(view: Resolved) -> bool:
    """Whether a view shows contiguous memory in its order."""
    step = view.dtype.itemsize
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
