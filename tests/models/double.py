"""The float64 reference of a model: its graph in numpy with every real number in double precision.

Integers stay integers, so quantised parts decide as exact arithmetic would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.frontend import specialise
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make
from sardonyx.passes.integer_products import integer_products
from sardonyx.targets import detect

Array = np.ndarray[Any, Any]


def in_double_precision(model: str | bytes, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs of a float32 model for a feed, computed in float64."""
    loaded, _ = specialise(model, feeds)
    graph = doubled(integer_products(loaded.graph, Goal(detect())))
    return run(graph, [feeds[info.name] for info in loaded.inputs])


def doubled(graph: Graph) -> Graph:
    """The graph with every float32 value as float64, those in the bodies of control flow too."""
    return graph.map(_double)


def _double(value: Value, args: tuple[Value, ...]) -> Value:
    if value.data is not None:
        return const(value.data.astype(np.float64)) if value.dtype is dt.F32 else value
    if value.prim == "cast" and value.dtype is dt.F32:
        return args[0].cast(dt.F64)
    args = tuple(arg.cast(dt.F64) if arg.dtype is dt.F32 else arg for arg in args)
    attrs = {name: _attribute(given) for name, given in value.attrs.items()}
    results = tuple((_wide(dtype), shape) for dtype, shape in value.results)
    return make(value.prim, args, attrs, _wide(value.dtype), value.shape, results)


def _attribute(given: Any) -> Any:
    if isinstance(given, Graph):
        return doubled(given)
    return _wide(given) if isinstance(given, DType) else given


def _wide(dtype: DType) -> DType:
    return dt.F64 if dtype is dt.F32 else dtype
