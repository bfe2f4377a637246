"""Options of the command reach the model."""

from __future__ import annotations

from pathlib import Path

import onnx

from sardonyx.tools import cli
from sardonyx.tools.commands import precision
from tests.unit.compression.models import two_layers


def test_types_and_edges(tmp_path: Path) -> None:
    onnx.save(two_layers(), tmp_path / "m.onnx")
    words = ["convert-precision", str(tmp_path / "m.onnx"), "--edges", "--leave", "y"]
    assert precision.command(cli.parser().parse_args(words)) == 0
    made = onnx.load(tmp_path / "m.fp16.onnx")
    assert made.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    assert {tensor.name: tensor.data_type for tensor in made.graph.initializer}["v"] == 1
