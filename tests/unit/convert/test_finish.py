"""Each step from a raw export to a good file, and what is said of models that are none."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from sardonyx.convert import finish
from sardonyx.convert.finish import finished, nodes, opened, refuse_strange, weights_are_no_inputs
from sardonyx.convert.framework import ConvertError, Exported

HEAD = '<ir_version: 3, opset_import: ["" : 13]>'
PLAIN = f"{HEAD} g (float[N, 2] x) => (float[N, 2] y) {{ y = Relu(x) }}"


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def exported(model: onnx.ModelProto, tmp_path: Path, **facts: object) -> Exported:
    path = tmp_path / "raw.onnx"
    path.write_bytes(model.SerializeToString())
    return Exported(path, [], drawn=True, **facts)  # type: ignore[arg-type]


def sizes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def test_the_whole_way(tmp_path: Path) -> None:
    text = f"""{HEAD} g (float[?, 2] x, float[2] w) => (float[?, 2] y) <float[2] w = {{1, 2}}> {{
        same = Identity(x)  left = Add(same, w)  right = Add(x, w)  unused = Relu(x)  y = Mul(left, right)
    }}"""
    model, notes = finished(
        exported(parsed(text), tmp_path, outputs=("value",)), None, {"classes": ["a", "é"]}
    )
    assert notes == []
    assert [node.op_type for node in model.graph.node] == ["Add", "Mul"]
    assert [value.name for value in model.graph.input] == ["x"]
    assert (sizes(model.graph.input[0]), sizes(model.graph.output[0])) == (["batch", 2], ["batch", 2])
    assert (model.graph.output[0].name, model.opset_import[0].version, model.ir_version >= 4) == (
        "value",
        21,
        True,
    )
    assert {row.key: row.value for row in model.metadata_props} == {"classes": '["a", "é"]'}


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="is not a whole ONNX model"):
        opened(tmp_path / "none.onnx")
    (tmp_path / "m.onnx").write_text("no model")
    with pytest.raises(ConvertError, match="is not a whole ONNX model"):
        opened(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(onnx.ModelProto(ir_version=8).SerializeToString())
    with pytest.raises(ConvertError, match="it has no graph"):
        opened(tmp_path / "m.onnx")


def test_an_invalid_export_is_told(tmp_path: Path) -> None:
    model = parsed(PLAIN)
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(ConvertError, match="the export is not a valid ONNX model: .+"):
        finished(exported(model, tmp_path), None, {})


def test_strange_operators_are_named_with_their_place() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "aten" : 1, "com.microsoft" : 1]>
    g (bool c, float[2] x) => (float[2] y) {
        k = com.microsoft.Gelu(x)
        y = If(c) <then_branch = t () => (float[2] z) { z = aten.fold(k) },
            else_branch = e () => (float[2] z) { z = Relu(k) }>
    }"""
    model = parsed(text)
    assert [node.op_type for node in nodes(model.graph)] == ["Gelu", "If", "fold", "Relu"]
    with pytest.raises(
        ConvertError, match=r"contains aten\.fold \(node \?\), an operator that ONNX does not have; rep"
    ):
        refuse_strange(model)
    strange = next(node for node in nodes(model.graph) if node.op_type == "fold")
    strange.name, strange.doc_string = "layer", "from line 3\nand more"
    with pytest.raises(ConvertError, match=r"node layer\).* does not have \(from line 3\);"):
        refuse_strange(model)
    strange.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="first\n\n File m.py\n  x.fold()\n")
    with pytest.raises(ConvertError, match=r"does not have, from File m\.py / x\.fold\(\);"):
        refuse_strange(model)
    model.graph.node.add(op_type="Crop", domain="layers", name="last", input=["x"], output=["w"])
    with pytest.raises(
        ConvertError,
        match=r"\(so are aten\.fold \(node layer\)\); .*@sardonyx\.op\('Crop', domain='layers'\)",
    ):
        model.graph.node.insert(0, model.graph.node.pop())
        refuse_strange(model)


def test_functions_of_the_model_are_no_strangers() -> None:
    model = parsed("""<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    g (float[2] x) => (float[2] y) { y = own.twice(x) }
    <opset_import: ["" : 17], domain: "own"> twice (x) => (y) { y = Add(x, x) }""")
    refuse_strange(model)
    del model.functions[:]
    with pytest.raises(ConvertError, match=r"own\.twice"):
        refuse_strange(model)


def test_inputs_that_are_no_weights_stay() -> None:
    model = parsed(PLAIN)
    weights_are_no_inputs(model)
    assert (len(model.graph.input), model.ir_version) == (1, 3)


def test_old_weights_need_not_be_inputs(tmp_path: Path) -> None:
    text = f"{HEAD} g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {{1, 2}}> {{ y = Add(x, w) }}"
    model, _ = finished(exported(parsed(text), tmp_path), None, {})
    assert (len(model.graph.input), model.opset_import[0].version, model.ir_version) == (1, 21, 10)


def test_axes_are_named_from_inputs_to_outputs(tmp_path: Path) -> None:
    text = f"{HEAD} g (float[?, ?] x) => (float[?, ?, 1] y) {{ axes = Constant<value_ints = [2]>() "
    raw = parsed(text + " y = Unsqueeze(x, axes) }")
    model, _ = finished(exported(raw, tmp_path, batch=False, axes={"x": {0: "n", 1: "length"}}), None, {})
    assert (sizes(model.graph.input[0]), sizes(model.graph.output[0])) == (
        ["n", "length"],
        ["n", "length", 1],
    )


def test_maps_become_the_tensor_behind_them() -> None:
    model = parsed(
        '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]> '
        "g (float[N, 2] x) => (seq(map(int64, float)) p) "
        "{ s = Softmax(x)  p = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1]>(s) }"
    )
    finish.probabilities_are_tensors(model)
    assert [node.op_type for node in model.graph.node] == ["Softmax"]
    assert model.graph.output[0].name == "s"
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_outputs_get_names_that_are_free() -> None:
    model = parsed(f"{HEAD} g (float[2] x) => (float[2] a, float[2] b) {{ a = Relu(x)  b = Abs(a) }}")
    finish._name_outputs(model, ("value", "x", "more"))
    assert [value.name for value in model.graph.output] == ["value", "b"]
    assert (model.graph.node[0].output[0], model.graph.node[1].input[0]) == ("value", "value")


def test_metadata_replaces_what_was_said() -> None:
    model = parsed(PLAIN)
    model.metadata_props.add(key="a", value="old")
    finish._describe(model, {"a": "new", "b": {"k": 1}})
    assert [(row.key, row.value) for row in model.metadata_props] == [("a", "new"), ("b", '{"k": 1}')]


def test_a_large_model_is_neither_checked_nor_inferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = parsed(PLAIN)
    model.graph.node[0].input[0] = "nowhere"
    raw = exported(model, tmp_path)
    monkeypatch.setattr(finish, "LARGE_BYTES", 10)
    made, notes = finished(raw, None, {})
    assert [node.op_type for node in made.graph.node] == ["Relu"]
    assert any(note.startswith("stays at opset 13") for note in notes)
