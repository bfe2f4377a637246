"""Initialisers are written where someone says they lie; without a word all data lies inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sardonyx.errors import LoadError
from sardonyx.frontend.load import open_model
from sardonyx.frontend.relocated import FileRange, relocated

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> { s = Add(x, a) y = Add(s, b) }"""


def source(folder: Path | None = None) -> Any:
    model = onnx.parser.parse_model(TEXT)
    if folder is None:
        return open_model(model.SerializeToString())
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    path = folder / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return open_model(path)


def test_what_is_outside_comes_inside(tmp_path: Path) -> None:
    model = onnx.load_from_string(relocated(source(tmp_path)))
    assert [numpy_helper.to_array(t).tolist() for t in model.graph.initializer] == [[1, 2], [3, 4]]
    (tmp_path / "w.bin").unlink()
    with pytest.raises(LoadError):
        relocated(open_model(tmp_path / "m.onnx"))


def test_places_are_asked_with_content_and_present_place(tmp_path: Path) -> None:
    asked: dict[str, tuple[list[float], FileRange | None]] = {}

    def locate(name: str, content: np.ndarray[Any, Any], place: FileRange | None) -> FileRange | None:
        asked[name] = content.tolist(), place
        return FileRange("new.bin", 64, 8) if name == "a" else None

    model = onnx.load_from_string(relocated(source(tmp_path), locate=locate))
    assert asked["a"][0] == [1, 2]
    assert asked["b"][1] is not None
    assert asked["b"][1].location == "w.bin"
    first, second = model.graph.initializer
    assert {e.key: e.value for e in first.external_data} == {
        "location": "new.bin",
        "offset": "64",
        "length": "8",
    }
    assert not first.raw_data
    assert numpy_helper.to_array(second).tolist() == [3, 4]
    assert relocated(source(), simplify=True)
