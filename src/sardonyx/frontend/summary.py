"""Describes an ONNX file without building a graph: operators, opsets, parameters.

Must not know what the engine can do with it.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.folders import file_name
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.errors import LoadError
from sardonyx.frontend import types
from sardonyx.frontend.messages import GraphProto, ModelProto, NodeProto, TensorProto
from sardonyx.frontend.mistaken import START_BYTES, unparsed
from sardonyx.frontend.names import readable
from sardonyx.frontend.tensors import outside


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model file contains.

    `operators` counts nodes by `domain.Type` (subgraphs and functions included), the most frequent first.
    `parameters` and `parameter_bytes` count the elements and bytes of weights, constants of nodes included,
    per element type; `external_files` are the files that hold a part of them.
    """

    file_bytes: int
    ir_version: int
    producer: str
    metadata: ModelMeta
    opsets: dict[str, int]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]
    functions: tuple[str, ...]
    parameters: dict[str, int]
    parameter_bytes: dict[str, int]
    external_files: tuple[str, ...]


def summarize(model: str | os.PathLike[str] | bytes) -> Summary:
    """Read a model's description; external data is counted and not opened.

    Raises LoadError if it is not an ONNX model, OSError if the file cannot be read.
    """
    data = model if isinstance(model, bytes) else Path(model).read_bytes()
    what = "this" if isinstance(model, bytes) else os.fspath(model)
    try:
        proto = readable(ModelProto.FromString(data))
    except (DecodeError, RecursionError) as error:
        why = unparsed(data[:START_BYTES], error)
        raise LoadError(f"{what} is not an ONNX model: {why}", kind="protobuf") from error
    if not proto.HasField("graph"):
        raise LoadError(f"{what} is not an ONNX model: no graph was found in it", kind="empty")
    nodes = list(_nodes(proto.graph.node))
    for function in proto.functions:
        nodes += _nodes(function.node)
    graphs = [
        proto.graph,
        *(attribute.g for node in nodes for attribute in node.attribute if attribute.HasField("g")),
    ]
    tensors = [tensor for graph in graphs for tensor in _tensors(graph)]
    tensors += [a.t for node in nodes for a in node.attribute if a.HasField("t")]
    initial = {tensor.name for tensor in proto.graph.initializer}
    parameters, sizes = _parameters(tensors)
    return Summary(
        file_bytes=len(data),
        ir_version=proto.ir_version,
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        metadata=types.metadata(proto),
        opsets={row.domain or "ai.onnx": row.version for row in proto.opset_import},
        inputs=tuple(types.info(value) for value in proto.graph.input if value.name not in initial),
        outputs=tuple(types.info(value) for value in proto.graph.output),
        operators=dict(Counter(_operator(node) for node in nodes).most_common()),
        functions=tuple(f"{function.domain}.{function.name}" for function in proto.functions),
        parameters=parameters,
        parameter_bytes=sizes,
        external_files=tuple(
            sorted({value for t in tensors for key, value in outside(t).items() if key == "location"})
        ),
    )


def why_unread(model: Path, error: Exception) -> str:
    """Why a model could not be read with its weights: a file of them is not there, or what the error says."""
    names = summarize(model).external_files if model.is_file() else ()
    absent = (model.parent / name for name in names if not (model.parent / file_name(name)).is_file())
    return next((f"there is no external data file {path}" for path in absent), str(error))


def _nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from (sparse.values for sparse in graph.sparse_initializer)


def _operator(node: NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _parameters(tensors: Iterable[TensorProto]) -> tuple[dict[str, int], dict[str, int]]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        try:
            dtype = dt.by_onnx(tensor.data_type)
        except KeyError:
            continue
        count = math.prod(tensor.dims)
        counts[dtype.onnx_name] += count
        sizes[dtype.onnx_name] += (count * dtype.bits + 7) // 8
    return dict(counts.most_common()), dict(sizes)
