"""Joins scores, what makes shares of them, and the product of shares and values: nothing between is stored.

Recognises groups by what they read and write, in whatever form a model was exported: any scaling, mask or
bias that a row of scores allows. Must not know loops or kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base import dim as dims
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
        given = mixed.root.args[0]
        if given.prim == "reshape" and given.id not in self.by_root:
            given = given.args[0]
        shares = self.by_root.get(given.id)
        if shares is None or not self._makes_rows(shares, mixed):
            return None
        read = [self.by_root[v.id] for v in self._stored_arguments(shares) if v.id in self.by_root]
        scores = [g for g in read if _is_product(g) and self._is_passed(g, shares)]
        if len(scores) != 1 or not _same_shape(scores[0].root, mixed.root, mixed.root.rank - 1):
            return None
        return scores[0], shares, mixed

    def _makes_rows(self, group: Group, mixed: Group) -> bool:
        """Whether a loop nest reduces along the last axis of a tensor that this product alone reads."""
        root = group.root
        inside = [root, *(self.values[n] for n in group.inlined)]
        return (
            group.kind == "loops"
            and group.reduced == (root.rank - 1,)
            and root.dtype is dt.F32
            and (_same_shape(root, mixed.root, root.rank - 1) or _same_rows(root, mixed.root.args[0]))
            and self.is_private(root)
            and self._is_read_by(root, mixed.root)
            and not any(map(can_fail, inside))
        )

    def _is_read_by(self, value: Value, reader: Value) -> bool:
        """Whether nothing else reads a value, or its one other shape."""
        users = self.uses[value.id]
        if len(users) == 1 and users[0] is reader.args[0] and users[0].prim == "reshape":
            users = self.uses[users[0].id]
        return users == [reader]

    def _is_passed(self, scores: Group, shares: Group) -> bool:
        """Whether scores are read by nothing but maps and reductions over rows, at their own place."""
        root = scores.root
        if not self.is_private(root) or not self._reads_rows(scores, shares):
            return False
        if any(can_fail(self.values[n]) for n in scores.inlined):
            return False
        inside = shares.inlined | {shares.root.id}
        seen, left = set[int](), [scores_as_read(scores, shares)]
        while left:
            value = left.pop()
            for user in self.uses.get(value.id, ()) if value is not shares.root else ():
                if user.id not in inside or user.kind not in ("map", "reduce") or user.rank != root.rank:
                    return False
                if user.id not in seen:
                    seen.add(user.id)
                    left.append(user)
        return True

    def _reads_rows(self, scores: Group, shares: Group) -> bool:
        """Whether rows of scores are those of shares, or are so in the one shape in which they are read."""
        root, read = scores.root, scores_as_read(scores, shares)
        if read is root:
            return _same_shape(root, shares.root, root.rank)
        alone = self.uses[root.id] == [read] and scores.anchor is root
        return alone and _same_rows(root, read) and _same_shape(read, shares.root, root.rank)

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


def scores_as_read(scores: Group, shares: Group) -> Value:
    """What shares are made of: scores, or these with the rows of several queries apart that share a head."""
    seen, left = set[int](), [shares.root]
    while left:
        value = left.pop()
        if value.prim == "reshape" and value.args[0] is scores.root:
            return value
        for arg in value.args:
            if arg.id not in seen and arg.id in shares.inlined:
                seen.add(arg.id)
                left.append(arg)
    return scores.root


def _same_rows(one: Value, other: Value) -> bool:
    """Whether two shapes hold the same rows, those of some heads one behind the other in one of them."""
    if one.rank != other.rank or one.rank < 3 or one.shape[:-3] != other.shape[:-3]:
        return False
    rows, others = (dims.product(value.shape[-3:-1]) for value in (one, other))
    return rows == others and one.shape[-1] == other.shape[-1]


def _same_shape(one: Value, other: Value, axes: int) -> bool:
    return one.rank == other.rank and one.shape[:axes] == other.shape[:axes]
