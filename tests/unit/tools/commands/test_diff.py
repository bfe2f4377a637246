"""`sardonyx diff` shows what changed, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sardonyx.tools.cli import main
from sardonyx.tools.commands.diff import TOLERANCE
from tests.unit.tools.test_comparing import saved


def test_the_command_runs_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = saved(tmp_path / "a.onnx"), saved(tmp_path / "b.onnx", ("{1,", "{9,"))
    assert main(["diff", str(first), str(second), "--tolerance", str(TOLERANCE)]) == 0
    told = capsys.readouterr().out
    assert "weights (1 differ)" in told and "results on one sample" in told and "nothing differs" not in told
    assert main(["diff", str(first), str(first), "--json", "--dim", "N=2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["same"] and found["results"] == [{"output": "y", "differs": False, "how": "equal"}]
    assert main(["diff", str(first), str(tmp_path / "none.onnx")]) == 1
    assert "there is no file" in capsys.readouterr().err
    assert main(["diff", str(tmp_path), str(first)]) == 1
    assert f"{tmp_path} is a folder; give a file" in capsys.readouterr().err


def test_files_are_compared_where_one_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = saved(tmp_path / "a.onnx"), tmp_path / "b.onnx"
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[K] y) {y = Reshape(x, s)}'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([7]), "s"))
    onnx.save(model, second)
    assert main(["diff", str(first), str(second)]) == 1
    told = capsys.readouterr()
    assert "operators (" in told.out and "nothing differs" not in told.out
    assert "b.onnx gives no results: " in told.err and "give --input or --dim, or --no-run" in told.err
    assert main(["diff", str(second), str(second), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["same"] and "gives no results" in found["problem"] and "results" not in found
    assert main(["diff", str(second), str(second), "--no-run"]) == 0
    assert capsys.readouterr().out == "the files do not differ\nnothing differs\n"


def test_lost_weights_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] x) => (float[N, 4] y) {y = MatMul(x, w)}'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "w"))
    whole, lost = tmp_path / "whole.onnx", tmp_path / "lost.onnx"
    onnx.save(model, whole)
    onnx.save(model, lost, save_as_external_data=True, location="lost.data", size_threshold=0)
    (tmp_path / "lost.data").unlink()
    for words in (["diff", str(whole), str(lost)], ["quantize", str(lost), "-o", str(tmp_path / "q.onnx")]):
        assert main(words) == 1
        told = capsys.readouterr().err
        assert "lost.onnx" in told and "lost.data" in told and "Traceback" not in told
