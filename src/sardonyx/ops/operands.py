"""What an operator may learn from the content of its small integer operands: axes, sizes, amounts."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import NeedsContent
from sardonyx.ir.value import Value, content


def integers(value: Value, what: str) -> tuple[int, ...]:
    """The content of an operand that decides axes or ranks. Raises NeedsContent if it is not known."""
    known = [n for n in value.data.flat if not isinstance(n, dims.Expr)] if value.data is not None else []
    if value.data is None or len(known) != value.data.size:
        raise needs_content(value, what)
    return tuple(int(n) for n in known)


def sizes(value: Value, what: str, low: int | None = 0) -> tuple[Dim, ...]:
    """The content of an operand as sizes, bound at run time where unknown.

    Raises NeedsContent if even the number of elements is unknown.
    """
    if value.data is None and not isinstance(value.size, int):
        raise needs_content(value, what)
    return content(value, low)


def size(value: Value, what: str, low: int | None = 0) -> Dim:
    """The content of an operand of one element as a size."""
    found = sizes(value.cast(dt.I64), what, low)
    if len(found) != 1:
        raise ValueError(f"{what} must have one element, it has {len(found)}")
    return found[0]


def needs_content(value: Value, what: str) -> NeedsContent:
    """The error that asks for the content of the graph inputs `value` is computed from."""
    return NeedsContent(f"{what} must be known when the model is compiled", fed_names(value))


def fed_names(value: Value) -> tuple[str, ...]:
    """The names of the inputs that `value` depends on."""
    names: dict[str, None] = {}
    stack, seen = [value], {value.id}
    while stack:
        v = stack.pop()
        if v.prim == "input":
            names[str(v.attrs["name"])] = None
        for arg in v.args:
            if arg.id not in seen:
                seen.add(arg.id)
                stack.append(arg)
    return tuple(names)


def axes(value: Value | None, x: Value, rank: int | None = None) -> tuple[int, ...] | None:
    """The axes an operand names, made non-negative against `rank` (that of `x` by default); None if absent."""
    if value is None:
        return None
    return normal_axes(integers(value, "axes"), x.rank if rank is None else rank)


def normal_axes(given: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes made non-negative, sorted. Raises ValueError for axes out of range or named twice."""
    for axis in given:
        if not -rank <= axis < rank:
            raise ValueError(f"axis {axis} is out of range for rank {rank}")
    found = sorted(axis % rank for axis in given)
    if len(set(found)) != len(found):
        raise ValueError(f"axes {list(given)} name one axis twice")
    return tuple(found)
