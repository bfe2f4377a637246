"""Which other files a model keeps its tensors in, and the tensors of files that the caller holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.errors import LoadError
from sardonyx.frontend.load import Source
from sardonyx.frontend.messages import TensorProto
from sardonyx.frontend.tensors import EXTERNAL, TensorReader, outside

if TYPE_CHECKING:
    import onnx


def external_files(source: Source) -> tuple[str, ...]:
    """The locations of external data as the model writes them, each once, sorted."""
    found: set[str] = set()
    for tensor, _ in tensors_of(source.proto):
        if tensor.data_location == EXTERNAL:
            found.update(value for key, value in outside(tensor).items() if key == "location")
    return tuple(sorted(found))


def tensors_of(proto: onnx.ModelProto) -> Iterator[tuple[onnx.TensorProto, bool]]:
    """Every tensor of a model, and whether it is a dense initialiser of a graph."""
    yield from _of_graph(proto.graph)
    for function in proto.functions:
        for node in function.node:
            yield from _of_node(node)


def tensors_in(source: Source, contents: Mapping[str, bytes]) -> dict[str, np.ndarray[Any, Any]]:
    """The initialisers of the main graph that lie in files whose content is given, by name.

    Raises LoadError if a tensor lies outside of its file.
    """
    contents = {_plain(name): content for name, content in contents.items()}
    found = {}
    for tensor in source.proto.graph.initializer:
        entries = outside(tensor)
        content = contents.get(_plain(entries.get("location", "")))
        if tensor.data_location != EXTERNAL or content is None:
            continue
        start = int(entries.get("offset", 0))
        length = int(entries.get("length", len(content) - start))
        if start < 0 or length < 0 or start + length > len(content):
            raise LoadError(
                f'tensor "{tensor.name}": bytes {start}..{start + length} lie outside of '
                f"{entries['location']} ({len(content)} bytes given)"
            )
        inner = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        inner.raw_data = content[start : start + length]
        found[tensor.name] = TensorReader(source.folders).dense(inner)
    return found


def _plain(location: str) -> str:
    return str(PurePosixPath(location.replace("\\", "/")))


def _of_graph(graph: onnx.GraphProto) -> Iterator[tuple[onnx.TensorProto, bool]]:
    yield from ((tensor, True) for tensor in graph.initializer)
    for sparse in graph.sparse_initializer:
        yield from ((sparse.values, False), (sparse.indices, False))
    for node in graph.node:
        yield from _of_node(node)


def _of_node(node: onnx.NodeProto) -> Iterator[tuple[onnx.TensorProto, bool]]:
    for attribute in node.attribute:
        yield from ((tensor, False) for tensor in (attribute.t, *attribute.tensors))
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _of_graph(graph)
