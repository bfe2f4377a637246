"""`sardonyx diff` shows what changed, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

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
