"""Damaged and contradictory files end in an error of ours that says where, never in another exception."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import onnx
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError, SardonyxError, ShapeError
from sardonyx.frontend import load
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.value import placeholder
from tests.conformance.cases import load_cases
from tests.unit.frontend.models import parsed


def plain() -> onnx.ModelProto:
    return parsed("g (float[2] x) => (float[2] y) { h = Relu(x)  y = Neg(h) }")


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def undefined(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


def twice(model: onnx.ModelProto) -> None:
    model.graph.node[1].output[0] = "h"


def hides_an_input(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = "x"


def no_output(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


def unknown_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


def unknown_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


def no_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 0


def future_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 999


def no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def other_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "elsewhere"


def surplus_input(model: onnx.ModelProto) -> None:
    model.graph.node[0].input.append("x")


def surplus_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("wrong", 1))


def missing_input(model: onnx.ModelProto) -> None:
    del model.graph.node[0].input[:]


def surplus_result(model: onnx.ModelProto) -> None:
    model.graph.node[0].output.append("more")


def short_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer.add(name="w", data_type=1, dims=[4], raw_data=b"1234")


def negative_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer.add(name="w", data_type=1, dims=[-4], raw_data=b"")


FAULTS: tuple[tuple[Callable[[onnx.ModelProto], None], str], ...] = (
    (cycle, "cycle: .*Relu|cycle: .*Neg"),
    (undefined, 'nothing defines the tensor "nowhere"'),
    (twice, 'the tensor "h" is defined twice'),
    (hides_an_input, 'the tensor "x" is defined twice'),
    (no_output, "no outputs"),
    (unknown_output, '"nowhere"'),
    (unknown_type, '"x": the element type 99'),
    (no_type, '"x": it has no element type'),
    (future_opset, "opset 999"),
    (no_opset, "no opset"),
    (other_domain, 'no opset for the domain "elsewhere"'),
    (surplus_input, "2 inputs, at most 1"),
    (surplus_attribute, "no attribute wrong"),
    (missing_input, "needs 1 inputs"),
    (surplus_result, "1 results, the node names 2"),
    (short_tensor, 'tensor "w" of .* needs 16 bytes, it has 4'),
    (negative_tensor, "negative size"),
)


@pytest.mark.parametrize(("spoil", "message"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_fault_is_named(spoil: Callable[[onnx.ModelProto], None], message: str) -> None:
    model = plain()
    spoil(model)
    with pytest.raises(LoadError, match=message):
        load(model)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x00" * 64, b"\x08\x00\x00\x00ORTM" + bytes(16)])
def test_bytes_that_are_no_model(data: bytes) -> None:
    with pytest.raises(LoadError):
        load(data)


def test_a_result_of_another_type_than_declared() -> None:
    with pytest.raises(ShapeError, match='"y" is declared as'):
        load(parsed("g (float[2] x) => (int64[2] y) { y = Relu(x) }"))


def test_sizes_cannot_be_named_like_those_that_the_engine_names() -> None:
    with collect_data_sizes():
        (content_size,) = content(placeholder("n", dt.I64, (1,)))
    for name in (str(content_size), str(dims.fresh("size"))):
        model = parsed("g (float[N] x, float[N] z) => (float[N] y) { y = Add(x, z) }")
        for info in model.graph.input:
            info.type.tensor_type.shape.dim[0].dim_param = name
        assert name not in load(model).graph.symbols()


@pytest.mark.parametrize("seed", range(8))
def test_random_damage(seed: int) -> None:
    """Bytes of the node cases, changed, dropped or inserted at random."""
    chance = random.Random(seed)
    models = [case.model for case in load_cases().values()]
    for _ in range(40):
        data = bytearray(chance.choice(models))
        for _ in range(chance.choice([1, 1, 2, 4])):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randrange(1, 8)]
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(1, 5))
        try:
            load(bytes(data))
        except SardonyxError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"\n<!DOCTYPE html><html>", "HTML"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite"),
        (b"\x80\x04\x95 a pickle", "pickle"),
        (plain().SerializeToString()[:-9], "only a part of one"),
    ],
)
def test_a_file_that_is_something_else_is_named(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("g (float[2] x) => (float[2] y) { y = Cast<to = 99>(x) }", "Cast_0 .*to=99 names no element type"),
        ("g (float[2] x) => (float[2] y) { y = Relux(x) }", "Relux_0 .*is Relu meant.*sardonyx.op"),
        ("g (float[2] x) => (float[2] y) { y = ai.onnx.ml.Relu(x) }", "is Relu of ai.onnx meant"),
        (
            "g (bool c, float[2] x) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] a) "
            "{ a = Neg(x) }, else_branch = e () => (float[2] a, float[2] b) { a = Neg(x) b = Neg(x) }> }",
            "If_0 .*branches give 1 and 2 results",
        ),
        (
            "g (int64 n, float[2] x) => (float[2] y) { y = Loop(n, , x) <body = b (int64 i, bool c) => "
            "(bool d, float[2] t) { d = Identity(c) t = Relu(x) }> }",
            "Loop_0 .*its body has 2 inputs, it must have 3",
        ),
        (
            "g (int64 n, float[2] x) => (float[2] y) { y = Loop(n, , x) <body = b (int64 i, bool c, "
            "float[2] s) => (bool d) { d = Identity(c) }> }",
            "Loop_0 .*its body gives 1 results, it must give at least 2",
        ),
        (
            "g (float[3, 2] x) => (float[2] y) { y = Scan(x) <num_scan_inputs = 2, body = b (float[2] s) => "
            "(float[2] t) { t = Neg(s) }> }",
            "Scan_0 .*num_scan_inputs is 2, of 1 inputs",
        ),
        (
            "g (float[1, 1, 2, 2] x) => (float[1, 1, 4, 4] y) <float[4] s = {1, 1, 2, 2}, "
            "int64[4] z = {1, 1, 4, 4}> { y = Resize(x, , s, z) }",
            "Resize_0 .*not both",
        ),
        (
            "g (float[2] x, int64[2] w) => (float[2] y) { y = Add(x, w) }",
            r"tensor\(float\) and tensor\(int64\)",
        ),
    ],
)
def test_a_node_that_cannot_be_meant_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(SardonyxError, match=message):
        load(parsed(text).SerializeToString())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("(float[2] x) => (int64[2] y) { y = Relu(x) }", "declared as int64 but is float"),
        ("(int32[2] x) => (int32[2] y) { y = Sqrt(x) }", "int32"),
        ("(float[2] x) => (double[2] y) { y = BitCast<to = 11>(x) }", "the bits of float .* as double"),
        (
            "(float[2] x, int64[2] z) => (float[4] y) { y = Concat<axis = 0>(x, z) }",
            r"tensor\(float\) and tensor\(int64\)",
        ),
        ("(float[2] x, float[2] z) => (float[?] y) { y = Reshape(x, z) }", "float"),
        (
            "(float[2] x, bool c) => (float[2] y) { y = If(c) <then_branch = a () => (float[2] t) "
            "{ t = Neg(x) }, else_branch = b () => (double[2] e) { e = Cast<to = 11>(x) }> }",
            r"is float\[2\] in one branch and double\[2\] in another",
        ),
    ],
)
def test_messages_call_types_as_onnx_does(body: str, words: str) -> None:
    with pytest.raises(SardonyxError, match=words) as caught:
        load(parsed(f"g {body}", opset=26))
    assert not re.search(r"\b(b?f16|f32|f64|[iu](8|16|32|64))\b", str(caught.value))
