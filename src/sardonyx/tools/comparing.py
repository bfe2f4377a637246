"""What changed between two model files: facts, signature, operators, nodes, weights, results on one sample.

Decides what counts as the same: a node by its name, else by its first output; a weight by its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sardonyx.base.explanation import count
from sardonyx.base.unfolded import unfolded
from sardonyx.errors import LoadError
from sardonyx.frontend.names import readable
from sardonyx.frontend.summary import Summary, summarize, why_unread
from sardonyx.tools.console import shape_text

Array = np.ndarray[Any, Any]
Difference = dict[str, Any]


def compared(first: Path, second: Path) -> Difference:
    """Everything that can be read off the two files; LoadError if one is not a model."""
    summaries = summarize(first), summarize(second)
    models = _opened(first), _opened(second)
    return {
        "facts": _facts(*summaries),
        "inputs": _arguments(summaries[0].inputs, summaries[1].inputs),
        "outputs": _arguments(summaries[0].outputs, summaries[1].outputs),
        "operators": _operators(summaries[0].operators, summaries[1].operators),
        "nodes": _nodes(models[0].graph, models[1].graph),
        "weights": _weights(models[0].graph, models[1].graph),
    }


def _opened(path: Path) -> onnx.ModelProto:
    try:
        return readable(onnx.load(path))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise LoadError(f"{path} cannot be read with its weights: {why_unread(path, error)}") from error


def is_same(found: Difference) -> bool:
    """Whether nothing differs, the results on the sample included."""
    return not any(rows for name, rows in found.items() if name != "results") and not any(
        row["differs"] for row in found.get("results", ())
    )


def _facts(first: Summary, second: Summary) -> dict[str, list[Any]]:
    def told(summary: Summary) -> dict[str, Any]:
        opsets = {f"opset of {domain}": version for domain, version in summary.opsets.items()}
        return {"producer": summary.producer, "IR version": summary.ir_version, **opsets}

    return _changed(told(first), told(second))


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What is not the same on both sides, with both; None where it is missing."""
    return {
        name: [first.get(name), second.get(name)]
        for name in dict.fromkeys((*first, *second))
        if first.get(name) != second.get(name)
    }


def _arguments(first: Sequence[Any], second: Sequence[Any]) -> dict[str, list[Any]]:
    def told(infos: Sequence[Any]) -> dict[str, str]:
        return {info.name: f"{info.type} {shape_text(info.shape)}" for info in infos}

    return _changed(told(first), told(second))


def _operators(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, list[Any]]:
    return _changed(Counter(first), Counter(second))


def _nodes(first: onnx.GraphProto, second: onnx.GraphProto) -> dict[str, list[Any]]:
    """Nodes that only one has, or that have other operators, inputs or attributes."""

    def told(graph: onnx.GraphProto) -> dict[str, str]:
        return {node.name or node.output[0]: _words(node) for node in graph.node}

    return _changed(told(first), told(second))


def _words(node: onnx.NodeProto) -> str:
    parts = []
    for attribute in sorted(node.attribute, key=lambda row: row.name):
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = _weight(value)[0]
        elif isinstance(value, onnx.GraphProto):
            value = f"a graph of {count(len(value.node), 'node')}"
        elif isinstance(value, bytes):
            value = value.decode(errors="replace")
        parts.append(f"{attribute.name}={value}")
    told = f"[{', '.join(parts)}]" if parts else ""
    return f"{node.op_type}{told}({', '.join(node.input)})"


def _weights(first: onnx.GraphProto, second: onnx.GraphProto) -> dict[str, list[Any]]:
    """Weights that only one has, of other types or shapes, or with other content and how far apart it is."""
    here = {tensor.name: tensor for tensor in first.initializer}
    there = {tensor.name: tensor for tensor in second.initializer}
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys((*here, *there)):
        told = [_weight(side[name]) if name in side else None for side in (here, there)]
        before, after = told
        if before is None or after is None or before[0] != after[0]:
            found[name] = [row and row[0] for row in told]
        elif not np.array_equal(before[1], after[1]):
            found[name] = [before[0], _apart(before[1], after[1])]
    return found


def _weight(tensor: onnx.TensorProto) -> tuple[str, Array]:
    array = onnx.numpy_helper.to_array(tensor)
    return f"{onnx.TensorProto.DataType.Name(tensor.data_type).lower()} {list(array.shape)}", array


def _apart(first: Array, second: Array) -> str:
    if first.dtype.kind in "OSU":
        return f"{int((first != second).sum())} of {first.size} texts differ"
    wide = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        distance = np.abs(wide[0] - wide[1])
    largest = float(np.nanmax(distance, initial=0))
    scale = float(np.nanmax(np.abs(wide[0]), initial=0)) or 1.0
    unlike = first != second
    unlike &= ~(np.isnan(wide[0]) & np.isnan(wide[1]))
    return f"{int(unlike.sum())} of {first.size} differ, by {largest / scale:.1e} of the largest at most"


def answers_compared(
    names: Sequence[Sequence[str]], answers: Sequence[Sequence[Any]], tolerance: float
) -> list[Difference]:
    """How the results differ, output by output of those that both have."""
    sides = [dict(zip(known, values, strict=True)) for known, values in zip(names, answers, strict=True)]
    rows = []
    for name in dict.fromkeys((*sides[0], *sides[1])):
        if name not in sides[0] or name not in sides[1]:
            rows.append({"output": name, "differs": True, "how": "only one has it"})
        else:
            how, differs = _unlike(sides[0][name], sides[1][name], tolerance)
            rows.append({"output": name, "differs": differs, "how": how})
    return rows


def _unlike(first: Any, second: Any, tolerance: float) -> tuple[str, bool]:
    sides = unfolded([first]), unfolded([second])
    if len(sides[0]) != len(sides[1]):
        return f"{len(sides[0])} and {len(sides[1])} tensors", True
    found = [_arrays_unlike(one, other, tolerance) for one, other in zip(*sides, strict=True)]
    return max(found, key=lambda row: (row[1], row[0] != "equal"), default=("equal", False))


def _arrays_unlike(first: Array, second: Array, tolerance: float) -> tuple[str, bool]:
    if first.shape != second.shape or (first.dtype.kind in "OSU") != (second.dtype.kind in "OSU"):
        return f"{first.dtype} {list(first.shape)} and {second.dtype} {list(second.shape)}", True
    if np.array_equal(first, second, equal_nan=first.dtype.kind in "fc" and second.dtype.kind in "fc"):
        return "equal", False
    said = _apart(first, second)
    return said, first.dtype.kind in "OSUb" or _relative(first, second) > tolerance


def _relative(first: Array, second: Array) -> float:
    before, after = first.astype(np.float64), second.astype(np.float64)
    if not np.array_equal(np.isnan(before), np.isnan(after)):
        return float("inf")
    scale = float(np.nanmax(np.abs(before), initial=0)) or 1.0
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(np.abs(before - after), initial=0)) / scale
