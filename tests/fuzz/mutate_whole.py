"""A model put into another form: inside a branch, a loop or a function, its tensors sparse or in files."""

from __future__ import annotations

from random import Random

import numpy as np
import onnx

from tests.fuzz import numbers


def in_a_branch(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """The nodes move into both branches of an If."""
    graph = model.graph
    body = onnx.GraphProto(name="body")
    body.node.extend(graph.node)
    body.output.extend(graph.output)
    names = [o.name for o in graph.output]
    body_names = [f"{name}_inside" for name in names]
    for node in body.node:
        for at, name in enumerate(node.output):
            node.output[at] = f"{name}_inside" if name in names else name
        for at, name in enumerate(node.input):
            node.input[at] = f"{name}_inside" if name in names else name
    for output, name in zip(body.output, body_names, strict=True):
        output.name = name
    other = onnx.GraphProto()
    other.CopyFrom(body)
    del graph.node[:]
    if chance.random() < 0.5:
        graph.input.append(onnx.helper.make_tensor_value_info("condition", 9, []))
    else:
        graph.initializer.append(onnx.helper.make_tensor("condition", 9, [], [chance.random() < 0.5]))
    graph.node.append(onnx.helper.make_node("If", ["condition"], names, then_branch=body, else_branch=other))


def in_a_loop(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """The nodes move into the body of a Loop, which stacks the results."""
    graph = model.graph
    body = onnx.GraphProto(name="body")
    body.input.append(onnx.helper.make_tensor_value_info("iteration_", 7, []))
    body.input.append(onnx.helper.make_tensor_value_info("go_", 9, []))
    body.node.append(onnx.helper.make_node("Identity", ["go_"], ["go_on_"]))
    body.node.extend(graph.node)
    body.output.append(onnx.helper.make_tensor_value_info("go_on_", 9, []))
    body.output.extend(graph.output)
    names = [o.name for o in graph.output]
    del graph.node[:]
    trips = chance.choice((0, 1, 2, 3, -1, -(1 << 63)))
    graph.initializer.append(onnx.helper.make_tensor("trips_", 7, [], [trips]))
    outer = [f"{name}_stacked" for name in names]
    graph.node.append(onnx.helper.make_node("Loop", ["trips_", ""], outer, body=body))
    for output, name in zip(graph.output, outer, strict=True):
        output.name = name
        output.type.tensor_type.ClearField("shape")


def in_a_function(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """The nodes become a function of the model, which may call itself."""
    graph = model.graph
    inputs = [i.name for i in graph.input]
    outputs = [o.name for o in graph.output]
    inputs += [t.name for t in graph.initializer if t.name not in inputs]
    function = onnx.FunctionProto(name="inside", domain="made")
    function.input.extend(inputs)
    function.output.extend(outputs)
    function.node.extend(graph.node)
    function.opset_import.extend(model.opset_import)
    if chance.random() < 0.15:
        call = onnx.helper.make_node("inside", inputs, [f"{o}_again" for o in outputs], domain="made")
        function.node.append(call)
    model.functions.append(function)
    del graph.node[:]
    graph.node.append(onnx.helper.make_node("inside", inputs, outputs, domain="made"))
    model.opset_import.add(domain="made", version=1)


def deeply_nested(model: onnx.ModelProto, other: onnx.ModelProto, chance: Random) -> None:
    """Branches in branches."""
    for _ in range(chance.choice((2, 3, 5))):
        if model.ByteSize() < 1 << 16:
            in_a_branch(model, other, chance)
            for info in model.graph.input:
                if info.name == "condition":
                    model.graph.input.remove(info)
                    break


def sparse(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A tensor of numbers becomes sparse, with one index that may be wrong."""
    tensors = [
        t for t in model.graph.initializer if t.data_type in (1, 7, 11) and t.dims and not t.data_location
    ]
    if not tensors:
        return
    tensor = chance.choice(tensors)
    array = onnx.numpy_helper.to_array(tensor).reshape(-1)
    (indices,) = np.nonzero(array)
    indices = indices.astype(np.int64)
    if len(indices) and chance.random() < 0.5:
        at = chance.randrange(len(indices))
        indices[at] = numbers.integer(chance, int(indices[at]))
    values = onnx.numpy_helper.from_array(array[np.nonzero(array)], tensor.name)
    places = onnx.numpy_helper.from_array(indices, f"{tensor.name}_indices")
    made = onnx.SparseTensorProto(values=values, indices=places, dims=tensor.dims)
    if chance.random() < 0.2:
        made.dims[0] = numbers.integer(chance, made.dims[0])
    model.graph.initializer.remove(tensor)
    model.graph.sparse_initializer.append(made)


def external(model: onnx.ModelProto, _: onnx.ModelProto, chance: Random) -> None:
    """A tensor claims to lie in a file, which may be missing, elsewhere or too short."""
    if not model.graph.initializer:
        return
    tensor = chance.choice(model.graph.initializer)
    tensor.data_location = 1
    for field in ("raw_data", "float_data", "int32_data", "int64_data"):
        tensor.ClearField(field)
    del tensor.external_data[:]
    where = (
        "weights.bin",
        "model.onnx",
        "missing.bin",
        "../weights.bin",
        "/etc/hostname",
        "",
        ".",
        "link.bin",
    )
    tensor.external_data.add(key="location", value=chance.choice(where))
    for key in ("offset", "length"):
        if chance.random() < 0.7:
            tensor.external_data.add(
                key=key, value=chance.choice(("0", "64", str(numbers.integer(chance)), "x", ""))
            )


FORMS = (in_a_branch, in_a_loop, in_a_function, deeply_nested, sparse, external)
