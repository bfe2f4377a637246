"""What is taken out of a model's bytes is what protobuf reads there; anything else is left to protobuf."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from sardonyx import frontend
from sardonyx.frontend import attributes
from sardonyx.frontend.tensors import TensorReader
from sardonyx.frontend.wire import LARGE_BYTES, extract
from sardonyx.ops.table import Texts

COUNT = LARGE_BYTES
MODES = ("BRANCH_LEQ", "LEAF", "BRANCH_GT")


def tree(**lists: object) -> onnx.ModelProto:
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **lists)
    infos = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", 1]) for n in "xy"]
    graph = helper.make_graph([node], "g", infos[:1], infos[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)])


def read(model: onnx.ModelProto, *, takes: int) -> list[object]:
    """The attributes of the only node, of whose lists so many are taken out."""
    extracted = extract(model.SerializeToString())
    assert len(extracted.taken) == takes
    left = onnx.ModelProto.FromString(extracted.data)
    reader = attributes.Reader(TensorReader((), extracted.taken), lambda graph: graph)
    (node,), (whole,) = left.graph.node, model.graph.node
    assert attributes.whole(node, extracted.taken) == whole
    return [reader.value(attribute) for attribute in node.attribute]


@pytest.mark.parametrize("seed", range(3))
def test_long_lists_of_numbers_and_texts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 63, COUNT)
    ints = rng.integers(-(1 << 62), 1 << 62, COUNT) >> sizes
    few, floats = rng.integers(0, 128, COUNT), rng.standard_normal(COUNT).astype(np.float32)
    codes = rng.integers(0, 3, COUNT)
    texts = [MODES[code] for code in codes]
    model = tree(ints=ints.tolist(), few=few.tolist(), floats=floats.tolist(), texts=texts, short=[1, 2])
    found = dict(zip(sorted(("ints", "few", "floats", "texts", "short")), read(model, takes=4), strict=True))
    np.testing.assert_array_equal(found["ints"], ints)
    np.testing.assert_array_equal(found["few"], few)
    np.testing.assert_array_equal(found["floats"], floats)
    assert isinstance(found["texts"], Texts)
    assert [found["texts"].names[code] for code in found["texts"].codes] == texts
    assert found["short"] == (1, 2)


@pytest.mark.parametrize(
    "texts",
    [
        [f"MODE_{n}" for n in range(40)],  # too many
        ["x" * 74, "y"],  # a length that looks like a tag
        ["aJb", "c"],  # a text with a tag in it
        ["x" * 200],  # a length of two bytes
        ["J\x01x", "x", "", "J"],
    ],
)
def test_texts_that_could_be_mistaken_are_left(texts: list[str]) -> None:
    many = [texts[n % len(texts)] for n in range(COUNT)]
    assert read(tree(modes=many), takes=0) == [tuple(many)]


def test_lists_of_other_operators_are_left() -> None:
    model = tree(ints=[7] * COUNT)
    model.graph.node[0].op_type = "LabelEncoder"
    assert read(model, takes=0) == [(7,) * COUNT]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_contents_of_tensors(data: st.DataObject) -> None:
    infos = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    tensors = []
    for n in range(data.draw(st.integers(1, 4))):
        size = data.draw(st.sampled_from([3, LARGE_BYTES // 8, LARGE_BYTES // 4, LARGE_BYTES]))
        values = np.random.default_rng(n).standard_normal(size).astype(np.float32)
        raw = data.draw(st.booleans())
        tensors.append(
            numpy_helper.from_array(values, f"t{n}")
            if raw
            else helper.make_tensor(f"t{n}", onnx.TensorProto.FLOAT, [size], values.tolist())
        )
    graph = helper.make_graph([helper.make_node("Sum", ["t0"], ["y"])], "g", [], infos, tensors)
    extracted = extract(helper.make_model(graph).SerializeToString())
    left = onnx.ModelProto.FromString(extracted.data).graph.initializer
    for found, proto in zip(left, tensors, strict=True):
        np.testing.assert_array_equal(
            TensorReader((), extracted.taken).dense(found), numpy_helper.to_array(proto)
        )
    assert len(extracted.taken) == sum(proto.dims[0] >= LARGE_BYTES // 4 for proto in tensors)


@pytest.mark.parametrize("raw", [True, False])
def test_the_tensor_of_a_constant(raw: bool) -> None:
    values = np.random.default_rng(0).standard_normal(COUNT).astype(np.float32)
    tensor = numpy_helper.from_array(values)
    if not raw:
        tensor = helper.make_tensor("", onnx.TensorProto.FLOAT, [COUNT], values.tolist())
    model = tree(short=[1])
    model.graph.node[0].CopyFrom(helper.make_node("Constant", [], ["y"], value=tensor))
    extracted = extract(model.SerializeToString())
    (found,) = extracted.taken.values()
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found.view(np.float32), values)
    (node,) = onnx.ModelProto.FromString(extracted.data).graph.node
    (attribute,) = node.attribute
    reader = attributes.Reader(TensorReader((), extracted.taken), lambda graph: graph)
    np.testing.assert_array_equal(reader.value(attribute), values)
    (whole,) = attributes.whole(node, extracted.taken).attribute
    np.testing.assert_array_equal(numpy_helper.to_array(whole.t), values)


@pytest.mark.parametrize("times", [1, 2])
def test_a_constant_that_is_given_two_tensors_is_left_to_protobuf(times: int) -> None:
    """Protobuf would merge them."""
    tensor = onnx.AttributeProto(t=numpy_helper.from_array(np.ones(COUNT, np.float32)))
    constant = onnx.NodeProto(op_type="Constant").SerializeToString()
    constant += field(
        5, onnx.AttributeProto(name="value").SerializeToString() + tensor.SerializeToString() * times
    )
    assert len(extract(field(7, field(1, constant))).taken) == (times == 1)


def field(number: int, content: bytes) -> bytes:
    """A field of bytes of a message."""
    size, head = len(content), bytearray([number << 3 | 2])
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([*head, size]) + content


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[pytest.mark.slow] * (n >= 18)) for n in range(60)])
def test_damaged_bytes_are_protobufs_to_judge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = tree(ints=rng.integers(0, 300, COUNT).tolist(), texts=["LEAF"] * COUNT)
    model.graph.initializer.append(
        numpy_helper.from_array(rng.bytes(COUNT) and np.zeros(COUNT, np.uint8), "t")
    )
    tensor = numpy_helper.from_array(rng.integers(0, 256, COUNT, np.uint8))
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    data = bytearray(model.SerializeToString())
    if seed % 3 == 0:
        del data[int(rng.integers(len(data))) :]
    else:
        places = rng.integers(0, 200 if seed % 3 == 1 else len(data), 3)
        for place in places:
            data[int(place)] = int(rng.integers(256))
    extracted = extract(bytes(data))
    try:
        expected = onnx.ModelProto.FromString(bytes(data))
    except DecodeError:
        return
    found = onnx.ModelProto.FromString(extracted.data)
    assert [attributes.whole(n, extracted.taken) for n in found.graph.node] == list(expected.graph.node)
    for left, proto in zip(found.graph.initializer, expected.graph.initializer, strict=True):
        taken = extracted.taken.get(left.raw_data)
        assert (left.raw_data if taken is None else np.asarray(taken).tobytes()) == proto.raw_data


def test_a_model_is_the_same_graph_either_way() -> None:
    weights = np.random.default_rng(0).standard_normal((256, 128)).astype(np.float32)
    infos = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", s])
        for n, s in (("x", 256), ("y", 128))
    ]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", infos[:1], infos[1:], [numpy_helper.from_array(weights, "w")])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]).SerializeToString()
    whole, light = frontend.open_model(data), frontend.open_model(data, content=data)
    assert (len(whole.taken), len(light.taken)) == (0, 1)
    for source in (whole, light):
        (constant,) = [v for v in frontend.load(source).graph.order() if v.is_const]
        np.testing.assert_array_equal(constant.data, weights)


@pytest.mark.parametrize("second", ["float_data", "int32_data", "string_data", "int64_data", "double_data"])
def test_a_tensor_with_contents_in_two_fields_is_left_to_protobuf(second: str) -> None:
    tensor = numpy_helper.from_array(np.ones(LARGE_BYTES, np.float32), "w")
    other = [b"x"] if second == "string_data" else [1]
    model = tree(short=[1])
    model.graph.initializer.append(tensor)
    assert len(extract(model.SerializeToString()).taken) == 1
    getattr(model.graph.initializer[0], second).extend(other)
    assert not extract(model.SerializeToString()).taken
