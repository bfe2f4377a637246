"""What the two commands print, and refuse."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.tools import cli
from sardonyx.tools.compressing import output_of, samples_for
from sardonyx.tools.console import UserError
from tests.unit.compression.models import drawn, two_layers


def _options(source: Path, *words: str) -> argparse.Namespace:
    return cli.parser().parse_args(["quantize", str(source), *words])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    onnx.save(two_layers(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_the_table_of_a_quantised_model(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["quantize", str(source), "--by-node"]) == 0
    said = capsys.readouterr().out
    assert f"{source.with_name('m.int8.onnx')}  " in said
    assert "2 nodes rewritten" in said
    assert "error on one random input" in said
    assert "x as fast" in said
    assert said.index("nodes by the error") < said.rindex("    y")


def test_precision_as_json(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(source.with_name("s.npy"), drawn(4, 48))
    arguments = [
        "convert-precision",
        str(source),
        "--to",
        "bf16",
        "--samples",
        str(source.with_name("s.npy")),
    ]
    assert cli.main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["path"] == str(source.with_name("m.bf16.onnx"))
    assert said["random_samples"] is False
    assert said["judgement"]["errors"]["y"] < 0.02


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quantize", "M", "--kind", "static"], "static ranges need --samples"),
        (["quantize", "M", "-o", "M"], "is the model itself"),
        (["quantize", "M", "-o", "/nowhere/at/all.onnx"], "there is no folder"),
        (["quantize", "M", "--samples", "nowhere"], "there is no such file"),
        (["convert-precision", "nowhere.onnx"], "there is no file"),
        (["quantize", "/"], "/ is a folder; give a file"),
        (["quantize", "M", "--input", "z=random"], "no such input"),
    ],
)
def test_wrong_requests(
    source: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(source) if word == "M" else word for word in arguments]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in source.parent.iterdir()] == ["m.onnx"]


def test_names_of_files_and_random_samples(source: Path) -> None:
    assert output_of(_options(source), "int8") == source.with_name("m.int8.onnx")
    with pytest.raises(UserError, match="is a folder; give a file with -o"):
        output_of(_options(source, "-o", str(source.parent)), "int8")
    samples, random = samples_for(_options(source, "--seed", "3", "--dim", "N=2"))
    assert random
    assert samples[0]["x"].shape == (2, 48)
