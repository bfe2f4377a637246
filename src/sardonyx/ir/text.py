"""Prints a graph, one value a line, with names that stay stable between stages."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value


def text(graph: Graph) -> str:
    """`v7: f32[N,128] = max(v6, 0)  # Relu_3`, inputs first, outputs last."""
    names = {v.id: str(v.attrs["name"]) for v in graph.inputs}
    lines = [f"input {names[v.id]}: {signature(v)}" for v in graph.inputs]
    for value in graph.order():
        if value.id in names:
            continue
        if value.is_const and value.size == 1 and value.is_numeric_const:
            names[value.id] = _literal(value)
            continue
        names[value.id] = f"v{len(lines) - len(graph.inputs)}"
        lines.append(f"{names[value.id]}: {signature(value)} = {operation(value, names)}")
    for name, size in sorted(graph.data_sizes.items()):
        if size.value.id in names:
            at = f"[{size.index}]" if size.result is None else f".{size.result}.shape[{size.index}]"
            lines.append(f"size {name} = {names[size.value.id]}{at}")
    lines += [f"output {name}: {names[v.id]}" for name, v in graph.outputs]
    return "\n".join(lines) + "\n"


def signature(value: Value) -> str:
    """`f32[N,128]`."""
    if value.results:
        return "(" + ", ".join(f"{d}[{','.join(map(str, s))}]" for d, s in value.results) + ")"
    return f"{value.dtype}[{','.join(map(str, value.shape))}]"


def operation(value: Value, names: dict[int, str]) -> str:
    """`max(v6, 0)  # Relu_3`."""
    if value.data is not None:
        body = _content(value)
    else:
        parts = [names[a.id] for a in value.args]
        parts += [f"{k}={_attribute(v)}" for k, v in value.attrs.items()]
        body = f"{value.prim}({', '.join(parts)})"
    return body + (f"  # {', '.join(value.origins)}" if value.origins else "")


def _attribute(data: Any) -> str:
    if isinstance(data, tuple | list):
        return "[" + ",".join(map(_attribute, data)) + "]"
    return f"graph({len(data.order())} values)" if isinstance(data, Graph) else str(data)


def _literal(value: Value) -> str:
    assert value.data is not None
    item = value.data.reshape(-1)[0]
    return (
        repr(item)
        if isinstance(item, str)
        else f"{item:.9g}"
        if np.issubdtype(value.data.dtype, np.floating)
        else str(item)
    )


def _content(value: Value) -> str:
    assert value.data is not None
    if value.data.size <= 8:
        return "const [" + ", ".join(str(n) for n in value.data.flat) + "]"
    return f"const of {value.data.size} elements"
