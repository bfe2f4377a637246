"""Scripted modules: their inputs are in order, and only the exporter that traces reads them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.convert.framework import ConvertError, Request
from sardonyx.convert.frameworks.networks import torchscript
from tests.unit.convert.frameworks import standins

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


def scripted(*names: str) -> Any:
    class Scripted:
        forward = SimpleNamespace(
            schema=SimpleNamespace(arguments=[SimpleNamespace(name=name) for name in ("self", *names)])
        )

        def __call__(self, *parts: Any) -> Any:
            return parts[0], parts[-1] + 1

    return Scripted()


def test_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(source: str, map_location: str) -> Any:
        if source == "broken":
            raise RuntimeError("trace\nbad archive")
        return SimpleNamespace(eval=lambda: f"{source} on {map_location}")

    standins.torch(monkeypatch).module.jit.load = read
    assert torchscript.load("m", Request()) == "m on cpu"
    with pytest.raises(
        ConvertError, match="broken cannot be read as TorchScript: bad archive; is the file whole"
    ):
        torchscript.load("broken", Request())


def test_it_is_exported_with_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = standins.torch(monkeypatch).exports
    request = Request({"y": ROWS, "x": -ROWS}, dynamic=("_", "width"), opset=21)
    made = torchscript.export(scripted("x", "y"), request, tmp_path / "m.onnx")
    assert (asked[0]["input_names"], asked[0]["opset_version"], asked[0]["dynamo"]) == (["x", "y"], 20, False)
    assert made.outputs == ("output_0", "output_1")
    assert asked[0]["dynamic_axes"] == {"x": {1: "width"}, "y": {1: "width"}}
    assert [part.tolist() for part in made.cases[0].answers] == [(-ROWS).tolist(), (ROWS + 1).tolist()]
    drawn = torchscript.export(scripted("x"), Request(options={"inputs": ["2,2"]}), tmp_path / "m.onnx")
    assert drawn.drawn and [len(case.feeds["x"]) for case in drawn.cases] == [2, 1, 3]


def test_what_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standins.torch(monkeypatch, ValueError("odd"))
    with pytest.raises(ConvertError, match=r"torch\.onnx cannot export it \(ValueError: odd\)"):
        torchscript.export(scripted("x"), Request({"x": ROWS}), tmp_path / "m.onnx")
    with pytest.raises(
        ConvertError, match=r"its inputs \(a, b\) are not known; .*'inputs': \['a=1,3,224,224"
    ):
        torchscript.export(scripted("a", "b"), Request(), tmp_path / "m.onnx")
