"""Control primitives: `if`, `loop` and `scan` run graphs held in their attributes over captured values.

`native_if`, `native_loop` and `native_scan` are the same over graphs that become native code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.base.dtype import DType
from sardonyx.ir.graph import Graph
from sardonyx.ir.prims import register
from sardonyx.ir.run import run

Array = np.ndarray[Any, Any]
Stacked = Sequence[tuple[DType, Sequence[int]]]


def choose(
    condition: Array,
    *captures: Any,
    then: Graph,
    otherwise: Graph,
    names: Sequence[str],
    sizes: Sequence[int],
    split: int,
    choice: int | None = None,
) -> tuple[Any, ...]:
    """The results of `then` over the first `split` captures if the condition holds, else of `otherwise`.

    `choice` is the condition as sizes of results speak of it.
    """
    outer = dict(zip(names, sizes, strict=True))
    if np.all(condition):
        return tuple(run(then, captures[:split], outer))
    return tuple(run(otherwise, captures[split:], outer))


def _stack(parts: Sequence[Array], row: tuple[DType, Sequence[int]]) -> Array:
    dtype, shape = row
    if parts:
        return np.stack([np.asarray(p) for p in parts])
    return np.zeros((0, *(max(n, 0) for n in shape)), dtype=dtype.numpy)


def loop(
    *args: Any,
    body: Graph,
    names: Sequence[str],
    sizes: Sequence[int],
    limited: bool,
    conditional: bool,
    carried: int,
    stacked: Stacked,
) -> tuple[Any, ...]:
    """Repeat `body` (iteration, condition, carried..., captured...) -> (condition, carried..., stacked...).

    Arguments: the trip count if `limited`, the first condition if `conditional`, carried, captured values.
    Results: the last carried values, then the stacked results of all iterations.
    """
    rest = list(args)
    trips = int(np.asarray(rest.pop(0)).reshape(())) if limited else None
    going = bool(np.asarray(rest.pop(0)).reshape(())) if conditional else True
    state, captures = rest[:carried], rest[carried:]
    rows: list[list[Array]] = [[] for _ in stacked]
    outer = dict(zip(names, sizes, strict=True))
    number = 0
    while going and (trips is None or number < trips):
        results = run(body, [np.int64(number), np.bool_(going), *state, *captures], outer)
        going, state = bool(np.all(results[0])), results[1 : carried + 1]
        for row, part in zip(rows, results[carried + 1 :], strict=True):
            row.append(part)
        number += 1
    return (*state, *(_stack(parts, row) for parts, row in zip(rows, stacked, strict=True)))


def scan(
    *args: Any,
    body: Graph,
    names: Sequence[str],
    sizes: Sequence[int],
    carried: int,
    scanned: int,
    stacked: Stacked,
) -> tuple[Any, ...]:
    """Run `body` (carried..., slices..., captured...) -> (carried..., stacked...) along axis 0."""
    state, arrays, captures = (
        list(args[:carried]),
        args[carried : carried + scanned],
        args[carried + scanned :],
    )
    rows: list[list[Array]] = [[] for _ in stacked]
    outer: Mapping[str, int] = dict(zip(names, sizes, strict=True))
    (length,) = {len(array) for array in arrays}
    for number in range(length):
        results = run(body, [*state, *(a[number, ...] for a in arrays), *captures], outer)
        state = results[:carried]
        for row, part in zip(rows, results[carried:], strict=True):
            row.append(part)
    return (*state, *(_stack(parts, row) for parts, row in zip(rows, stacked, strict=True)))


register("if", "control", choose)
register("loop", "control", loop)
register("scan", "control", scan)
register("native_if", "control", choose, dense=True)
register("native_loop", "control", loop, dense=True)
register("native_scan", "control", scan, dense=True)
