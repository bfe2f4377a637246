"""A model file without its weights: small enough to send to a viewer of graphs.

Decides which tensors stay: those whose content decides a graph's shape are small. Must not know viewers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sardonyx.frontend.messages import AttributeProto, GraphProto, ModelProto, TensorProto

KEPT_BYTES = 1024


def skeleton(path: Path) -> bytes:
    """The model at `path`, serialised, with tensors of more than 1 KiB declared as kept elsewhere."""
    model = ModelProto.FromString(path.read_bytes())
    graphs = [model.graph]
    for function in model.functions:
        graphs.extend(_bodies(function.node))
    while graphs:
        graph = graphs.pop()
        graphs.extend(_bodies(graph.node))
        for tensor in (*graph.initializer, *_constants(graph.node)):
            _strip(tensor)
    content: bytes = model.SerializeToString()
    return content


def _bodies(nodes: object) -> Iterator[GraphProto]:
    for node in nodes:  # type: ignore[attr-defined]
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield attribute.g
            yield from attribute.graphs


def _constants(nodes: object) -> Iterator[TensorProto]:
    for node in nodes:  # type: ignore[attr-defined]
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t


def _strip(tensor: TensorProto) -> None:
    if tensor.ByteSize() <= KEPT_BYTES or tensor.external_data:
        return
    name, kind, dims = tensor.name, tensor.data_type, list(tensor.dims)
    tensor.Clear()
    tensor.name, tensor.data_type = name, kind
    tensor.dims.extend(dims)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights"
