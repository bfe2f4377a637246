"""Trip counts are taken at their word: 2^40 turns are not a fault, so those of a case end in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

MOST = 1000


def bounded(value: Any) -> Any:
    """A single number of type int64 that is at most `MOST`; anything else as it is."""
    number = isinstance(value, np.ndarray) and value.dtype == np.int64 and value.size == 1
    return np.minimum(value, MOST).astype(value.dtype).reshape(value.shape) if number else value


def bound(model: onnx.ModelProto) -> None:
    """Bound every number that a loop of the model may count to."""
    graphs = list(_graphs(model.graph))
    if not any(node.op_type == "Loop" for graph in graphs for node in graph.node):
        return
    attributes = [a for graph in graphs for node in graph.node for a in node.attribute]
    for attribute in attributes:
        if attribute.name == "value_int":
            attribute.i = min(attribute.i, MOST)
    tensors = [t for graph in graphs for t in graph.initializer]
    for tensor in [*tensors, *(a.t for a in attributes if a.name == "value")]:
        single = tensor.data_type == onnx.TensorProto.INT64 and np.prod(tensor.dims, dtype=float) == 1
        if single and len(tensor.raw_data or tensor.int64_data) in (1, 8):
            value = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(bounded(value), tensor.name))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)
