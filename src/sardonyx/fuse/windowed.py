"""Joins a convolution and the windows that alone read it, between which a few lines are stored at a time.

Recognises depthwise convolutions and pools by what they read, padded or not. Must not know loops or kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base import dtype as dt
from sardonyx.fuse.chains import Readers, joined
from sardonyx.fuse.legal import can_fail
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value

_LINES_AND_PIXELS = 2, 3
"""Axes of a blocked value along which windows slide."""


def with_windowed(graph: Graph, groups: Sequence[Group], places: Mapping[int, Place]) -> list[Group]:
    """The groups with a convolution, its pad and what slides windows over it as one."""
    finder = _Finder(graph, groups, places)
    return joined(groups, [parts for group in groups if (parts := finder.parts(group))], "windowed")


class _Finder(Readers):
    """Looks at groups and at who reads their values."""

    def parts(self, last: Group) -> tuple[Group, ...]:
        """The convolution, its pad if it has one, and this group; nothing if they are not that."""
        kept = last.root.rank - len(last.reduced)
        if last.kind != "loops" or kept != 5 or min(last.reduced, default=5) < 5 or last.place is None:
            return ()
        inside = [last.root, *(self.values[n] for n in last.inlined)]
        windows = [value for value in inside if value.prim == "window"]
        if len(windows) != 1 or any(map(can_fail, inside)):
            return ()
        (window,) = windows
        if window.attrs["axes"] != _LINES_AND_PIXELS:
            return ()
        around = self.by_root.get(window.args[0].id)
        if around is None or not self.is_private(around.root) or self.uses[around.root.id] != [window]:
            return ()
        if not self.is_read_within(around.root, last):
            return ()
        if around.kind == "contract":
            return (around, last) if _is_convolution(around) else ()
        if around.kind != "padding" or not _surrounds(around.root):
            return ()
        first = self.by_root.get(around.root.args[0].id)
        if first is None or not _is_convolution(first) or self.uses[first.root.id] != [around.root]:
            return ()
        held = self.places[around.root.id].storage
        return (first, around, last) if first.place and first.place.storage is held else ()


def _is_convolution(group: Group) -> bool:
    """Whether it is a convolution of floats that gives blocks of channels."""
    anchor = group.anchor
    if group.kind != "contract" or anchor is None or anchor.prim != "conv_blocked":
        return False
    return group.root.dtype is anchor.dtype is dt.F32 and group.root.rank == 5


def _surrounds(pad: Value) -> bool:
    """Whether a pad adds a number around lines and pixels of blocks, and nothing else."""
    if pad.rank != 5:
        return False
    low, high, fill = pad.attrs["low"], pad.attrs["high"], pad.args[1]
    sizes = [size for axis in range(pad.rank) for size in (low[axis], high[axis])]
    others = [low[axis] for axis in (0, 1, 4)] + [high[axis] for axis in (0, 1, 4)]
    are_known = all(isinstance(size, int) and size >= 0 for size in sizes)
    return are_known and not any(others) and fill.is_numeric_const and fill.size == 1
