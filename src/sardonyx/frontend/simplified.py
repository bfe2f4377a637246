"""Simplifies a model as ONNX: what `optimized_model_filepath` and an optimising ModelCompiler receive.

Keeps whatever it does not understand; must not know the engine's own graph.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence, Set
from contextlib import suppress
from copy import deepcopy
from operator import attrgetter
from typing import Any

import onnx
from onnx import defs, inliner

from sardonyx.base.dataclass import dataclass
from sardonyx.frontend import constants
from sardonyx.frontend.external import tensors_of
from sardonyx.frontend.inference import inferred
from sardonyx.frontend.order import ordered, reads
from sardonyx.frontend.scope import opsets_of
from sardonyx.frontend.tensors import EXTERNAL

_KEPT_BYTES = 1024
_WITH_SATURATION = frozenset(
    number for name, number in onnx.TensorProto.DataType.items() if name.startswith("FLOAT8")
)
_PLAIN = ("", "ai.onnx")


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with functions inlined and identities, duplicates, dead nodes and needless casts removed.

    Equal initialisers become one. All shapes that ONNX can infer are declared. `model` is used up.
    """
    held = _take_out(model)
    if model.functions:
        with suppress(RuntimeError, ValueError):  # what cannot be inlined stays a function
            model = inliner.inline_local_functions(model)
    with suppress(RuntimeError, ValueError):
        model = inferred(model)
    _Walk(opsets_of(model.opset_import)).graph(model.graph, ChainMap(), ChainMap())
    _put_back(model, held)
    _drop_unused_imports(model)
    return model


def _take_out(model: onnx.ModelProto) -> list[bytes]:
    """The bytes of large tensors, equal ones once; what is left says their number, as a place outside."""
    held: dict[bytes, int] = {}
    for tensor, _ in tensors_of(model):
        if len(tensor.raw_data) > _KEPT_BYTES:
            tensor.data_location = EXTERNAL
            number = held.setdefault(tensor.raw_data, len(held))
            tensor.external_data.add(key=_HELD, value=str(number))
            tensor.ClearField("raw_data")
    return list(held)


_HELD = "held"


def _put_back(model: onnx.ModelProto, held: Sequence[bytes]) -> None:
    for tensor, _ in tensors_of(model):
        if tensor.external_data and tensor.external_data[0].key == _HELD:
            tensor.raw_data = held[int(tensor.external_data[0].value)]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")


