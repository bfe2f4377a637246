"""What an operator may learn from the content of its small integer operands: axes, sizes, amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import NeedsContent, ShapeError
from sardonyx.ir.data_size import content, source_of
from sardonyx.ir.fold import has_unknown_sizes
from sardonyx.ir.graph import symbols_of
from sardonyx.ir.meaning import NotFoldable
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value, dims_vector
from sardonyx.ops.demands import ranked, single

Array = np.ndarray[Any, Any]
_TRACE_LIMIT = 64
_SIZES_LIMIT = 1 << 16


def integers(value: Value, what: str) -> tuple[int, ...]:
    """The content of a vector, or of one number, that decides axes or ranks.

    Raises NeedsContent if it is not known, ShapeError if it has more axes.
    """
    ranked(value, what, 0, 1)
    known = [n for n in value.data.flat if not isinstance(n, dims.Expr)] if value.data is not None else []
    if value.data is None or len(known) != value.data.size:
        raise needs_content(value, what)
    return tuple(int(n) for n in known)


def integer(value: Value, what: str) -> int:
    """The one number of an operand. Raises NeedsContent if it is not known, ShapeError if it is not one."""
    return integers(single(value, what), what)[0]


def sizes(value: Value, what: str, low: int | None = 0) -> tuple[Dim, ...]:
    """The content of a vector as sizes, bound at run time where unknown.

    What is computed from unknown numbers by integer arithmetic becomes an expression of them. Raises
    NeedsContent if even the number of elements is unknown.
    """
    ranked(value, what, 1)
    if not value.dtype.is_int:
        raise ShapeError(f"{what} must be integers, not {value.dtype.onnx_name}")
    if value.data is None and not isinstance(value.size, int):
        raise needs_size(value.size, f"the length of {what}")
    if isinstance(value.size, int) and value.size > _SIZES_LIMIT:
        raise ValueError(f"{what} cannot have {value.size} elements")
    return tuple(_traced(value, low, {}).flat)


def _traced(value: Value, low: int | None, done: dict[int, Array]) -> Array:
    """The content as an object array of sizes."""
    if value.id not in done:
        found = None if value.data is not None else _computed(value, low, done)
        if found is None:
            found = np.empty(len(flat := content(value, low)), object)
            found[:] = flat
        done[value.id] = found.reshape(value.data.shape if value.data is not None else value.shape)
    return done[value.id]


def _computed(value: Value, low: int | None, done: dict[int, Array]) -> Array | None:
    row = PRIMS[value.prim]
    if not row.symbolic or not value.args or not all(_is_small_int(a) for a in value.args):
        return None
    if has_unknown_sizes(value.attrs):
        return None
    kept = low if row.kind in ("view", "index") else None
    try:
        return np.asarray(row.run([_traced(a, kept, done) for a in value.args], value.attrs), dtype=object)
    except (NotFoldable, ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _is_small_int(value: Value) -> bool:
    return value.dtype.is_int and isinstance(value.size, int) and value.size <= _TRACE_LIMIT


def size(value: Value, what: str, low: int | None = 0) -> Dim:
    """The content of an operand of one element as a size."""
    return sizes(single(value, what).reshape((1,)).cast(dt.I64), what, low)[0]


def needs_content(value: Value, what: str) -> NeedsContent:
    """The error that asks for the content of the inputs, and for the sizes, that `value` is computed from."""
    return _needs([value], set(), what, (value,))


def needs_size(size: Dim, what: str) -> NeedsContent:
    """The error that asks for the free sizes in `size`."""
    free = set(dims.symbols(size))
    sources = [source_of(name) for name in sorted(free)]
    wanted = tuple(s.value for s in sources if s is not None and s.result is None)
    return _needs([], free, f"{what} ({size})", wanted if len(wanted) == len(sources) else ())


def _needs(stack: list[Value], free: set[str], what: str, wanted: tuple[Value, ...]) -> NeedsContent:
    names: dict[str, None] = {}
    sizes: dict[str, None] = {}
    seen: set[int] = set()
    while stack or free:
        for name in sorted(free):
            source = source_of(name)
            if source is None:
                sizes[name] = None
            else:
                stack.append(source.value)
        free = set()
        if stack and (value := stack.pop()).id not in seen:
            seen.add(value.id)
            free = set(symbols_of(value)) - sizes.keys()
            if value.prim == "input":
                names[str(value.attrs["name"])] = None
            stack += value.args
    found = tuple((name, "", 0) for name in sizes)
    message = f"{what} must be known when the model is compiled"
    return NeedsContent(message, tuple(names), found, wanted=wanted)


def needs_unit(size: Dim, what: str) -> NeedsContent:
    """The error that asks whether a size is 1."""
    error = needs_size(size, what)
    if not error.inputs and len(error.sizes) == 1 and size == dims.symbol(error.sizes[0][0]):
        error.units, error.sizes = error.sizes, ()
    return error


Naming = Callable[[Value], Value | None]
"""Names a small tensor that decides a graph; its content if that is known, None if it cannot be asked for."""
_naming: list[Naming] = []


@contextmanager
def naming(name: Naming) -> Iterator[None]:
    """Inside the block, `units` names so what it asks for."""
    _naming.append(name)
    try:
        yield
    finally:
        _naming.pop()


def is_computed(size: Dim) -> bool:
    """Whether a size is known once something is computed, and not by what is fed alone."""
    return any(source_of(name) for name in dims.symbols(size))


def units(sizes: Sequence[Dim], what: str) -> tuple[bool, ...]:
    """Whether each size is 1. Raises NeedsContent where that is not known."""
    unknown = next((n for n in sizes if dims.equal(n, 1) is None), None)
    if unknown is None:
        return tuple(bool(dims.equal(n, 1)) for n in sizes)
    error = needs_unit(unknown, what)
    if _naming and is_computed(unknown):
        asked = _naming[-1](dims_vector(sizes).eq(1))
        if asked is not None and asked.is_numeric_const:
            assert asked.data is not None
            return tuple(asked.data.tolist())
        if asked is not None:
            raise NeedsContent(str(error), wanted=(asked,))
    raise error


def axes(value: Value | None, x: Value, rank: int | None = None) -> tuple[int, ...] | None:
    """The axes an operand names, made non-negative by `rank` (that of `x` by default); None if absent."""
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
