"""TensorFlow Lite: an interpreter's inputs by name, its answers, and integers that may be points apart."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import tflite
from tests.unit.convert.frameworks.standins import Calls, install


class Interpreter:
    """Two inputs to their difference, with names of their own if it is signed."""

    is_signed = False

    def __init__(self, model_path: str = "") -> None:
        if model_path == "broken":
            raise ValueError("no flat buffer\nmore")
        self.tensors: dict[int, Any] = {}

    def allocate_tensors(self) -> None:
        self.tensors.clear()

    def get_input_details(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "index": index, "shape": np.array([1, 2]), "dtype": np.int8}
            for name, index in (("b", 7), ("a", 3))
        ]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"name": "t", "index": 9}]

    def get_signature_list(self) -> dict[str, Any]:
        return {"other": {}, "main": {}} if self.is_signed else {}

    def get_signature_runner(self, key: str) -> Any:
        known = {"left": {"index": 7}, "right": {"index": 3}} if key == "main" else {}
        return SimpleNamespace(
            get_input_details=lambda: known, get_output_details=lambda: {"difference": {"index": 9}}
        )

    def set_tensor(self, index: int, array: Any) -> None:
        self.tensors[index] = array

    def invoke(self) -> None:
        self.tensors[9] = self.tensors[3] - self.tensors[7]

    def get_tensor(self, index: int) -> Any:
        return self.tensors[index]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Calls:
    install(monkeypatch, "tensorflow", lite=SimpleNamespace(Interpreter=Interpreter))
    calls = Calls(lambda source, output_path, **_: output_path)
    install(monkeypatch, "tf2onnx", convert=SimpleNamespace(from_tflite=calls))
    return calls


def test_files(exporter: Calls) -> None:
    source, interpreter = tflite.load("m.tflite", Request())
    assert source == "m.tflite" and isinstance(interpreter, Interpreter)
    with pytest.raises(
        ConvertError, match="broken cannot be read by TensorFlow Lite: no flat buffer; is the file"
    ):
        tflite.load("broken", Request())


def test_it_is_exported_with_its_answers(exporter: Calls, tmp_path: Path) -> None:
    sample = {"a": np.array([[5, 6]]), "b": np.array([[1, 1]])}
    made = tflite.export(("m.tflite", Interpreter()), Request(sample, opset=21), tmp_path / "m.onnx")
    assert (exporter[0]["args"], exporter[0]["opset"]) == (("m.tflite",), 18)
    assert (made.points, made.drawn, made.batch, made.axes) == (3, False, False, {})
    assert made.cases[0].feeds["a"].dtype == np.int8 and made.notes == ()
    large = Request({"a": np.array([[5, 300]]), "b": np.array([[1, 1]])})
    told = tflite.export(("m.tflite", Interpreter()), large, tmp_path / "m.onnx").notes
    assert told == ("a of the sample: 300 becomes 44 in int8",)
    assert made.cases[0].answers[0].tolist() == [[4, 5]]
    assert len(tflite.export(("m.tflite", Interpreter()), Request(), tmp_path / "m.onnx").cases) == 1


def test_names_are_those_of_the_signature(exporter: Calls, tmp_path: Path) -> None:
    interpreter = Interpreter()
    assert tflite.export(("m.tflite", interpreter), Request(), tmp_path / "m.onnx").outputs == ("t",)
    interpreter.is_signed = True
    made = tflite.export(("m.tflite", interpreter), Request(), tmp_path / "m.onnx")
    assert made.outputs == ("difference",) and list(made.cases[0].feeds) == ["left", "right"]
    old = {"b": np.ones((1, 2)), "a": np.ones((1, 2))}
    for request in (Request(old), Request(options={"inputs": ["b=1,2"]})):
        with pytest.raises(ConvertError, match=r"'b', which is not an input; the inputs are left, right"):
            tflite.export(("m.tflite", interpreter), request, tmp_path / "m.onnx")
    tflite._rename_inputs(tmp_path / "m.onnx", {"x": "left"})
    renamed = onnx.load(tmp_path / "m.onnx").graph
    assert renamed.input[0].name == "left" and list(renamed.node[0].input) == ["left"]


def test_what_cannot_be_converted(exporter: Calls, tmp_path: Path) -> None:
    exporter.errors.append(ValueError("no op"))
    with pytest.raises(ConvertError, match=r"tf2onnx cannot convert it \(ValueError: no op\)"):
        tflite.export(("m.tflite", Interpreter()), Request(), tmp_path / "m.onnx")
