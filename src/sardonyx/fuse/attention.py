"""Joins scores, what makes shares of them, and the product of shares and values: nothing between is stored.

Recognises groups by what they read and write, in whatever form a model was exported: any scaling, mask or
bias that a row of scores allows. Must not know loops or kernels.
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

_MOST_AXES = 4
"""Two axes of heads, rows, columns."""


def with_attention(graph: Graph, groups: Sequence[Group], places: Mapping[int, Place]) -> list[Group]:
    """The groups with three of them as one where they are attention."""
    finder = _Finder(graph, groups, places)
    return joined(groups, [parts for group in groups if (parts := finder.parts(group))], "attention")


class _Finder(Readers):
    """Looks at groups and at who reads their values."""

    def parts(self, mixed: Group) -> tuple[Group, Group, Group] | None:
        """The three groups whose last one this is; None if they are not attention."""
        if not _is_product(mixed) or mixed.anchor is not mixed.root or not 2 <= mixed.root.rank <= _MOST_AXES:
            return None
        if mixed.place is None or mixed.place.strides[-1] != 1:
            return None
        shares = self.by_root.get(mixed.root.args[0].id)
        if shares is None or not self._makes_rows(shares, mixed):
            return None
        read = [self.by_root[v.id] for v in self._stored_arguments(shares) if v.id in self.by_root]
        scores = [g for g in read if _is_product(g) and self._is_passed(g, shares)]
        return (scores[0], shares, mixed) if len(scores) == 1 else None

    def _makes_rows(self, group: Group, mixed: Group) -> bool:
        """Whether a loop nest reduces along the last axis of a tensor that this product alone reads."""
        root = group.root
        inside = [root, *(self.values[n] for n in group.inlined)]
        return (
            group.kind == "loops"
            and group.reduced == (root.rank - 1,)
            and root.dtype is dt.F32
            and _same_shape(root, mixed.root, root.rank - 1)
            and self.is_private(root)
            and self.uses[root.id] == [mixed.root]
            and not any(map(can_fail, inside))
        )

    def _is_passed(self, scores: Group, shares: Group) -> bool:
        """Whether scores are read by nothing but maps and reductions over rows, at their own place."""
        root = scores.root
        if not self.is_private(root) or not _same_shape(root, shares.root, root.rank):
            return False
        if any(can_fail(self.values[n]) for n in scores.inlined):
            return False
        inside = shares.inlined | {shares.root.id}
        seen, left = set[int](), [root]
        while left:
            value = left.pop()
            for user in self.uses.get(value.id, ()) if value is not shares.root else ():
                if user.id not in inside or user.kind not in ("map", "reduce") or user.rank != root.rank:
                    return False
                if user.id not in seen:
                    seen.add(user.id)
                    left.append(user)
        return True

    def _stored_arguments(self, group: Group) -> list[Value]:
        """What a group reads from memory."""
        found: dict[int, Value] = {}
        for value in [group.root, *(self.values[n] for n in group.inlined)]:
            for arg in value.args:
                if arg.id not in group.inlined:
                    found[arg.id] = arg
        return list(found.values())


def _is_product(group: Group) -> bool:
    """Whether it is a product of two computed matrices of floats, each with the batch axes of the result."""
    anchor = group.anchor
    if group.kind != "contract" or anchor is None or anchor.prim != "dot" or group.root.dtype is not dt.F32:
        return False
    a, b = anchor.args
    return anchor.dtype is dt.F32 and not b.is_numeric_const and a.dtype is b.dtype is dt.F32


def _same_shape(one: Value, other: Value, axes: int) -> bool:
    return one.rank == other.rank and one.shape[:axes] == other.shape[:axes]
