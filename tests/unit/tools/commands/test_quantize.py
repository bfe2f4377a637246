"""Options of the command reach the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.tools import cli
from sardonyx.tools.commands import quantize
from tests.unit.compression.models import drawn, kinds, picture_net, two_layers


@pytest.mark.parametrize(
    ("options", "name", "kind"),
    [
        (["--kind", "weights"], "m.int4.onnx", "MatMulNBits"),
        (["--kind", "weights", "--bits", "8"], "m.int8.onnx", "MatMulNBits"),
        ([], "m.int8.onnx", "MatMulInteger"),
        (["--operators", "Gemm"], "m.int8.onnx", "MatMulInteger"),
    ],
)
def test_options_reach_the_model(tmp_path: Path, options: list[str], name: str, kind: str) -> None:
    onnx.save(two_layers(), tmp_path / "m.onnx")
    assert quantize.command(cli.parser().parse_args(["quantize", str(tmp_path / "m.onnx"), *options])) == 0
    made = kinds(onnx.load(tmp_path / name))
    assert kind in made
    assert ("MatMul" in made) == ("--operators" in options)


def test_static_ranges_of_samples(tmp_path: Path) -> None:
    onnx.save(picture_net(), tmp_path / "m.onnx")
    np.save(tmp_path / "s.npy", drawn(4, 3, 16, 16))
    words = ["quantize", str(tmp_path / "m.onnx"), "--kind", "static", "--samples", str(tmp_path / "s.npy")]
    assert cli.main([*words, "--method", "entropy", "--per-tensor"]) == 0
    assert kinds(onnx.load(tmp_path / "m.int8.onnx")).count("QuantizeLinear") >= 5
