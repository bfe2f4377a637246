"""What a model file means: inputs, sizes, constants, functions, subgraphs, fallbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sardonyx.base.knobs import CompileOptions
from sardonyx.errors import LoadError, UnsupportedOp
from sardonyx.frontend import load, signature
from sardonyx.frontend.messages import NEWEST_IR_VERSION
from tests.conformance.cases import load_cases
from tests.unit.frontend.models import outputs, parsed, shapes


def f32(data: Any) -> np.ndarray[Any, Any]:
    return np.array(data, np.float32)


def test_equal_names_are_one_size_and_nameless_sizes_are_not() -> None:
    model = parsed("g (float[N,?] x, float[N,4] y) => (float[N,?] z) { z = Concat<axis = 1>(x, y) }")
    assert shapes(model) == ["N,x[1]+4"]


def test_a_question_mark_is_no_name() -> None:
    model = parsed("g (float[N,M] x) => (float[N,M] y) { y = Relu(x) }")
    for size in model.graph.input[0].type.tensor_type.shape.dim:
        size.dim_param = "?"
    assert shapes(model) == ["x[0],x[1]"]


def test_options_fix_free_sizes() -> None:
    model = parsed("g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    loaded = load(model, CompileOptions(dims={"N": 3}))
    assert loaded.graph.inputs[0].shape == (3, 4)
    assert loaded.inputs[0].shape == (3, 4)


def test_shape_arithmetic_leaves_no_operation() -> None:
    model = parsed("""
        g (float[N,C,H,W] x) => (float[A,B] y) {
            s = Shape(x)
            zero = Constant<value_ints = [0]>()
            n = Gather(s, zero)
            rest = Constant<value_ints = [-1]>()
            to = Concat<axis = 0>(n, rest)
            y = Reshape(x, to)
        }""")
    graph = load(model).graph
    assert [v.prim for v in graph.order()] == ["input", "reshape"]
    assert shapes(model) == ["N,C*H*W"]


def test_initialisers_that_are_inputs_can_be_fed() -> None:
    model = parsed("g (float[2] x, float[2] w) => (float[2] y) { y = Mul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.float32), "w"))
    loaded = load(model)
    assert [i.name for i in loaded.inputs] == ["x"]
    assert [i.name for i in loaded.initializers] == ["w"]
    np.testing.assert_array_equal(outputs(loaded, f32([1, 1]))[0], [2, 3])
    fed = load(model, fed=["w"])
    np.testing.assert_array_equal(outputs(fed, f32([1, 1]), f32([5, 6]))[0], [5, 6])


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("nodes", "initial"),
    [
        ("c = Constant<value_float = 1.0>() y = Add(x, c) c = Constant<value_float = 3.0>()", ()),
        ("c = Constant<value_float = 3.0>() y = Add(x, c)", (1.0,)),
        ("y = Add(x, c)", (1.0, 2.0, 3.0)),
    ],
    ids=["constants", "an initialiser and a constant", "initialisers"],
)
def test_the_last_constant_of_a_name_counts(nodes: str, initial: tuple[float, ...], nested: bool) -> None:
    body = nodes.replace("y = ", "p = ")
    text = f"""g (float x, bool b) => (float y) {{
        y = If<then_branch = t () => (float p) {{ {body} }},
               else_branch = e () => (float q) {{ q = Neg(x) }}>(b)
    }}"""
    model = parsed(text if nested else f"g (float x, bool b) => (float y) {{ {nodes} }}")
    graph = model.graph.node[0].attribute[0].g if nested else model.graph
    graph.initializer.extend(numpy_helper.from_array(np.float32(n), "c") for n in initial)
    with pytest.warns(UserWarning, match="several constants .* named c"):
        loaded = load(model)
    assert outputs(loaded, np.float32(1), np.bool_(True))[0] == 4


def test_domains_that_are_not_imported_have_their_newest_opset() -> None:
    model = parsed("""g (float[2] x) => (float[2] y) {
        y = Relu(x)  z = com.microsoft.Gelu(x)  w = ai.onnx.ml.Scaler<scale = [2.0]>(x)
    }""")
    del model.opset_import[:]
    model.opset_import.add(domain="ai.onnx.training", version=1)
    np.testing.assert_array_equal(outputs(model, f32([-1, 2]))[0], [0, 2])


@pytest.mark.parametrize("op", ["LayerNormalization", "SimplifiedLayerNormalization"])
@pytest.mark.parametrize("opset", [12, 17, 21])
def test_attributes_that_no_schema_rules_are_ignored(op: str, opset: int) -> None:
    model = parsed(
        f"g (float[1,2] x, float[2] s) => (float[1,2] y) {{ y = {op}<surplus = 3, more = [1.0]>(x, s) }}",
        opset,
    )
    (y,) = outputs(model, f32([[1, -1]]), f32([1, 2]))
    np.testing.assert_allclose(y, [[1, -2]], rtol=1e-4)


@pytest.mark.parametrize("op", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_a_norm_of_halves_with_a_single_scale_gives_singles(op: str) -> None:
    model = parsed(f"g (float16[1,3] x, float[3] s) => (float[1,3] y) {{ y = {op}(x, s) }}", 12)
    x = np.array([[-1, 0, 1]], np.float16)
    (y,) = outputs(model, x, f32([1, 2, 3]))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x / np.sqrt(2 / 3 + 1e-5) * f32([1, 2, 3]), rtol=1e-5)


def test_constants_of_all_kinds() -> None:
    model = parsed("""
        g () => (float a, int64[2] b, string[1] c, float[3] d) {
            a = Constant<value_float = 1.5>()
            b = Constant<value_ints = [1, 2]>()
            c = Constant<value_strings = ["text"]>()
            d = Constant<value = float[3] {1, 2, 3}>()
        }""")
    a, b, c, d = outputs(model)
    assert (a.item(), b.tolist(), c.tolist(), d.tolist()) == (1.5, [1, 2], ["text"], [1, 2, 3])


def test_sparse_initialisers_become_dense() -> None:
    model = parsed("g () => (float[2,3] y) { y = Identity(w) }")
    values = numpy_helper.from_array(np.array([5, 7], np.float32), "w")
    indices = numpy_helper.from_array(np.array([[0, 1], [1, 2]], np.int64), "")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2, 3]))
    np.testing.assert_array_equal(outputs(model)[0], [[0, 5, 0], [0, 0, 7]])


@pytest.mark.parametrize(
    "code", [TensorProto.INT4, TensorProto.UINT4, TensorProto.BFLOAT16, TensorProto.FLOAT8E5M2]
)
def test_narrow_types(code: int) -> None:
    tensor = helper.make_tensor("w", code, [3], [1, 2, 3])
    node = helper.make_node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    model = helper.make_model(helper.make_graph([node], "g", [], [output], [tensor]))
    np.testing.assert_array_equal(outputs(model)[0], [1, 2, 3])


def external(folder: Path, location: str, length: str = "8") -> onnx.ModelProto:
    model = parsed("g (float[2] x) => (float[2] y) { y = Mul(x, w) }")
    tensor = model.graph.initializer.add(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "4"), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    (folder / "weights.bin").write_bytes(np.array([9, 2, 3], np.float32).tobytes())
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return model


def test_external_data_lies_beside_the_model(tmp_path: Path) -> None:
    external(tmp_path, "weights.bin")
    np.testing.assert_array_equal(outputs(load(tmp_path / "model.onnx"), f32([1, 1]))[0], [2, 3])


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/hostname", "", "missing.bin", "a/../../weights.bin"]
)
def test_external_data_stays_inside(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(12))
    external(folder, location)
    with pytest.raises(LoadError, match='tensor "w"'):
        load(folder / "model.onnx")


def test_external_data_through_a_link_stays_inside(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    external(folder, "link.bin")
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(LoadError, match="leaves the folder"):
        load(folder / "model.onnx")


@pytest.mark.parametrize("place", ["blobs", "blobs/data", "data"])
def test_external_data_as_the_cache_of_a_hub_lays_it_out(tmp_path: Path, place: str) -> None:
    """Model and data are links to other folders; what lies beside the model's own file belongs to it."""
    blobs, snapshot, data = tmp_path / "blobs", tmp_path / "snapshots" / "version", tmp_path / place
    for folder in (blobs, snapshot, data):
        folder.mkdir(parents=True, exist_ok=True)
    external(blobs, "model.onnx_data")
    (blobs / "weights.bin").rename(data / "5678")
    (blobs / "model.onnx").rename(blobs / "1234")
    (snapshot / "model.onnx").symlink_to(blobs / "1234")
    (snapshot / "model.onnx_data").symlink_to(data / "5678")
    if place == "data":
        with pytest.raises(LoadError, match="leaves the folder"):
            load(snapshot / "model.onnx")
    else:
        np.testing.assert_array_equal(outputs(load(snapshot / "model.onnx"), f32([1, 1]))[0], [2, 3])


