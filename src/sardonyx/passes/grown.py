"""Values that grow, as by a resize: plain ones are made of the few lines or pixels before, in plain layout.

To leave blocks takes a turn of every element, and few elements are there before they become many. Must not
know how values are blocked.
"""

from __future__ import annotations

from sardonyx.base.assumed import assumed
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value

_LINES, _PIXELS = 2, 3


def grown(graph: Graph) -> frozenset[int]:
    """The ids of values [N, C, H, W] that are gathered from fewer lines or pixels, or made of such alone.

    Each is read once, or is an output: whoever asks for it in plain layout is the only one who asks.
    """
    if "gather" not in graph.primitives:
        return frozenset()
    readers = {v: len(users) for v, users in graph.uses().items()}
    for _, value in graph.outputs:
        readers[value.id] = readers.get(value.id, 0) + 1
    found: set[int] = set()
    for value in graph.order():
        if value.rank == 4 and readers.get(value.id) == 1 and _is_grown(value, found):
            found.add(value.id)
    return frozenset(found)


def _is_grown(value: Value, found: set[int]) -> bool:
    if value.prim == "gather":
        axis = value.attrs["axis"]
        (before, after) = (assumed(v.shape[axis]) for v in (value.args[0], value))
        return axis in (_LINES, _PIXELS) and value.args[0].rank == 4 and after > before
    if value.kind != "map":
        return False
    large = [a for a in value.args if not (a.is_const or a.rank == 0 or a.shape[1] == 1)]
    return bool(large) and all(a.id in found for a in large)
