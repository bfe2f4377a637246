"""Numbers that float16 cannot hold are seen where they are made and where they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from sardonyx.compression import convert_precision
from sardonyx.compression.overflow import overflowing
from sardonyx.compression.precision import types_of
from tests.unit.compression.models import model

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 2] x, float[N, 2] mask) => (float[N, 2] y)
{ a = Mul (x, x)  b = Sqrt (a)  c = Add (b, mask)  y = Softmax (c) }"""


def _feeds(most: float, rows: int = 1) -> dict[str, np.ndarray]:
    mask = np.full((rows, 2), np.float32([0, -3e38]))
    return {"x": np.full((rows, 2), most, np.float32), "mask": mask}


def test_makers_and_readers_are_named_and_masks_are_not() -> None:
    made = model(TEXT)
    assert overflowing(made, types_of(made), [_feeds(250), _feeds(300)]) == ["a", "b"]
    assert overflowing(made, types_of(made), [_feeds(250), _feeds(1e4, 0)]) == []
    assert overflowing(made, types_of(made), [_feeds(1e5)]) == ["a", "b", "c", "y"]


def test_they_stay_float32(tmp_path: Path) -> None:
    onnx.save(model(TEXT), tmp_path / "m.onnx")
    made = convert_precision(tmp_path / "m.onnx", tmp_path / "o.onnx", "fp16", [_feeds(300)])
    assert made.changed == ["c", "y"]
    assert made.notes == ["2 nodes stay float32: float16 cannot hold all numbers there"]
    assert np.array_equal(onnxruntime.InferenceSession(made.path).run(None, _feeds(300))[0], [[1, 0]])
