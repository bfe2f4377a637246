"""Sizes that depend on data: symbols bound at run time from what has been computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Shape, Value, make


@dataclass(frozen=True, slots=True)
class DataSize:
    """Where the value of a data-dependent symbol comes from once `value` has been computed.

    `result` None: element `index` of the content of `value`. Otherwise `value` is a many-result operator
    and the symbol is the extent of axis `index` of that result.
    """

    value: Value
    index: int
    result: int | None = None


_ids = itertools.count()
_data_sizes: list[dict[str, DataSize]] = []


@contextmanager
def collect_data_sizes() -> Iterator[dict[str, DataSize]]:
    """The data-dependent symbols that values built inside the block introduce, by name."""
    found: dict[str, DataSize] = {}
    _data_sizes.append(found)
    try:
        yield found
    finally:
        _data_sizes.pop()


def source_of(name: str) -> DataSize | None:
    """Where a data-dependent symbol comes from; None for other symbols."""
    return next((found[name] for found in reversed(_data_sizes) if name in found), None)


def decided_by_feeds(dim: Dim) -> bool:
    """Whether sizes of feeds decide `dim`, so that an assumption about it is checked before a run.

    What is assumed inside a body, or of sizes that are computed, is not.
    """
    return len(_data_sizes) < 2 and all(source_of(name) is None for name in dims.symbols(dim))


def content(value: Value, low: int | None = 0) -> Shape:
    """The elements of an integer tensor of known size as sizes.

    Known or symbolic content is returned as it is; otherwise each element becomes a symbol that is bound at
    run time once `value` has been computed. Raises ShapeError if the number of elements is not known.
    """
    if value.data is not None:
        return tuple(n if isinstance(n, dims.Expr) else int(n) for n in value.data.flat)
    size = value.size
    if not isinstance(size, int):
        raise ShapeError(f"{value!r}: a tensor that gives sizes must have a known number of elements")
    symbols = []
    for index in range(size):
        name = f"c%{value.id}_{index}"
        _data_sizes[-1][name] = DataSize(value, index)
        symbols.append(dims.symbol(name, low))
    return tuple(symbols)


def data_sized(
    prim: str,
    args: Sequence[Value],
    attrs: dict[str, Any],
    results: Sequence[tuple[DType, Sequence[Dim | None]]],
) -> tuple[Value, ...]:
    """Like `many`, for results whose sizes depend on data: each None becomes a symbol bound afterwards."""
    key = f"{prim}%{next(_ids)}"
    names = [
        [(f"{key}_{r}_{a}" if n is None else None) for a, n in enumerate(shape)]
        for r, (_, shape) in enumerate(results)
    ]
    shapes = [
        (
            dtype,
            tuple(dims.symbol(name) if n is None and name else n for n, name in zip(shape, row, strict=True)),
        )
        for (dtype, shape), row in zip(results, names, strict=True)
    ]
    node = make(
        prim,
        tuple(args),
        attrs,
        dt.OBJECT,
        (),
        tuple((d, tuple(n for n in s if n is not None)) for d, s in shapes),
    )
    for r, row in enumerate(names):
        for axis, name in enumerate(row):
            if name:
                _data_sizes[-1][name] = DataSize(node, axis, r)
    return tuple(node.result(i) for i in range(len(results)))
