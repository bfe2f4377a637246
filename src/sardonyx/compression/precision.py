"""Values of 16 bits where a model has float32: float16 or bfloat16.

A node changes if its operator's schema lets all its floats be of the new type; others stay, between casts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import onnx

from sardonyx.compression.scope import (
    ENDLESS,
    Array,
    Nodes,
    Scope,
    bodies,
    every_graph,
    forget_unused_weights,
    identity,
    opset,
)
from sardonyx.frontend.inference import inferred

FLOAT: int = onnx.TensorProto.FLOAT
TYPES = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}
_WORDS = {FLOAT: "tensor(float)", TYPES["fp16"]: "tensor(float16)", TYPES["bf16"]: "tensor(bfloat16)"}
LARGEST = {TYPES["fp16"]: 65504.0, TYPES["bf16"]: 3.3895313892515355e38}
UNKNOWN = -1
"""The type of what is not a tensor, or of a name that has two types: nodes that touch it stay as they are."""
_TYPE_ATTRIBUTES = ("to", "dtype")


def converted(
    model: onnx.ModelProto,
    types: Mapping[str, int],
    to: str,
    leave: Collection[str] = (),
    edges: bool = False,
) -> list[str]:
    """Rewrite a model in place.

    Args:
        model: without functions of its own.
        types: element types of its values, in bodies too, as ONNX numbers them.
        to: `fp16` or `bf16`.
        leave: identities of nodes to leave alone.
        edges: change the types of the model's own inputs and outputs, too.

    Returns:
        The identities of the nodes that compute in the new type.
    """
    writer = _Writer(types, TYPES[to], set(leave), opset(model), edges)
    writer.graph(Scope(model.graph), {})
    forget_unused_weights(model.graph)
    return writer.done


def waits_for(model: onnx.ModelProto, version: int, to: str) -> bool:
    """Whether an operator of a model takes the new type at a later opset only."""
    kinds = {(n.op_type, n.domain) for graph in every_graph(model.graph) for n in graph.node}
    nodes = [onnx.NodeProto(op_type=kind, domain=domain) for kind, domain in kinds]
    return any(
        _knows(node, version, _WORDS[TYPES[to]]) and not _knows(node, opset(model), _WORDS[TYPES[to]])
        for node in nodes
    )


def _knows(node: onnx.NodeProto, version: int, word: str) -> bool:
    schema = _schema(node, version)
    return schema is not None and any(word in row.allowed_type_strs for row in schema.type_constraints)


class _Writer:
    """Walks graphs; `have` says by what name a value is there in float32 and in 16 bits."""

    def __init__(
        self, types: Mapping[str, int], half: int, leave: Collection[str], version: int, edges: bool
    ) -> None:
        self.types, self.leave, self.version, self.edges = types, leave, version, edges
        self.half: int = half
        self.done: list[str] = []

    def graph(self, scope: Scope, outer: Mapping[str, dict[int, str]], as_half: bool = False) -> None:
        """Rewrite one graph; a body's inputs and outputs are of 16 bits if its node is."""
        have = {name: dict(known) for name, known in outer.items()}
        inside = as_half or (self.edges and scope.outer is None)
        main = scope.outer is None
        for value in scope.graph.input:
            self._declared(value, have, inside)
        for tensor in scope.graph.initializer:
            if tensor.data_type == FLOAT:
                have[tensor.name] = {FLOAT: tensor.name}
        made: Nodes = []
        wanted = self.half if inside else FLOAT
        kept = {value.name: wanted for value in scope.graph.output if main}
        for node in scope.graph.node:
            self._node(scope, node, have, made, kept)
        for value in scope.graph.output:
            self._output(scope, value, have, made, wanted)
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in made]
        del scope.graph.node[:]
        scope.graph.node.extend(copies)

    def _declared(self, value: onnx.ValueInfoProto, have: dict[str, dict[int, str]], as_half: bool) -> None:
        if self.types.get(value.name) == FLOAT:
            have[value.name] = {self.half if as_half else FLOAT: value.name}
            if as_half:
                _retype(value.type, self.half)

    def _node(
        self,
        scope: Scope,
        node: onnx.NodeProto,
        have: dict[str, dict[int, str]],
        made: Nodes,
        kept: Mapping[str, int],
    ) -> None:
        if node.op_type == "Constant" and not node.domain:
            made.append(node)
            if self.types.get(node.output[0]) == FLOAT:
                have[node.output[0]] = {FLOAT: node.output[0]}
            return
        known_as = identity(node)
        changes = known_as not in self.leave and self._may(scope, node)
        fixed = self._fixed(node)
        for body in bodies(node):
            self.graph(Scope(body, scope), have, changes)
        floats = False
        for at, name in enumerate(node.input):
            if name in have:
                wanted = self.half if changes and at not in fixed else FLOAT
                node.input[at] = self._as(scope, name, wanted, have, made)
                floats |= wanted == self.half
        made.append(node)
        result = self._result_type(node, changes, floats)
        for at, name in enumerate(node.output):
            if name and self.types.get(name) == FLOAT:
                if kept.get(name, result) != result:
                    node.output[at] = scope.fresh(f"{name}_inner")
                have[name] = {result: node.output[at]}
                floats = True
        if changes and floats and result == self.half:
            self.done.append(known_as)

    def _output(
        self,
        scope: Scope,
        value: onnx.ValueInfoProto,
        have: dict[str, dict[int, str]],
        made: Nodes,
        wanted: int,
    ) -> None:
        known = have.get(value.name)
        if known is None:
            return
        if scope.outer is not None:
            value.name = self._as(scope, value.name, wanted, have, made)
        elif value.name not in known.values():
            source = known.get(wanted) or next(iter(known.values()))
            made.append(onnx.helper.make_node("Cast", [source], [value.name], to=wanted))
        elif known.get(wanted) != value.name:
            return
        if wanted == self.half:
            _retype(value.type, self.half)

    def _as(self, scope: Scope, name: str, wanted: int, have: dict[str, dict[int, str]], made: Nodes) -> str:
        known = have[name]
        if wanted not in known:
            weight = scope.float_weight(known.get(FLOAT, ""))
            if weight is not None and wanted == self.half:
                narrow = {"16": self._narrow(weight)}
                known[wanted] = scope.derived(known[FLOAT], "narrow", lambda: narrow)[0]
            else:
                source = next(iter(known.values()))
                known[wanted] = scope.put(made, "Cast", [source], f"{name}_cast", to=wanted)
        return known[wanted]

    def _may(self, scope: Scope, node: onnx.NodeProto) -> bool:
        """Whether the operator computes in 16 bits, and its weights fit."""
        schema = _schema(node, self.version)
        if schema is None or node.op_type in ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"):
            return False
        names = [name for name in (*node.input, *node.output) if name]
        if any(self.types.get(name, UNKNOWN) == UNKNOWN and scope.weight(name) is None for name in names):
            return next(bodies(node), None) is not None
        if next(bodies(node), None) is not None:
            return True
        allowed = {row.type_param_str: set(row.allowed_type_strs) for row in schema.type_constraints}
        used = [
            formal.type_str
            for formals, names in ((schema.inputs, node.input), (schema.outputs, node.output))
            for formal, name in _matched(formals, names)
            if name and self.types.get(name, FLOAT if scope.float_weight(name) is not None else 0) == FLOAT
        ]
        variables = [allowed[word] for word in used if word in allowed]
        return (
            bool(variables)
            and all(_WORDS[self.half] in words for words in variables)
            and self._fits(scope, node)
        )

    def _fits(self, scope: Scope, node: onnx.NodeProto) -> bool:
        weights = [scope.float_weight(name) for name in node.input]
        return all(
            not bool(((np.abs(weight) > LARGEST[self.half]) & (np.abs(weight) < ENDLESS)).any())
            for weight in weights
            if weight is not None
        )

    def _narrow(self, weight: Array) -> Array:
        largest = np.float32(LARGEST[self.half])
        beyond = np.isfinite(weight) & (np.abs(weight) > largest)
        return np.where(beyond, np.copysign(largest, weight), weight).astype(_numpy(self.half))

    def _fixed(self, node: onnx.NodeProto) -> set[int]:
        """Places of inputs that are float32 whatever the rest is."""
        schema = _schema(node, self.version)
        if schema is None:
            return set(range(len(node.input)))
        return {
            at
            for at, (formal, _) in enumerate(_matched(schema.inputs, node.input))
            if formal.type_str == _WORDS[FLOAT]
        }

    def _result_type(self, node: onnx.NodeProto, changes: bool, floats: bool) -> int:
        """What a node's floats are: a type that an attribute names becomes the new one."""
        if not changes:
            return FLOAT
        for row in node.attribute:
            if row.name in _TYPE_ATTRIBUTES and row.type == onnx.AttributeProto.INT:
                if row.i == FLOAT:
                    row.i = self.half
                return self.half
            if row.name == "value" and row.type == onnx.AttributeProto.TENSOR and row.t.data_type == FLOAT:
                row.t.CopyFrom(onnx.numpy_helper.from_array(self._narrow(onnx.numpy_helper.to_array(row.t))))
                return self.half
        return self.half if floats or next(bodies(node), None) is not None else FLOAT


