"""Groups one behind the other that become one, and who else reads what they give.

Must not know which groups do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base.dataclass import replace
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Group, GroupKind
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value


class Readers:
    """Groups by what they give, and who reads it."""

    def __init__(self, graph: Graph, groups: Sequence[Group], places: Mapping[int, Place]) -> None:
        self.places = places
        self.uses = graph.uses()
        self.values = {value.id: value for value in graph.order()}
        self.by_root = {group.root.id: group for group in groups}
        outputs = (value for _, value in graph.outputs)
        self.read = {value.id for value in (*outputs, *(size.value for size in graph.data_sizes.values()))}

    def is_private(self, value: Value) -> bool:
        """Whether its memory is nobody else's; that of a body's output may be an arena too."""
        place = self.places.get(value.id)
        own = place is not None and place.storage.kind == "arena" and place.offset == 0
        return own and place is not None and place.storage.size == value.size and value.id not in self.read

    def is_read_within(self, value: Value, group: Group) -> bool:
        """Whether one group alone reads a value: others may compute for themselves what is made of it."""
        inside, seen, left = group.inlined | {group.root.id}, set[int](), [value]
        while left:
            for user in self.uses.get(left.pop().id, ()):
                if user.id not in inside:
                    return False
                if user is not group.root and user.id not in seen:
                    seen.add(user.id)
                    left.append(user)
        return True


def joined(groups: Sequence[Group], chains: Sequence[tuple[Group, ...]], kind: GroupKind) -> list[Group]:
    """The groups with each chain as one of this kind, of all their parts, in the place of its last."""
    by_last = {
        chain[-1]: tuple(part for group in chain for part in group.parts or (group,)) for chain in chains
    }
    gone = {group for chain in chains for group in chain[:-1]}
    return [
        replace(group, kind=kind, parts=by_last[group]) if group in by_last else group
        for group in groups
        if group not in gone
    ]
