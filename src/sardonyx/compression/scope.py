"""A graph of a model while its nodes are written anew: weights, fresh names, bodies.

Decides nothing of what becomes of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

Array = npt.NDArray[Any]
Nodes = list[onnx.NodeProto]
ENDLESS = 1e9
"""Finite numbers from here on stand for infinity, as in masks."""


class Scope:
    """One graph, the main one or a body, with the weights that its nodes see.

    `names` are all names of the model: what is added anywhere has a name of its own.
    """

    def __init__(self, graph: onnx.GraphProto, outer: Scope | None = None) -> None:
        self.graph = graph
        self.outer = outer
        self.names: set[str] = outer.names if outer else set(names_of(graph))
        self.shared: dict[Any, Any] = {}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and not node.domain and node.attribute[0].name == "value":
                self._weights[node.output[0]] = node.attribute[0].t

    def weight(self, name: str) -> Array | None:
        """The content of a weight or constant that nodes here can read, or None."""
        tensor = self._weights.get(name)
        if tensor is not None:
            array: Array = onnx.numpy_helper.to_array(tensor)
            return array
        return self.outer.weight(name) if self.outer else None

    def float_weight(self, name: str) -> npt.NDArray[np.float32] | None:
        """The content of a float32 weight, or None."""
        array = self.weight(name) if name else None
        return array if array is not None and array.dtype == np.float32 else None

    def bounded_weight(self, name: str) -> npt.NDArray[np.float32] | None:
        """The content of a float32 weight that points of few bits can stand for; None if it is not finite."""
        weight = self.float_weight(name)
        bounded = weight is not None and bool((np.abs(weight) < ENDLESS).all())
        return weight if bounded else None

    def derived(self, source: str, way: str, make: Callable[[], Mapping[str, Array]]) -> tuple[str, ...]:
        """Names of new weights that stand where `source` does, one for each that `make` gives.

        They are made once for all nodes, in bodies too, that want them of `source` in the same `way`.
        """
        home = self
        while source not in home._weights and home.outer is not None:
            home = home.outer
        if (source, way) not in home.shared:
            home.shared[source, way] = tuple(
                home.add(value, f"{source}_{part}") for part, value in make().items()
            )
        names: tuple[str, ...] = home.shared[source, way]
        return names

    def add(self, value: Array, hint: str) -> str:
        """A new weight; its name."""
        name = self.fresh(hint)
        tensor = onnx.numpy_helper.from_array(np.array(value, order="C"), name)
        self.graph.initializer.append(tensor)
        self._weights[name] = tensor
        return name

    def fresh(self, hint: str) -> str:
        """A name like `hint` that nothing has."""
        name, count = hint, 0
        while name in self.names:
            count += 1
            name = f"{hint}_{count}"
        self.names.add(name)
        return name

    def put(self, made: Nodes, kind: str, inputs: list[str], hint: str, **attributes: Any) -> str:
        """Append a new node of one output, whose name is like `hint`; that name."""
        name = self.fresh(hint)
        made.append(onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        return name


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node runs."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def every_graph(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all bodies in it."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from every_graph(body)


def names_of(graph: onnx.GraphProto) -> Iterator[str]:
    """All names of values and nodes, in bodies too."""
    for inner in every_graph(graph):
        yield from (row.name for row in (*inner.input, *inner.output, *inner.initializer))
        for node in inner.node:
            yield node.name
            yield from node.input
            yield from node.output


def identity(node: onnx.NodeProto) -> str:
    """What a node is known by in reports and options: its name, else its first output."""
    return str(node.name or next(name for name in node.output if name))


def rewrite(scope: Scope, of: Callable[[Scope, onnx.NodeProto], Nodes | None]) -> None:
    """Put what `of` gives in the place of each node, in bodies first; None leaves the node as it is."""
    made: Nodes = []
    for node in scope.graph.node:
        for body in bodies(node):
            rewrite(Scope(body, scope), of)
        written = of(scope, node)
        made += [node] if written is None else written
    fresh = [onnx.NodeProto.FromString(node.SerializeToString()) for node in made]
    del scope.graph.node[:]
    scope.graph.node.extend(fresh)


def forget_unused_weights(graph: onnx.GraphProto) -> None:
    """Drop initialisers and constants that nothing reads, and what was said of values that are gone."""
    read = {name for inner in every_graph(graph) for node in inner.node for name in node.input}
    for inner in every_graph(graph):
        outputs = {value.name for value in inner.output}
        kept = [tensor for tensor in inner.initializer if tensor.name in read | outputs]
        constants = [
            node for node in inner.node if node.op_type == "Constant" and node.output[0] not in read | outputs
        ]
        for node in constants:
            inner.node.remove(node)
        if len(kept) < len(inner.initializer):
            tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
            del inner.initializer[:]
            inner.initializer.extend(tensors)
        del inner.value_info[:]


def require(model: onnx.ModelProto, domain: str, version: int) -> None:
    """Import a domain of operators if the model does not."""
    if not any(row.domain == domain for row in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(domain, version))


def opset(model: onnx.ModelProto) -> int:
    """The version of the standard operators that a model uses; 1 if it says nothing."""
    return next((row.version for row in model.opset_import if row.domain in ("", "ai.onnx")), 1)
