"""Which other files a model keeps its tensors in."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from sardonyx.frontend.load import Source
from sardonyx.frontend.tensors import EXTERNAL


def external_files(source: Source) -> tuple[str, ...]:
    """The locations of external data as the model writes them, each once, sorted."""
    found: set[str] = set()
    nodes = [*source.proto.graph.node, *(node for f in source.proto.functions for node in f.node)]
    for tensor in (*_initializers(source.proto.graph), *(t for node in nodes for t in _of_node(node))):
        if tensor.data_location == EXTERNAL:
            found.update(entry.value for entry in tensor.external_data if entry.key == "location")
    return tuple(sorted(found))


def _initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _of_node(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors)
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _initializers(graph)
            for inner in graph.node:
                yield from _of_node(inner)
