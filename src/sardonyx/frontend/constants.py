"""Which of several constants of one name in a graph counts: the last one, Constant nodes after initialisers.

Peers read such files so; ONNX's checker refuses them. Must not know what the constants hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def initialisers(graph: onnx.GraphProto) -> Mapping[str, onnx.TensorProto | onnx.SparseTensorProto]:
    """The initialisers of a graph by name, those left out that a Constant node or a later one replaces."""
    listed: list[tuple[str, onnx.TensorProto | onnx.SparseTensorProto]]
    listed = [(tensor.name, tensor) for tensor in graph.initializer]
    listed += [(sparse.values.name, sparse) for sparse in graph.sparse_initializer]
    found = dict(listed)
    nodes = found.keys() & set(_made(graph.node))
    if len(found) < len(listed) or nodes:
        names = [name for name, _ in listed]
        _tell({name for name in names if names.count(name) > 1} | nodes)
    return {name: tensor for name, tensor in found.items() if name not in nodes}


def last_of_each(nodes: Sequence[onnx.NodeProto]) -> Sequence[onnx.NodeProto]:
    """Nodes without the Constants that a later Constant of the same name replaces."""
    names = list(_made(nodes))
    if len(set(names)) == len(names):
        return nodes
    _tell({name for name in names if names.count(name) > 1})
    last = {node.output[0]: index for index, node in enumerate(nodes) if _is_constant(node)}
    return [
        node for index, node in enumerate(nodes) if not _is_constant(node) or last[node.output[0]] == index
    ]


def _made(nodes: Sequence[onnx.NodeProto]) -> Iterator[str]:
    return (node.output[0] for node in nodes if _is_constant(node))


def _is_constant(node: onnx.NodeProto) -> bool:
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx") and len(node.output) == 1


def _tell(names: Collection[str]) -> None:
    warnings.warn(
        f"several constants of the model are named {', '.join(sorted(names))}; the last one counts. "
        "Give them names of their own",
        stacklevel=2,
    )
