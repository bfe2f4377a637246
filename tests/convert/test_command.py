"""`sardonyx convert`: what it prints, where it writes, and how it ends when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sardonyx.tools.cli import main


@pytest.fixture(scope="module")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "iris.joblib"
    joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), path)
    return path


def test_tells_how_near_it_is(pickled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "iris.onnx"
    assert main(["convert", str(pickled), "-o", str(target)]) == 0
    said = capsys.readouterr()
    assert "probabilities" in said.out and "0 of 65" in said.out
    assert "runs code" in said.err
    assert target.is_file()
    again = tmp_path / "again.onnx"
    assert main(["convert", str(target), "-o", str(again), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "onnx"
    assert [row["name"] for row in told["outputs"]] == ["label", "probabilities"]


@pytest.mark.parametrize("cut", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_broken_file_is_said_to_be_broken(
    cut: int, pickled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.joblib"
    broken.write_bytes(pickled.read_bytes()[:cut])
    assert main(["convert", str(broken), "--from", "sklearn", "-o", str(tmp_path / "m.onnx")]) == 1
    assert "is the file whole" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["broken.joblib"]


def test_environments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "env", "list"]) == 0
    assert main(["convert", "env", "remove", "nothing"]) == 1
    assert "no environment 'nothing'" in capsys.readouterr().err