def _matched(
    formals: Iterable[object], names: Iterable[str]
) -> list[tuple[onnx.defs.OpSchema.FormalParameter, str]]:
    """Formal parameters beside what a node gives; the last one may stand for many."""
    known = list(formals)
    return [(known[min(at, len(known) - 1)], name) for at, name in enumerate(names) if known]


def _schema(node: onnx.NodeProto, version: int) -> onnx.defs.OpSchema | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    try:
        return onnx.defs.get_schema(node.op_type, version)
    except onnx.defs.SchemaError:
        return None


def _numpy(element: int) -> np.dtype[np.generic]:
    found: np.dtype[np.generic] = onnx.helper.tensor_dtype_to_np_dtype(element)
    return found


def _retype(declared: onnx.TypeProto, to: int) -> None:
    kind = declared.WhichOneof("value")
    if kind == "tensor_type" and declared.tensor_type.elem_type == FLOAT:
        declared.tensor_type.elem_type = to


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of all values, in bodies too, as far as ONNX's inference knows them."""
    found: dict[str, int] = {}

    def add(name: str, element: int) -> None:
        found[name] = element if found.get(name, element) == element else UNKNOWN

    for graph in every_graph(inferred(model).graph):
        for value in {row.name: row for row in (*graph.input, *graph.output, *graph.value_info)}.values():
            tensor = value.type.WhichOneof("value") == "tensor_type"
            add(value.name, value.type.tensor_type.elem_type if tensor else UNKNOWN)
        for weight in graph.initializer:
            add(weight.name, weight.data_type)
        for node in graph.node:
            if node.op_type == "Constant" and not node.domain:
                add(node.output[0], _constant_type(node.attribute[0]))
    return found


def _constant_type(said: onnx.AttributeProto) -> int:
    if said.name == "value":
        return int(said.t.data_type)
    return FLOAT if said.name in ("value_float", "value_floats") else UNKNOWN


def element_of(told: str) -> int:
    """The element type that `tensor(float)` and the like name; UNKNOWN for what is not a tensor."""
    return next(
        (element for element, word in _WORDS.items() if word == told),
        0 if told.startswith("tensor(") else UNKNOWN,
    )
