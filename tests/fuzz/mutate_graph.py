"""Changes of a model that mean something, so that most of the results still compile and run.

Each change takes a model, another seed's model and a source of chance, and changes the first in place.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import onnx

from tests.fuzz import numbers

Change = Callable[[onnx.ModelProto, onnx.ModelProto, Random], None]

_UNARY = (
    *("Identity", "Neg", "Relu", "Exp", "Sqrt", "Shape", "Transpose", "Flatten", "Sigmoid", "Abs", "NonZero"),
    *(
        "Softmax",
        "Size",
        "Floor",
        "Squeeze",
        "ReduceSum",
        "ReduceMax",
        "Erf",
        "IsNaN",
        "Not",
        "Round",
        "Sign",
    ),
    *("GlobalAveragePool", "Hardmax", "LpNormalization", "Det", "Unique", "SequenceConstruct", "Optional"),
)
_BINARY = (
    "Add",
    "Mul",
    "Div",
    "Sub",
    "Pow",
    "MatMul",
    "Min",
    "Equal",
    "Mod",
    "PRelu",
    "Gather",
    "Concat",
    "Where",
)
_WORDS = (
    "",
    "linear",
    "cubic",
    "nearest",
    "reflect",
    "edge",
    "wrap",
    "add",
    "mul",
    "max",
    "none",
    "LEAF",
    "SUM",
)


def dims_of(model: onnx.ModelProto) -> list[Any]:
    """The declared sizes of all tensor inputs and outputs."""
    infos = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    return [d for info in infos for d in info.type.tensor_type.shape.dim]


def free_size(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """Sizes become symbols, some of one name."""
    for dim in dims_of(model):
        if chance.random() < 0.5:
            dim.dim_param = chance.choice(("N", "M", f"s{chance.randrange(9)}"))


def other_size(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """One declared size becomes another number."""
    if dims := dims_of(model):
        dim = chance.choice(dims)
        dim.dim_value = numbers.integer(chance, dim.dim_value)


def no_shape(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A declared shape, or all of those of results, vanish."""
    infos = [chance.choice(model.graph.input)] if model.graph.input and chance.random() < 0.3 else []
    for info in infos or model.graph.output:
        info.type.tensor_type.ClearField("shape")


