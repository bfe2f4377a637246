"""The options that commands share become those of a session."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import pytest

from sardonyx.base.knobs import PRECISIONS
from sardonyx.tools.cli import main
from sardonyx.tools.console import UserError
from sardonyx.tools.models import add_model_options, open_session

TEXT = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }'


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    add_model_options(parser)
    return parser.parse_args(words)


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.parser.parse_model(TEXT).SerializeToString())
    return str(path)


def test_a_session_of_the_model_or_of_another(model: str) -> None:
    session, seconds = open_session(options(model, "--threads", "1", "--fallback", "error"))
    assert session.get_inputs()[0].name == "x" and seconds > 0
    given = session.get_session_options()
    assert given.intra_op_num_threads == 1
    assert given.get_session_config_entry("sardonyx.fallback") == "error"
    assert open_session(options("none.onnx"), model)[0].get_outputs()[0].name == "y"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_precisions_are_taken(precision: str) -> None:
    assert options("m", "--precision", precision).precision == precision


def test_what_makes_no_sense() -> None:
    with pytest.raises(UserError, match=r"--threads -1: give 0 \(all cores\) or a positive number"):
        open_session(options("m", "--threads", "-1"))
    with pytest.raises(SystemExit):
        options("m", "--precision", "half")
    assert not options("m").json


@pytest.mark.parametrize("command", ["run", "view", "compile"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "is empty"),
        ("none.onnx", "there is no file none.onnx"),
        ("folder", "folder is a folder; give a file"),
    ],
)
def test_what_is_no_file_is_told_by_every_command(
    command: str,
    name: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main([command, name]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sardonyx {command}: ") and told in error and error.count("\n") == 1


def test_what_onnxruntime_says_twice_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("empty.onnx", b""), ("text.onnx", b"hello")):
        Path(name).write_bytes(content)
        assert main(["run", name]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"sardonyx run: {name}: ") and error.count(name) == 1