def _drop_unused_imports(model: onnx.ModelProto) -> None:
    graphs = [model.graph, *_bodies(model.graph.node)]
    graphs += [body for function in model.functions for body in (function, *_bodies(function.node))]
    used = {node.domain for graph in graphs for node in graph.node}
    _keep(model.opset_import, [row for row in model.opset_import if row.domain in {*_PLAIN, *used}])


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through graphs and the bodies inside them."""

    opsets: Mapping[str, int]

    def graph(
        self, graph: onnx.GraphProto, outer: ChainMap[str, str], outer_types: ChainMap[str, int]
    ) -> None:
        """Simplify a graph in place; `outer` says by which name a value around it goes now."""
        given = {i.name for i in graph.input} | constants.initialisers(graph).keys()
        nodes = ordered(constants.last_of_each(graph.node), given)
        made = {name for node in nodes for name in node.output}
        names = outer.new_child({name: name for name in given | made})
        types = outer_types.new_child(dict(_types(graph)))
        for node in nodes:
            _plain_cast(node, types)
        fixed = {o.name for inner in (graph, *_bodies(graph.node)) for o in inner.output}
        known_as = _renamed(nodes, made - fixed, {o.name for o in graph.output})
        names.update(known_as)
        names.update(_equal_weights(graph))
        kept: list[onnx.NodeProto] = []
        seen: dict[Any, onnx.NodeProto] = {}
        for node in nodes:
            node.output[:] = [known_as.get(name, name) for name in node.output]
            node.input[:] = [names.get(name, name) for name in node.input]
            for body in _own_bodies(node):
                self.graph(body, names, types)
            twin = _source(node) or self._twin(node, seen)
            if twin is None or (fixed & set(node.output) and twin != list(node.output)):
                kept.append(node)
            else:
                names.update(zip(node.output, twin, strict=False))
        _replace(graph, _live(kept, {o.name for o in graph.output}))

    def _twin(self, node: onnx.NodeProto, seen: MutableMapping[Any, onnx.NodeProto]) -> list[str] | None:
        """The results of an earlier node that computes the same."""
        if any(_own_bodies(node)) or not self._is_known(node):
            return None
        attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
        results = tuple(map(bool, node.output))
        twin = seen.setdefault((node.domain, node.op_type, *node.input, results, *attributes), node)
        return None if twin is node else list(twin.output)

    def _is_known(self, node: onnx.NodeProto) -> bool:
        """Whether ONNX says that the operator computes the same each time."""
        domain = "" if node.domain in _PLAIN else node.domain
        with suppress(defs.SchemaError):
            schema = defs.get_schema(node.op_type, self.opsets.get(domain, 1), domain)
            return bool(schema.node_determinism == defs.OpSchema.NodeDeterminism.Deterministic)
        return False


def _equal_weights(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    """Initialisers that nobody else knows and an earlier one equals, and the name of that."""
    outside = {value.name for value in (*graph.input, *graph.output)}
    first: dict[bytes, str] = {}
    for name, tensor in constants.initialisers(graph).items():
        if name not in outside and isinstance(tensor, onnx.TensorProto):
            content = onnx.TensorProto()
            content.CopyFrom(tensor)
            content.ClearField("name")
            content.ClearField("doc_string")
            twin = first.setdefault(content.SerializeToString(deterministic=True), name)
            if twin != name:
                yield name, twin


def _types(graph: onnx.GraphProto) -> Iterator[tuple[str, int]]:
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.type.HasField("tensor_type"):
            yield value.name, value.type.tensor_type.elem_type
    for tensor in graph.initializer:
        yield tensor.name, tensor.data_type


def _own_bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _bodies(nodes: Any) -> Iterator[onnx.GraphProto]:
    for node in nodes:
        for body in _own_bodies(node):
            yield body
            yield from _bodies(body.node)


def _renamed(nodes: Sequence[onnx.NodeProto], free: Set[str], results: Set[str]) -> dict[str, str]:
    """Values that only go on as a result of the graph, by the name of that result."""
    found: dict[str, str] = {}
    for node in nodes:
        source = _source(node)
        if source and source[0] in free and node.output[0] in results:
            found.setdefault(source[0], node.output[0])
    return found


def _source(node: onnx.NodeProto) -> list[str] | None:
    """What an Identity repeats."""
    return list(node.input) if node.op_type == "Identity" and node.domain in _PLAIN else None


def _plain_cast(node: onnx.NodeProto, types: Mapping[str, int]) -> None:
    """A cast to the type of another value is Cast, one to the type that a value has Identity."""
    to = types.get(node.output[0], 0) if node.output else 0
    if node.domain not in _PLAIN or not to or to in _WITH_SATURATION:
        return
    if node.op_type == "CastLike":
        del node.input[1:]
        node.op_type = "Cast"
        node.ClearField("attribute")
        node.attribute.add(name="to", i=to, type=onnx.AttributeProto.INT)
    elif node.op_type == "Cast" and types.get(node.input[0]) == to:
        node.op_type = "Identity"
        node.ClearField("attribute")


def _live(nodes: list[onnx.NodeProto], used: set[str]) -> list[onnx.NodeProto]:
    """The nodes that give something; `used` becomes all names that they read."""
    live = []
    for node in reversed(nodes):
        if used & set(node.output):
            live.append(node)
            used.update(reads(node))
    return live[::-1]


def _replace(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Leave these nodes, and of what belongs to names only what they or the caller know."""
    outside = {i.name for i in graph.input} | {o.name for o in graph.output}
    named = outside | {name for node in nodes for name in (*reads(node), *node.output)}
    _keep(graph.node, nodes)
    for field, name_of in (
        (graph.initializer, attrgetter("name")),
        (graph.sparse_initializer, attrgetter("values.name")),
        (graph.value_info, attrgetter("name")),
    ):
        _keep(field, [item for item in field if name_of(item) in named])


def _keep(field: Any, items: Sequence[Any]) -> None:
    copies = [deepcopy(item) for item in items]
    del field[:]
    field.extend(copies)
