"""What is computed for every row of a larger value though it is the same for all. Must not know loops."""

from __future__ import annotations

from collections.abc import Iterable

from sardonyx.base import dim as dims
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value

_MANY_ROWS = 8
_COSTLY = 3.0
"""Instructions for a vector that are worth storing what they compute."""


def repeats(reader: Value, number: int) -> bool:
    """Whether many rows of `reader` read the same row of this operand."""
    arg = reader.args[number]
    if reader.prim == "gather":
        axis: int = reader.attrs["axis"]
        if number != 1 or axis != reader.args[0].rank - 1:
            return False
        rows = dims.product(reader.shape[:axis])
    elif reader.kind == "map" or reader.prim == "broadcast":
        if arg.rank == 0 or arg.shape[-1] == 1:
            return False
        rows = dims.product(m for n, m in zip(arg.shape, reader.shape, strict=True) if n == 1)
    else:
        return False
    return not isinstance(rows, int) or rows >= _MANY_ROWS


def is_costly(value: Value, owners: Iterable[Value] = ()) -> bool:
    """Whether computing a row of it, from what is no map, takes much longer than reading it.

    What rests on a reduction of as many elements as an owner has stays with both: they are one kernel.
    """
    shapes = [owner.shape for owner in owners]
    seen: set[int] = set()
    stack, total = [value], 0.0
    while stack:
        part = stack.pop()
        if part.kind == "reduce" and part.args[0].shape in shapes:
            return False
        if part.id not in seen and part.kind in ("map", "view") and part.size != 1:
            seen.add(part.id)
            total += PRIMS[part.prim].instructions(part.dtype) if part.kind == "map" else 0.0
            stack.extend(part.args)
    return total >= _COSTLY