def other_attribute(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """One number or word of an attribute changes."""
    attributes = [a for node in _nodes(model) for a in node.attribute if a.type in (1, 2, 3, 6, 7)]
    if not attributes:
        return
    found = chance.choice(attributes)
    match found.type:
        case 1:
            found.f = min(max(numbers.real(chance, found.f), -3e38), 3e38)
        case 2:
            found.i = numbers.integer(chance, found.i)
        case 3:
            found.s = chance.choice(_WORDS).encode()
        case 6 if found.floats:
            found.floats[chance.randrange(len(found.floats))] = chance.choice((0.0, -1.0, 0.5, 2.0, 1e30))
        case 7 if found.ints:
            at = chance.randrange(len(found.ints))
            found.ints[at] = numbers.integer(chance, found.ints[at])


def new_attribute(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A node is given an attribute that its operator knows."""
    node = chance.choice(_nodes(model))
    try:
        schema = onnx.defs.get_schema(node.op_type, domain=node.domain)
    except onnx.defs.SchemaError:
        return
    names = [n for n, a in schema.attributes.items() if a.type.value in (1, 2, 3, 6, 7)]
    names = [n for n in names if n not in {a.name for a in node.attribute}]
    if not names:
        return
    name = chance.choice(names)
    count = chance.randrange(5)
    value = {
        1: numbers.real(chance, 1.0),
        2: numbers.integer(chance, 1),
        3: chance.choice(_WORDS),
        6: [chance.choice((0.0, 1.0, 0.5, -2.0)) for _ in range(count)],
        7: [numbers.integer(chance, 1) for _ in range(count)],
    }[schema.attributes[name].type.value]
    node.attribute.append(
        onnx.helper.make_attribute(name, value, attr_type=schema.attributes[name].type.value)
    )


def other_constant(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """One number of a constant changes."""
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in _nodes(model) for a in node.attribute if a.HasField("t")]
    tensors = [t for t in tensors if t.data_location == 0 and t.data_type in (1, 6, 7, 3, 2, 9)]
    if not tensors:
        return
    tensor = chance.choice(tensors)
    array = np.array(onnx.numpy_helper.to_array(tensor))
    if not array.size:
        return
    at = chance.randrange(array.size)
    flat = array.reshape(-1)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        flat[at] = min(max(numbers.integer(chance, int(flat[at])), limits.min), limits.max)
    else:
        with np.errstate(over="ignore"):
            flat[at] = numbers.real(chance, 1.0)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def other_operator(model: onnx.ModelProto, other: onnx.ModelProto, chance: Random) -> None:
    """A node computes something else of the same inputs."""
    node = chance.choice(_nodes(model))
    similar = [n.op_type for n in other.graph.node if len(n.input) == len(node.input)]
    names = _UNARY if len(node.input) == 1 else _BINARY if len(node.input) == 2 else ()
    if choices := [*similar, *names]:
        node.op_type = chance.choice(choices)
        if chance.random() < 0.7:
            del node.attribute[:]


def other_opset(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """The operators are read as those of another version."""
    if model.opset_import:
        chosen = chance.choice(model.opset_import)
        chosen.version = chance.choice(
            (1, 6, 7, 9, 10, 11, 12, 13, 17, 18, 20, 21, 22, 23, 24, chosen.version + 1)
        )


def fewer_inputs(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """An input of a node is left out, or the last ones."""
    node = chance.choice(_nodes(model))
    if node.input:
        at = chance.randrange(len(node.input))
        if chance.random() < 0.5:
            node.input[at] = ""
        else:
            del node.input[at:]


def rewired(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A node reads another value, or a result is another one."""
    names = _names(model)
    node = chance.choice(_nodes(model))
    if node.input and chance.random() < 0.8:
        node.input[chance.randrange(len(node.input))] = chance.choice(names)
    else:
        chance.choice(model.graph.output).name = chance.choice(names)


def another_node(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """One or two more operators, whose result is a result of the model."""
    for number in range(chance.choice((1, 1, 2))):
        names = _names(model)
        name = f"more_{len(model.graph.node)}_{number}"
        if chance.random() < 0.5:
            node = onnx.helper.make_node(chance.choice(_UNARY), [chance.choice(names)], [name])
        else:
            operator = chance.choice(_BINARY)
            inputs = chance.choices(names, k=3 if operator == "Where" else 2)
            axis = {"axis": chance.choice((0, 1, -1))} if operator in ("Gather", "Concat") else {}
            node = onnx.helper.make_node(operator, inputs, [name], **axis)
        model.graph.node.append(node)
        model.graph.output.append(onnx.ValueInfoProto(name=name))


def initialiser_is_fed(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A constant becomes an input, with or without its default."""
    if not model.graph.initializer:
        return
    at = chance.randrange(len(model.graph.initializer))
    tensor = model.graph.initializer[at]
    shape = [chance.choice((n, f"{tensor.name}_{axis}")) for axis, n in enumerate(tensor.dims)]
    model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, shape))
    if chance.random() < 0.8:
        del model.graph.initializer[at]


def input_is_constant(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """An input becomes a constant of small numbers."""
    if not model.graph.input:
        return
    at = chance.randrange(len(model.graph.input))
    info = model.graph.input[at]
    tensor = info.type.tensor_type
    shape = [min(max(d.dim_value, 0), 8) or 3 for d in tensor.shape.dim]
    if tensor.elem_type not in (1, 6, 7, 9, 11) or len(shape) > 6:
        return
    count = int(np.prod(shape))
    values = [chance.choice((0, 1, 1, 2)) for _ in range(count)]
    model.graph.initializer.append(onnx.helper.make_tensor(info.name, tensor.elem_type, shape, values))
    del model.graph.input[at]


def other_type(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """One element type becomes another throughout."""
    old = chance.choice((1, 1, 1, 7, 11, 6))
    new = chance.choice((1, 2, 3, 6, 7, 9, 10, 11, 12, 13, 16))
    for info in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if info.type.tensor_type.elem_type == old:
            info.type.tensor_type.elem_type = new
    for tensor in model.graph.initializer:
        if tensor.data_type == old and tensor.data_location == 0:
            with np.errstate(all="ignore"):
                array = onnx.numpy_helper.to_array(tensor)
                array = array.astype(onnx.helper.tensor_dtype_to_np_dtype(new))
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def joined(model: onnx.ModelProto, other: onnx.ModelProto, chance: Random) -> None:
    """The nodes of another model are added; some of its inputs are values of this one."""
    guest = onnx.compose.add_prefix_graph(other.graph, "o_")
    known = {o.domain for o in model.opset_import}
    model.opset_import.extend(o for o in other.opset_import if o.domain not in known)
    model.functions.extend(other.functions)
    names = _names(model)
    given = {}
    for info in guest.input:
        if names and chance.random() < 0.6:
            given[info.name] = chance.choice(names)
        else:
            model.graph.input.append(info)
    for node in guest.node:
        for at, name in enumerate(node.input):
            node.input[at] = given.get(name, name)
    model.graph.node.extend(guest.node)
    model.graph.initializer.extend(guest.initializer)
    model.graph.output.extend(guest.output)


def _nodes(model: onnx.ModelProto) -> list[Any]:
    """The nodes of the graph, of bodies in it and of functions."""
    found: list[Any] = []
    left = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    while left and len(found) < 2000:
        node = left.pop()
        found.append(node)
        left += [inner for a in node.attribute if a.HasField("g") for inner in a.g.node]
    return found or [onnx.NodeProto()]


def _names(model: onnx.ModelProto) -> list[str]:
    """The values that a node of the graph may read."""
    graph = model.graph
    names = [i.name for i in graph.input] + [t.name for t in graph.initializer]
    return [*names, *(name for node in graph.node for name in node.output if name)] or [""]


CHANGES: tuple[Change, ...] = (
    *(free_size, free_size, other_size, no_shape, other_attribute, other_attribute, other_attribute),
    *(
        new_attribute,
        new_attribute,
        other_constant,
        other_constant,
        other_operator,
        other_opset,
        fewer_inputs,
    ),
    *(rewired, another_node, another_node, initialiser_is_fed, input_is_constant, other_type, joined),
)
