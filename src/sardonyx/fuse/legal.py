"""May these values share a kernel? Each answer is None or the reason why not."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.ir.place import Place
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.rows import is_row, picks_many
from sardonyx.ir.value import Shape, Value

_MANY_COLUMNS, _MANY_ROWS = 256, 128


def on_host(value: Value, native: frozenset[str]) -> bool:
    """Whether an operation runs in Python: an algorithm without native code, or element types without it."""
    if value.prim in ("input", "const", "result"):
        return False
    if value.kind in ("opaque", "control", "scan"):
        types = [
            *(a.dtype for a in value.args),
            *(dtype for dtype, _ in value.results or ((value.dtype, ()),)),
        ]
        fixed = [value.args[n] for n in PRIMS[value.prim].constant]
        able = all(t.is_native for t in types) and all(a.is_numeric_const for a in fixed)
        return value.prim not in native or not able
    return not value.dtype.is_native or any(not a.dtype.is_native for a in value.args)


def reads_rows(value: Value, number: int) -> bool:
    """Whether the kernel of an operation reads the last axis of an operand as vectors."""
    if number in PRIMS[value.prim].rows:
        return True
    return number == 0 and _picks_rows(value) and picks_many(value.size, value.args[0].size)


def reads_dense(value: Value, number: int) -> bool:
    """Whether an operation wants an operand in row-major order without gaps."""
    return PRIMS[value.prim].dense and number >= PRIMS[value.prim].first_dense


def scatters_rows(product: Value, place: Place | None) -> bool:
    """Whether a product with one matrix would take few rows of `place` at a time: the others lie apart.

    How many is not known. A copy of rows costs little beside the product with as many columns as here.
    """
    if place is None or place.strides[-1] != 1:
        return False
    (*lead, _), (*batch, _, columns) = product.args[0].shape, product.args[1].shape
    if any(n != 1 for n in batch) or (isinstance(columns, int) and columns < _MANY_COLUMNS):
        return False
    runs: list[tuple[Dim, Dim]] = []
    for size, stride in zip(lead, place.strides, strict=False):
        if size == 1:
            continue
        if runs and runs[-1][1] == dims.product((size, stride)):
            size = dims.product((runs.pop()[0], size))
        runs.append((size, stride))
    known = [size for size, _ in runs if isinstance(size, int)]
    return len(runs) > max(1, len(known)) and max(known, default=0) < _MANY_ROWS


def _picks_rows(value: Value) -> bool:
    """Whether it is made of rows of its first operand, each a vector or longer, at places that are data."""
    return value.prim == "gather_nd" and value.rank >= value.args[1].rank and is_row(value.shape[-1])


def can_fail(value: Value) -> bool:
    """Whether computing it may meet bad data, which an epilogue cannot report."""
    return value.kind == "index" or (value.prim in ("div", "mod", "fmod") and not value.dtype.is_float)


def aligned_map(user: Value, arg: Value) -> bool:
    """Whether `user` reads `arg` at its own position (broadcast axes apart)."""
    return user.kind in ("map", "reduce") and user.rank == arg.rank


def drops_reduced(user: Value, arg: Value) -> bool:
    """Whether `user` is the result of a reduction without the axes that it reduced, and nothing else."""
    return user.prim == "reshape" and arg.kind == "reduce" and user.shape == _left(arg)


def _left(reduction: Value) -> Shape:
    """Its shape without the axes that it reduced."""
    axes = reduced_axes(reduction)
    return tuple([n for axis, n in enumerate(reduction.shape) if axis not in axes])


def reduced_axes(value: Value) -> tuple[int, ...]:
    """The axes over which a reduction goes."""
    axes: tuple[int, ...] = value.attrs.get("axes", (value.attrs.get("axis"),))
    return axes


def may_anchor(anchor: Value, owner: Value, *, aligned: bool) -> str | None:
    """The reason why `owner`'s map tree cannot run as the epilogue of `anchor`."""
    if owner.kind != "map":
        return f"its reader {owner.prim} is not elementwise"
    if not aligned:
        return "its reader looks at it through a view"
    if anchor.shape != owner.shape:
        return "its reader has another shape"
    return None


def why_not_reduce(value: Value, owner: Value, *, aligned: bool) -> str | None:
    """The reason why a reduction cannot live in the kernel of its reader."""
    if owner.kind not in ("map", "reduce"):
        return f"its reader {owner.prim} is not elementwise"
    if not aligned:
        return "its reader looks at it through a view"
    axes = reduced_axes(value)
    if owner.kind == "reduce" and reduced_axes(owner) != axes:
        return "its reader reduces over other axes"
    source = value.args[0].shape
    for axis, (size, result) in enumerate(zip(value.shape, owner.shape, strict=True)):
        if axis in axes:
            if result not in (1, source[axis]):
                return "its reader repeats it over another size"
        elif size != result:
            return "its reader repeats it over other axes"
    return None


def why_not_dropped(value: Value, owner: Value) -> str | None:
    """The same, for a reduction that its reader sees without the reduced axes: each result is read once."""
    if owner.kind != "map":
        return f"its reader {owner.prim} is not elementwise"
    if owner.shape != _left(value):
        return "its reader repeats it over other axes"
    return None


def why_not_turned(value: Value, owner: Value) -> str | None:
    """The reason why what is gathered should not be computed inside a copy that turns it.

    Squares are turned in registers, but not where data tells which elements are side by side.
    """
    turned = owner
    while turned.prim in ("reshape", "slice"):
        turned = turned.args[0]
    if value.kind != "map" or turned.prim != "transpose" or turned.args[0] is not value:
        return None
    last = turned.attrs["perm"][-1]
    picked = last != value.rank - 1 and _gathers(value, last)
    return "its reader turns the axis along which it is gathered" if picked else None


def _gathers(value: Value, axis: int) -> bool:
    """Whether an elementwise expression gathers along an axis."""
    seen = {value.id: value}
    for part in (rest := [value]):
        if part.prim == "gather" and part.attrs["axis"] == axis:
            return True
        if _picks_rows(part) and part.attrs["batch_dims"] <= axis < part.args[1].rank - 1:
            return True
        new = {a.id: a for a in part.args if part.kind == "map" and a.rank == value.rank}
        rest += [a for a in new.values() if a.id not in seen]
        seen |= new
    return False
