"""ONNX's inference of shapes and change of versions, kept away from nodes on which they end the process.

As of onnx 1.23 some operators read the type of their input though there may be none, which is a null pointer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from onnx import shape_inference, version_converter

_STANDARD, _HIDDEN = "ai.onnx", ".of_unknown_inputs"
_TRUSTING = {
    **dict.fromkeys(("DictVectorizer", "LabelEncoder", "TreeEnsemble"), "ai.onnx.ml"),
    **dict.fromkeys(("EyeLike", "RegexFullMatch"), ""),
}


def inferred(model: onnx.ModelProto, **options: Any) -> onnx.ModelProto:
    """The model with all types and shapes that ONNX can infer; the options are those of `infer_shapes`."""
    if not any(_trusting(model)):
        return shape_inference.infer_shapes(model, **options)
    found = _hidden(model)
    while True:
        found = shape_inference.infer_shapes(found, **options)
        known = _typed(found)
        ready = [node for node in _nodes(found) if _is_hidden(node) and known.issuperset(node.input)]
        for node in ready:
            node.domain = node.domain.removesuffix(_HIDDEN)
        if not ready:
            return _shown(found)


def at_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model at another opset of ai.onnx; raises what ONNX's version converter raises."""
    if not any(_trusting(model)):
        return version_converter.convert_version(model, opset)
    return _shown(version_converter.convert_version(_hidden(model), opset))


def _trusting(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    return (
        node for node in _nodes(model) if _TRUSTING.get(node.op_type) == node.domain.removesuffix(_STANDARD)
    )


def _hidden(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which such nodes are of a domain that ONNX does not know."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for domain in sorted(set(_TRUSTING.values())):
        copy.opset_import.add(domain=domain + _HIDDEN, version=1)
    for node in [*_trusting(copy)]:
        node.domain = _TRUSTING[node.op_type] + _HIDDEN
    return copy


def _is_hidden(node: onnx.NodeProto) -> bool:
    return str(node.domain).endswith(_HIDDEN)


def _shown(model: onnx.ModelProto) -> onnx.ModelProto:
    for node in _nodes(model):
        node.domain = node.domain.removesuffix(_HIDDEN)
    kept = [row for row in model.opset_import if not row.domain.endswith(_HIDDEN)]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _graphs(body)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _typed(model: onnx.ModelProto) -> set[str]:
    """Names that have a type in all graphs that know them."""
    typed: set[str] = set()
    untyped: set[str] = set()
    for graph in _graphs(model.graph):
        typed |= {tensor.name for tensor in graph.initializer}
        for value in (*graph.input, *graph.output, *graph.value_info):
            (typed if value.type.WhichOneof("value") else untyped).add(value.name)
    return typed - untyped
