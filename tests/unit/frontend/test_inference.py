"""Types are inferred around operators that would end the process for want of one, and of them too."""

from __future__ import annotations

import subprocess
import sys

import onnx
import onnx.parser
import pytest

from sardonyx.frontend.inference import at_opset, inferred

HEAD = '<ir_version: 10, opset_import: ["": 21, "ai.onnx.ml": {ml}, "other": 1]> g'
ENCODER = "ai.onnx.ml.LabelEncoder <keys_floats = [3.0], values_int64s = [0]>"


def types(text: str, ml: int = 3) -> dict[str, int]:
    model = onnx.parser.parse_model(HEAD.format(ml=ml) + text)
    before = model.SerializeToString()
    found = inferred(model)
    assert model.SerializeToString() == before
    assert list(found.opset_import) == list(model.opset_import)
    assert [node.domain for node in found.graph.node] == [node.domain for node in model.graph.node]
    return {value.name: value.type.tensor_type.elem_type for value in found.graph.value_info}


@pytest.mark.parametrize("strange", ["ai.onnx.ml.Scaler <offset = [0.0], scale = [1.0]>", "other.Op"])
@pytest.mark.parametrize(
    ("node", "ml"),
    [
        (ENCODER, 3),
        (ENCODER, 4),
        ('ai.onnx.ml.LabelEncoder <classes_strings = ["a"]>', 1),
        ("ai.onnx.ml.TreeEnsemble <nodes_splits = float[1] {1.0}>", 5),
        ('ai.onnx.ml.DictVectorizer <string_vocabulary = ["a"]>', 3),
        ('RegexFullMatch <pattern = "a">', 3),
        ("EyeLike", 3),
    ],
)
def test_operators_whose_input_has_no_type(strange: str, node: str, ml: int) -> None:
    body = f"a = Identity (x) t = {strange} (a) u = {node} (t) y = Identity (u)"
    found = types(f"(float[N] x) => (int64[N] y) {{ {body} }}", ml)
    assert found["a"] == onnx.TensorProto.FLOAT
    assert "t" not in found


EVERY = """
import onnx
from onnx import AttributeProto, helper
from sardonyx.frontend.inference import inferred

some = {"INT": 1, "FLOAT": 1.0, "STRING": "a", "INTS": [1], "FLOATS": [1.0], "STRINGS": ["a"]}
some["TENSOR"] = helper.make_tensor("t", 1, [1], [1.0])
some["GRAPH"] = helper.make_graph([], "body", [], [])
for row in onnx.defs.get_all_schemas():
    print(row.domain, row.name, flush=True)
    inputs = ["u"] * max(row.min_input, min(len(row.inputs), 3))
    facts = {a.name: some[a.type.name] for a in row.attributes.values() if a.required and a.type.name in some}
    nodes = [helper.make_node("Op", ["x"], ["u"], domain="other")]
    nodes += [helper.make_node(row.name, inputs, ["y"], domain=row.domain, **facts)]
    outer = [helper.make_tensor_value_info(name, 1, None) for name in "xy"]
    opsets = {"": 21, "other": 1} | {row.domain: row.since_version}
    opsets = [helper.make_opsetid(*pair) for pair in opsets.items()]
    graph = helper.make_graph(nodes, "g", outer[:1], outer[1:])
    try:
        inferred(helper.make_model(graph, opset_imports=opsets))
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        pass
"""


def test_no_operator_without_types_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", EVERY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout.splitlines()[-1:], done.stderr[-500:])
    assert done.stdout.count("\n") > 200


def test_operators_one_after_the_other() -> None:
    back = "ai.onnx.ml.LabelEncoder <keys_int64s = [0], values_floats = [3.0]>"
    body = f"a = {ENCODER} (x) b = {back} (a) c = {ENCODER} (b) y = Identity (c)"
    found = types(f"(float[N] x) => (int64[N] y) {{ {body} }}")
    assert found == {"a": 7, "b": 1, "c": 7}


def test_operators_in_bodies() -> None:
    body = f"b () => (int64[N] z) {{ t = other.Op (x) u = {ENCODER} (t) z = Identity (u) }}"
    found = types(
        "(float[N] x, bool c) => (int64[N] y) "
        f"{{ k = Identity (x) y = If (c) <then_branch = {body}, else_branch = {body.replace('z', 'w')}> }}"
    )
    assert found["k"] == onnx.TensorProto.FLOAT


def test_other_models_and_options() -> None:
    wrong = onnx.parser.parse_model(
        HEAD.format(ml=3) + "(float[2] x, float[3] z) => (float[N] y) { y = Add (x, z) }"
    )
    with pytest.raises(onnx.shape_inference.InferenceError):
        inferred(wrong, strict_mode=True)
    assert types("(float[2] x) => (float[2] y) { a = Identity (x) y = Identity (a) }") == {"a": 1}


def test_opsets_change_around_them() -> None:
    scaled = "ai.onnx.ml.Scaler <offset = [0.0], scale = [1.0]> (x)"
    for node in (f"t = {scaled} y = {ENCODER} (t)", "y = Identity (x)"):
        model = onnx.parser.parse_model(
            HEAD.format(ml=3).replace("21", "13") + f"(float[N] x) => (int64[N] y) {{ {node} }}"
        )
        newer = at_opset(model, 21)
        assert {row.domain: row.version for row in newer.opset_import}[""] == 21
        assert [(node.op_type, node.domain) for node in newer.graph.node] == [
            (node.op_type, node.domain) for node in model.graph.node
        ]