def test_a_linked_model_names_no_file_outside(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    external(blobs, "../blobs/weights.bin")
    (snapshot / "model.onnx").symlink_to(blobs / "model.onnx")
    with pytest.raises(LoadError, match="leaves the folder"):
        load(snapshot / "model.onnx")


def test_external_data_must_be_long_enough(tmp_path: Path) -> None:
    external(tmp_path, "weights.bin", length="12")
    with pytest.raises(LoadError, match="outside of"):
        load(tmp_path / "model.onnx")


FUNCTION = """
g (float[N] x) => (float[N] y) { y = own.Scaled<factor = 3.0>(x) }
<domain: "own", opset_import: ["" : 21]>
Scaled<factor: float = 2.0, shift>(a) => (b) {
    f = Constant<value_float: float = @factor>()
    b = Mul(a, f)
}"""


def test_functions_are_built_in_place_with_their_attributes() -> None:
    model = parsed(FUNCTION, imports=', "own" : 1')
    np.testing.assert_array_equal(outputs(model, f32([1, 2]))[0], [3, 6])
    default = parsed(FUNCTION.replace("<factor = 3.0>(x)", "(x)"), imports=', "own" : 1')
    np.testing.assert_array_equal(outputs(default, f32([1, 2]))[0], [2, 4])


def test_a_function_that_calls_itself_is_refused() -> None:
    body = FUNCTION.replace("b = Mul(a, f)", "b = own.Scaled(a)")
    with pytest.raises(LoadError, match="calls itself"):
        load(parsed(body, imports=', "own" : 1'))


def test_operators_without_a_meaning_use_the_body_of_their_schema() -> None:
    model = parsed("g (float[N,5] x, int64[N] t) => (float l) { l = NegativeLogLikelihoodLoss(x, t) }")
    loaded = load(model)
    assert not loaded.fallbacks
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    np.testing.assert_allclose(outputs(loaded, x, np.array([1, 0]))[0], -3)


def test_operators_without_a_body_run_through_the_reference_evaluator() -> None:
    model = load_cases()["test_image_decoder_decode_bmp_rgb"].model
    assert [(f.op, f.node) for f in load(model).fallbacks] == [("ImageDecoder", "ImageDecoder_0")]
    with pytest.raises(UnsupportedOp, match="fallback"):
        load(model, CompileOptions(fallback="error"))


def test_nodes_may_come_in_any_order() -> None:
    model = parsed("g (float[N] x) => (float[N] y) { h = Relu(x)  y = Neg(h) }")
    nodes = [model.graph.node[1], model.graph.node[0]]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    np.testing.assert_array_equal(outputs(model, f32([-1, 2]))[0], [0, -2])


def test_a_known_condition_builds_one_branch() -> None:
    model = parsed("""
        g (float[N] x) => (float[N] y) {
            c = Constant<value = bool {1}>()
            y = If(c) <
                then_branch = t () => (float[N] a) { a = Relu(x) },
                else_branch = e () => (float[N] b) { b = Unheard(x) }
            >
        }""")
    assert [v.prim for v in load(model).graph.order()] == ["input", "const", "max"]


def test_a_closed_branch_captures_outer_values_and_sizes() -> None:
    model = parsed("""
        g (bool c, float[N,4] x) => (float[N,4] y, int64[2] s) {
            h = Relu(x)
            y, s = If(c) <
                then_branch = t () => (float[N,4] a, int64[2] p) { a = Neg(h)  p = Shape(h) },
                else_branch = e () => (float[N,4] b, int64[2] q) { b = Identity(h)  q = Shape(x) }
            >
        }""")
    loaded = load(model)
    x = f32([[1, -1, 2, -2]] * 3)
    for condition, sign in ((True, -1), (False, 1)):
        y, s = outputs(loaded, np.bool_(condition), x)
        np.testing.assert_array_equal(y, sign * x.clip(0))
        assert s.tolist() == [3, 4]


def test_the_signature_needs_no_graph() -> None:
    model = parsed("g (float[N,?] x) => (float[N] y) { y = Unheard(x) }")
    found = signature(model)
    assert found.inputs[0].type == "tensor(float)"
    assert found.inputs[0].shape == ("N", None)
    assert [o.name for o in found.outputs] == ["y"]


def test_messages_name_node_operator_and_reason() -> None:
    with pytest.raises(UnsupportedOp, match=r"Unheard_0 \(Unheard\): Unheard-21"):
        load(parsed("g (float[N] x) => (float[N] y) { y = Unheard(x) }"))


def test_nothing_is_asked_of_a_node_that_gives_nothing() -> None:
    model = parsed("g (float[2] x) => (float[2] y) { y = Neg(x)  z = Unknown(x)  w = If(x) }")
    for node in model.graph.node[1:]:
        del node.output[:]
    del model.graph.node[2].input[:]
    (y,) = outputs(model, np.ones(2, np.float32))
    assert y.tolist() == [-1, -1]


def test_a_newer_form_of_the_file_is_refused() -> None:
    model = parsed("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.ir_version = NEWEST_IR_VERSION
    load(model)
    model.ir_version += 1
    with pytest.raises(LoadError, match=f"Unsupported model IR version: {NEWEST_IR_VERSION + 1}, max"):
        load(model)
