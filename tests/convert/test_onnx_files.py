"""ONNX files as old exporters and MATLAB write them become current ones, or the strange part is named."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import sardonyx
from sardonyx.convert import ConvertError, convert

OLD = """
<ir_version: 3, opset_import: ["" : 7], producer_name: "MATLAB Deep Learning Toolbox Converter for ONNX">
net (float[N, 3] data, float[3, 2] fc_W, float[2] fc_B) => (float[N, 2] softmax)
<float[3, 2] fc_W = {1, 2, 3, 4, 5, 6}, float[2] fc_B = {0.5, -0.5}> {
    fc = Gemm (data, fc_W, fc_B)
    kept = Identity (fc)
    softmax = Softmax <axis = 1> (kept)
}
"""
PLACEHOLDER = """
<ir_version: 8, opset_import: ["" : 14, "nnet.cnn.layer" : 1]>
net (float[1, 3] data) => (float[1, 3] out) { out = nnet.cnn.layer.PlaceholderLayer (data) }
"""


def written(text: str, path: Path) -> Path:
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_an_old_file_becomes_a_current_one(tmp_path: Path) -> None:
    converted = convert(written(OLD, tmp_path / "old.onnx"), tmp_path / "new.onnx")
    assert converted.parity.holds
    session = sardonyx.InferenceSession(str(tmp_path / "new.onnx"))
    assert [row.name for row in session.get_inputs()] == ["data"]
    model = onnx.load(tmp_path / "new.onnx")
    assert model.opset_import[0].version == 21 and len(model.graph.node) == 2
    assert {entry.key for entry in model.metadata_props} >= {"converted_from", "source_sha256", "parity"}


def test_lists_of_maps_become_the_tensors_behind_them(tmp_path: Path) -> None:
    converted = convert(sardonyx.datasets.get_example("logreg_iris.onnx"), tmp_path / "new.onnx")
    assert converted.parity.holds
    assert all(value.type.HasField("tensor_type") for value in converted.model.graph.output)


@pytest.mark.parametrize(
    ("dynamic", "expected"),
    [
        (("rows",), ["rows", 3]),
        pytest.param((), ["N", 3], marks=pytest.mark.slow),
        pytest.param(("_",), [1, 3], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_free_axes_are_named_or_fixed_in_files_of_opset_6(
    dynamic: tuple[str, ...], expected: list[object], tmp_path: Path
) -> None:
    old = OLD.replace(": 7]", ": 6]").replace(
        "Gemm (data, fc_W, fc_B)", "Gemm <broadcast = 1> (data, fc_W, fc_B)"
    )
    converted = convert(written(old, tmp_path / "old.onnx"), tmp_path / "new.onnx", dynamic=dynamic)
    assert converted.parity.holds and converted.model.opset_import[0].version == 21
    session = sardonyx.InferenceSession(str(tmp_path / "new.onnx"))
    (given,), (answered,) = session.get_inputs(), session.get_outputs()
    assert (given.shape, answered.shape) == (expected, [expected[0], 2])


def test_a_model_that_fails_on_drawn_inputs_is_told_with_what_to_do(tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 13]> net (float[N, M] data) => (float[P, 4] out)'
    text = f"{head} <int64[2] s = {{-1, 5}}> {{"
    source = written(f"{text} out = Reshape (data, s) }}", tmp_path / "old.onnx")
    with pytest.raises(
        ConvertError, match=r"fails on inputs drawn at random \(data \[2, 32\]\).*give sample="
    ):
        convert(source)


def test_placeholders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"nnet\.cnn\.layer\.PlaceholderLayer .* ONNX does not have"):
        convert(written(PLACEHOLDER, tmp_path / "old.onnx"), tmp_path / "new.onnx")
    assert not (tmp_path / "new.onnx").exists()
