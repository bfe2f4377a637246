"""Runs a graph with numpy: the meaning of every later stage, exact and slow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import RunError
from sardonyx.ir.graph import Graph
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value

Array = np.ndarray[Any, Any]
Operation = Callable[[Sequence[Any], Mapping[str, int]], Any]
"""(arrays, sizes by symbol) -> result."""


def run(graph: Graph, feeds: Sequence[Any], outer: Mapping[str, int] | None = None) -> list[Any]:
    """Output arrays for input arrays, in graph order; `outer` binds sizes that no input gives.

    An array lives until its last use.

    Raises RunError, naming the operation, if data is out of range or sizes contradict each other.
    """
    bindings: dict[str, int] = dict(outer or {})
    for name, (number, axis) in graph.symbols().items():
        bindings[name] = int(np.shape(feeds[number])[axis])
    _check(graph, bindings)
    known: dict[int, Any] = {v.id: feed for v, feed in zip(graph.inputs, feeds, strict=True)}
    sources: dict[int, list[str]] = {}
    for name, size in graph.data_sizes.items():
        sources.setdefault(size.value.id, []).append(name)
    order = graph.order()
    uses = Counter(v.id for _, v in graph.outputs)
    uses.update(a.id for value in order for a in value.args)
    for value in order:
        if value.id not in known:
            known[value.id] = evaluate(value, [known[a.id] for a in value.args], bindings)
        for name in sources.get(value.id, ()):
            size = graph.data_sizes[name]
            result = known[value.id]
            bindings[name] = (
                int(np.asarray(result).reshape(-1)[size.index])
                if size.result is None
                else int(np.shape(result[size.result])[size.index])
            )
        for arg in value.args:
            uses[arg.id] -= 1
            if not uses[arg.id]:
                del known[arg.id]
    _check(graph, bindings)
    return [known[v.id] for _, v in graph.outputs]


def _check(graph: Graph, sizes: Mapping[str, int]) -> None:
    """Raise RunError if known sizes contradict each other."""
    for obligation in graph.obligations:
        if not obligation.holds(sizes):
            raise RunError(obligation.message)


def evaluate(value: Value, args: Sequence[Any], bindings: Mapping[str, int]) -> Any:
    """One value from the arrays of its arguments."""
    if value.data is not None:
        return materialise(value, bindings)
    return prepared(value)(args, bindings)


def prepared(value: Value) -> Operation:
    """The operation of a value, all done but what depends on its arguments and sizes."""
    run, dtype = PRIMS[value.prim].run, value.dtype
    wide = value.kind in ("map", "reduce", "scan", "contract") and value.prim not in ("cast", "bitcast")
    try:
        fixed = bind(value.attrs, {})
    except KeyError:
        fixed = None

    quiet = value.kind in ("opaque", "index") and not dtype.is_float and not value.results
    typed = _as_it_is if dtype is dt.OBJECT else _typed(dtype.numpy)

    def operation(args: Sequence[Any], bindings: Mapping[str, int]) -> Any:
        attrs = bind(value.attrs, bindings) if fixed is None else fixed
        try:
            if quiet:
                return typed(run(args, attrs))
            with np.errstate(all="ignore"):
                return typed(run([_widen(a) for a in args] if wide else args, attrs))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise RunError(f"{', '.join(value.origins) or repr(value)}: {error}") from error

    return operation


def _as_it_is(result: Any) -> Any:
    return result


def _typed(dtype: np.dtype[Any]) -> Callable[[Any], Array]:
    """What makes a result an array of a type."""

    def typed(result: Any) -> Array:
        array = np.asarray(result)
        return array if array.dtype == dtype else array.astype(dtype)

    return typed


def materialise(value: Value, bindings: Mapping[str, int]) -> Array:
    """The content of a constant, symbolic sizes evaluated."""
    assert value.data is not None
    if value.is_numeric_const:
        return value.data
    flat = [dims.evaluate(n, bindings) for n in value.data.flat]
    return np.array(flat, dtype=value.dtype.numpy).reshape(value.data.shape)


def bind(data: Any, bindings: Mapping[str, int]) -> Any:
    """Attributes with every size evaluated."""
    if isinstance(data, dims.Expr):
        return dims.evaluate(data, bindings)
    if isinstance(data, dict):
        return {k: bind(v, bindings) for k, v in data.items()}
    if isinstance(data, tuple | list):
        return tuple(bind(v, bindings) for v in data)
    return data


def _widen(x: Any) -> Any:
    if isinstance(x, np.ndarray) and x.dtype.kind not in "OUS" and x.dtype.itemsize <= 2:
        known = dt.by_numpy(x.dtype)
        return x.astype(np.float32) if known.compute == "f32" else x
    return x
