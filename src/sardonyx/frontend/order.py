"""In which order nodes come, and which of them nothing needs, by the names that they read and give."""

from __future__ import annotations

import graphlib
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from sardonyx.errors import LoadError

if TYPE_CHECKING:
    import onnx


def ordered(nodes: Sequence[onnx.NodeProto], defined: Container[str]) -> Sequence[onnx.NodeProto]:
    """Nodes in dependency order: as listed if that is one. Raises LoadError for a cycle."""
    order = order_of(nodes, [reads(node) for node in nodes], defined)
    return nodes if isinstance(order, range) else [nodes[index] for index in order]


def order_of(
    nodes: Sequence[onnx.NodeProto], read: Sequence[Sequence[str]], defined: Container[str]
) -> Sequence[int]:
    """The places of nodes in dependency order, given what each reads; see `ordered`."""
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name and (name in defined or producer.setdefault(name, index) != index):
                raise LoadError(f'the tensor "{name}" is defined twice')
    needs = [[producer[name] for name in names if name in producer] for names in read]
    if all(before < index for index, befores in enumerate(needs) for before in befores):
        return range(len(nodes))
    try:
        return list(graphlib.TopologicalSorter(dict(enumerate(needs))).static_order())
    except graphlib.CycleError as error:
        names = [nodes[i].name or nodes[i].op_type for i in error.args[1]]
        raise LoadError(f"the nodes form a cycle: {' -> '.join(names)}") from error


def unread_of(
    nodes: Sequence[onnx.NodeProto],
    read: Sequence[Sequence[str]],
    order: Sequence[int],
    wanted: Iterable[str],
) -> set[int]:
    """The places of those nodes, in dependency order, that no tensor wanted comes from."""
    needed, unread = set(wanted), set[int]()
    for index in reversed(order):
        if needed.isdisjoint(nodes[index].output):
            unread.add(index)
        else:
            needed.update(read[index])
    return unread


def reads(node: onnx.NodeProto) -> list[str]:
    """The names a node reads, those captured by its subgraphs included."""
    found = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
            own = {o for inner in graph.node for o in inner.output} | {i.name for i in graph.input}
            own |= {t.name for t in graph.initializer}
            own |= {s.values.name for s in graph.sparse_initializer}
            found += [name for inner in graph.node for name in reads(inner) if name not in own]
            found += [output.name for output in graph.output if output.name not in own]
    return found
