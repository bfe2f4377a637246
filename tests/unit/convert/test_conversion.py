"""The order of a conversion: a file is written whole, and only if the model says what its source says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.convert import conversion
from sardonyx.convert.conversion import Converted, convert
from sardonyx.convert.framework import Case, ConvertError, Exported, ParityError, Request
from sardonyx.convert.frameworks import framework
from sardonyx.convert.parity import OutputParity, Parity

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
DOUBLED = f"{HEAD} g (float[N, 2] x) => (float[N, 2] y) {{ y = Add(x, x) }}"
PAIRS = f"{HEAD} g (float[N, 2] x) => (float[M, 4] y) <int64[2] s = {{1, 4}}> {{ y = Reshape(x, s) }}"
NOISE = f"{HEAD} g (float[N, 2] x) => (float[N, 2] y) {{ z = RandomNormalLike(x)  y = Add(x, z) }}"


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def converted(model: onnx.ModelProto, wrong: str = "", *, drawn: bool = True) -> Converted:
    return Converted(
        model, Parity([OutputParity("y", 1, 1, 0, 0, 4, wrong)], drawn), framework("onnx"), ("a note",)
    )


def test_an_object_is_converted_compared_and_written(tmp_path: Path) -> None:
    made = convert(
        parsed(DOUBLED), tmp_path / "deep" / "m.onnx", kind="onnx", sample=np.ones((3, 2), np.float32)
    )
    assert made.parity.holds and not made.parity.drawn and made.parity.outputs[0].count == 8
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["m.onnx"]
    written = onnx.load(tmp_path / "deep" / "m.onnx")
    assert written.opset_import[0].version == 21
    assert ("converted_from", "ONNX") in {(row.key, row.value) for row in written.metadata_props}
    (answer,) = made.session().run(None, {"x": np.ones((1, 2), np.float32)})
    assert answer.tolist() == [[2, 2]]


def test_what_says_something_else_is_not_written(tmp_path: Path) -> None:
    target = tmp_path / "m.onnx"
    with pytest.raises(
        ConvertError, match=r"does not say what ONNX says on drawn inputs .*: y: .*force=True"
    ):
        convert(parsed(NOISE), target, kind="onnx")
    assert list(tmp_path.iterdir()) == []
    assert not convert(parsed(NOISE), target, kind="onnx", force=True).parity.holds
    assert target.is_file()


def test_a_second_attempt_that_fails_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's disagreement is told, and its model is had by force."""

    def attempted(*given: Any) -> Converted:
        if given[-2].double:
            raise ConvertError("no float64 here")
        return converted(parsed(DOUBLED), "0.1 away")

    monkeypatch.setattr(conversion, "_attempted", attempted)
    with pytest.raises(ParityError, match=r"drawn inputs \(give sample=..., .* y: 0\.1 away"):
        convert("m.txt", kind="lightgbm")
    assert convert("m.txt", kind="lightgbm", force=True).parity.outputs[0].wrong == "0.1 away"


def test_a_disagreement_says_on_what() -> None:
    text = conversion._disagreement(converted(parsed(DOUBLED), "0.1 away", drawn=False))
    assert "on the sample: y: 0.1 away" in text and "give --sample" not in text


def test_a_network_right_for_its_own_sizes_gets_fixed_ones(tmp_path: Path) -> None:
    path = tmp_path / "raw.onnx"
    onnx.save(parsed(PAIRS), path)
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    cases = [Case({"x": rows[:2]}, [rows[:2].reshape(1, 4)]), Case({"x": rows}, [rows.reshape(2, 4)])]
    given = Exported(path, cases, drawn=True, notes=("of the exporter",))
    made = conversion._proven(framework("onnx"), given, Request(), "", 1e-4, tmp_path)
    assert made.parity.holds
    assert [size.dim_value for size in made.model.graph.input[0].type.tensor_type.shape.dim] == [2, 2]
    assert made.notes[0] == "of the exporter" and "all sizes are fixed" in made.notes[-1]
    (stored,) = (row.value for row in made.model.metadata_props if row.key == "notes")
    assert json.loads(stored) == list(made.notes)
    asked = conversion._proven(framework("onnx"), given, Request(dynamic=("rows",)), "", 1e-4, tmp_path)
    assert not asked.parity.holds and not any("fixed" in note for note in asked.notes)


def test_large_weights_stand_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "LARGE_BYTES", (1 << 20) + 100)
    model = parsed(f"{HEAD} g (float[9, 9] x) => (float[9, 9] y) {{ y = Add(x, w) }}")
    weight = np.arange(810, dtype=np.float32).reshape(10, 9, 9)[:1]
    weight = np.repeat(weight, 9, 0)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    assert converted(model).save(tmp_path / "m.onnx") == tmp_path / "m.onnx"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert len((tmp_path / "m.onnx").read_bytes()) < 500 < (tmp_path / "m.onnx.data").stat().st_size
    assert onnx.numpy_helper.to_array(onnx.load(tmp_path / "m.onnx").graph.initializer[0]).shape == (9, 9, 9)
    assert model.graph.initializer[0].raw_data, "the model in memory keeps its weights"
