"""Names that are not UTF-8, of exporters that wrote another code page: protobuf gives them as bytes.

Decides which of them are refused and how the others are written; must not know what they name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sardonyx.errors import LoadError

if TYPE_CHECKING:
    import onnx

_TEXT, _MESSAGE = 9, 11
"""The types of a protobuf field."""
_GRAPH = 5
"""The type of an attribute that is a body."""


def readable(proto: onnx.ModelProto) -> onnx.ModelProto:
    r"""The model, where each name is text: bytes that are not UTF-8 are written as `\xff`.

    Raises LoadError if inputs or outputs have such names: nobody could ask for them.
    """
    if bytes not in map(type, _names(proto)):
        return proto
    for what, infos in (("input", proto.graph.input), ("output", proto.graph.output)):
        for info in infos:
            if isinstance(info.name, bytes):
                raise LoadError(
                    f"the name of an {what}, {info.name!r}, is not UTF-8; give it another where it was made",
                    kind="graph",
                )
    mended = type(proto)()
    mended.CopyFrom(proto)
    _mend(mended)
    return mended


def _names(proto: onnx.ModelProto) -> list[object]:
    """What a model gives names to, and what it says of itself."""
    found: list[object] = [proto.producer_name, proto.domain, proto.doc_string, proto.graph.doc_string]
    for row in proto.metadata_props:
        found += row.key, row.value
    for function in proto.functions:
        found += function.name, function.domain, *function.input, *function.output
        _add_nodes(function.node, found)
    _add_graph(proto.graph, found)
    return found


def _add_graph(graph: onnx.GraphProto, found: list[object]) -> None:
    found.append(graph.name)
    found += [tensor.name for tensor in graph.initializer]
    for info in (*graph.input, *graph.output):
        found += info.name, *[size.dim_param for size in info.type.tensor_type.shape.dim]
    _add_nodes(graph.node, found)


def _add_nodes(nodes: Iterable[onnx.NodeProto], found: list[object]) -> None:
    for node in nodes:
        found += node.name, node.op_type, node.domain
        found += node.input
        found += node.output
        for attribute in node.attribute:
            found.append(attribute.name)
            if attribute.type == _GRAPH:
                _add_graph(attribute.g, found)


def _mend(message: Any) -> None:
    """Write every text of a message that is not UTF-8 as one that is."""
    for field, value in message.ListFields():
        parts = value if field.is_repeated else [value]
        if field.type == _MESSAGE:
            for part in parts:
                _mend(part)
        elif field.type == _TEXT and any(isinstance(part, bytes) for part in parts):
            texts = [written(part) for part in parts]
            if field.is_repeated:
                value[:] = texts
            else:
                setattr(message, field.name, texts[0])


def written(text: str | bytes) -> str:
    r"""A text of protobuf, where bytes that are not UTF-8 are written as `\xff`."""
    return text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
