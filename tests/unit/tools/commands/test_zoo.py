"""`sardonyx zoo` finds models by words, shows what is known of one, and brings what is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sardonyx.tools.commands import zoo
from sardonyx.tools.console import UserError
from sardonyx.zoo import FetchError, models
from tests.unit.tools.commands.running import run

NAME = "light_squeezenet"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path))
    return tmp_path


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(zoo, "zoo", "list") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(models()) + 1
    assert run(zoo, "zoo", "search", "SQUEEZENET", "light", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["here"]) == (NAME, False)
    assert run(zoo, "zoo", "search", "squeezenet", "of no use") == 1
    assert capsys.readouterr().out == "nothing found\n"


def test_one_before_and_after_it_is_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(zoo, "zoo", "show", NAME) == 0
    told = capsys.readouterr().out
    assert "no; `sardonyx zoo pull` brings it" in told and "inputs" not in told
    assert run(zoo, "zoo", "show", NAME, "--json") == 0
    assert json.loads(capsys.readouterr().out)["signature"] is None
    assert run(zoo, "zoo", "pull", NAME, "--quiet") == 0
    assert capsys.readouterr().out == f"{folder / NAME}.onnx\n"
    assert run(zoo, "zoo", "pull", NAME, "--quiet", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {NAME: f"{folder / NAME}.onnx"}
    assert run(zoo, "zoo", "show", NAME) == 0
    told = capsys.readouterr().out
    assert (
        f"{folder / NAME}.onnx" in told and "inputs\n" in told and "tensor(float)  [1, 3, 224, 224]" in told
    )
    assert run(zoo, "zoo", "show", NAME, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signature"]["inputs"][0]["shape"] == [1, 3, 224, 224]
    assert found["source"]["name"] == "onnx" and found["category"]


def test_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FetchError, match=r"the zoo has no model 'minst'; is it mnist_cntk.*\?"):
        run(zoo, "zoo", "show", "minst")
    for action in ("search", "show", "pull"):
        with pytest.raises(UserError, match=f"`sardonyx zoo {action}` of what"):
            run(zoo, "zoo", action)
