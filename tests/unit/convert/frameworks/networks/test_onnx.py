"""A file of another exporter is taken as it is, with the answers that it gives here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import onnx as ours
from sardonyx.convert.frameworks.networks.tensors import Tensor

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[N, 2] x, float[2] w) => (float[N, 2] y) <float[2] w = {1, 2}> { y = Mul(x, w) }"""


def saved(tmp_path: Path, text: str = TEXT) -> str:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    return str(path)


def test_it_is_read_without_its_weights_as_inputs(tmp_path: Path) -> None:
    assert [value.name for value in ours.load(saved(tmp_path), Request()).model.graph.input] == ["x"]
    with pytest.raises(ConvertError, match=r"contains own\.Mul"):
        ours.load(
            saved(tmp_path, TEXT.replace('["" : 13]', '["" : 13, "own" : 1]').replace("Mul(", "own.Mul(")),
            Request(),
        )


def test_files_of_weights_belong_to_it(tmp_path: Path) -> None:
    path = Path(saved(tmp_path))
    assert ours.load(str(path), Request()).files == (str(path),)
    model = onnx.load(path)
    for at, name in enumerate(("one.bin", "other.bin", "one.bin")):
        part = onnx.numpy_helper.from_array(np.full(8, at, np.float32), f"part{at}")
        onnx.external_data_helper.set_external_data(part, name, at * 32, 32)
        (tmp_path / name).write_bytes(bytes(at * 32) + part.raw_data)
        part.ClearField("raw_data")
        model.graph.initializer.append(part)
    path.write_bytes(model.SerializeToString())
    opened = ours.load(str(path), Request())
    assert opened.files == (str(path), str(tmp_path / "one.bin"), str(tmp_path / "other.bin"))
    assert onnx.numpy_helper.to_array(opened.model.graph.initializer[2]).tolist() == [1] * 8
    assert ours.export(opened, Request(), tmp_path / "out.onnx").sources == opened.files


def test_it_answers_at_several_sizes(tmp_path: Path) -> None:
    model = ours.load(saved(tmp_path), Request())
    made = ours.export(model, Request(), tmp_path / "out.onnx")
    assert made.drawn and not made.batch and made.axes == {}
    assert [case.feeds["x"].shape[0] for case in made.cases] == [2, 1, 3]
    for case in made.cases:
        np.testing.assert_array_equal(case.answers[0], case.feeds["x"] * np.array([1, 2], np.float32))
    assert ours.export(model, Request(dynamic=("rows",)), tmp_path / "out.onnx").axes == {"x": {0: "rows"}}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("tensor(float)", "float32"), ("tensor(double)", "float64"), ("tensor(int64)", "int64")],
)
def test_inputs_as_tensors(kind: str, dtype: str) -> None:
    row = SimpleNamespace(name="x", shape=["N", 3, None], type=kind)
    assert ours._tensor(row) == Tensor("x", (None, 3, None), dtype)
