"""Half-precision graphs computed in single precision: values between operations are never rounded to 16 bits.

Weights are converted once; inputs and outputs keep their types.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, const, make

_NARROW = (dt.F16, dt.BF16)
_ARITHMETIC = frozenset({"map", "reduce", "scan", "contract", "view", "index"})


def widen(graph: Graph) -> Graph:
    """A graph with contractions in half precision, widened; a kernel without any computes so by itself."""
    found = any(v.dtype in _NARROW and v.kind == "contract" for v in graph.order())
    return widened(graph) if found else graph


def widened(graph: Graph) -> Graph:
    """Every arithmetic value of type float16 or bfloat16 as float32."""
    wide: dict[int, Value] = {}

    def change(value: Value, args: tuple[Value, ...]) -> Value:
        if not _widens(value):
            return _again(value, args)
        parts = tuple(wide.get(a.id) or _single(a) for a in args)
        if value.prim == "cast":
            single = parts[0].cast(dt.F32)
        else:
            attrs = {k: dt.F32 if v in _NARROW else v for k, v in value.attrs.items()}
            single = make(value.prim, parts, attrs, dt.F32, value.shape)
        single.origins = single.origins or value.origins
        narrow = single.cast(value.dtype)
        wide[narrow.id] = single
        return narrow

    def _again(value: Value, args: tuple[Value, ...]) -> Value:
        if value.prim == "cast" and args[0].id in wide:
            return wide[args[0].id].cast(value.dtype)
        if value.kind == "map" and value.dtype is dt.BOOL and any(a.dtype in _NARROW for a in args):
            args = tuple(wide.get(a.id) or _single(a) for a in args)
        return make(value.prim, args, value.attrs, value.dtype, value.shape, value.results) if args else value

    return graph.map(change)


def _widens(value: Value) -> bool:
    return value.dtype in _NARROW and value.kind in _ARITHMETIC and value.prim not in ("bitcast", "item")


def _single(value: Value) -> Value:
    if value.dtype not in _NARROW:
        return value
    if value.is_numeric_const and value.data is not None:
        return const(value.data.astype(dt.F32.numpy))
    return value.cast(dt.F32)
