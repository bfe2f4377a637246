"""Joins a norm of channels and the pointwise convolution that alone reads it: nothing between need be stored.

Recognises norms by what is computed, in whatever form a model was exported. Must not know loops or kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.fuse.chains import Readers, joined
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Group
from sardonyx.ir.norm import norm_of
from sardonyx.ir.place import Place


def with_normed(graph: Graph, groups: Sequence[Group], places: Mapping[int, Place]) -> list[Group]:
    """The groups with a norm, a convolution of one tap, and windows that are joined to it, as one."""
    finder = _Finder(graph, groups, places)
    return joined(groups, [parts for group in groups if (parts := finder.parts(group))], "normed")


class _Finder(Readers):
    """Looks at groups and at who reads their values."""

    def parts(self, last: Group) -> tuple[Group, ...]:
        """The norm and this group, a convolution or what begins with one; nothing if they are not that."""
        first = last.parts[0] if last.kind == "windowed" else last
        anchor = first.anchor
        if first.kind != "contract" or anchor is None or anchor.prim != "conv_blocked":
            return ()
        x, w, *_ = anchor.args
        before = self.by_root.get(x.id)
        if before is None or before.kind != "loops" or before.reduced or not self.is_private(x):
            return ()
        if any(n != 1 for n in w.shape[2:]) or self.uses[x.id] != [anchor]:
            return ()
        norm = norm_of(x, before.inlined) if x.rank == 5 else None
        return (before, last) if norm is not None and norm.source.id in self.places else ()
