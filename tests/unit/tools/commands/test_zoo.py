"""`sardonyx zoo` finds models by words, shows what is known of one, and brings what is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sardonyx.tools.commands import zoo
from sardonyx.tools.console import UserError
from sardonyx.zoo import FetchError, models
from sardonyx.zoo.tasks import TASKS
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
    assert capsys.readouterr().out.startswith("nothing found; `sardonyx zoo list`")


def test_one_before_and_after_it_is_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(zoo, "zoo", "show", NAME) == 0
    told = capsys.readouterr().out
    assert "here        no\n" in told and f"sardonyx zoo pull {NAME}\n" in told and "inputs\n" not in told
    assert run(zoo, "zoo", "show", NAME, "--json") == 0
    assert json.loads(capsys.readouterr().out)["signature"] is None
    assert run(zoo, "zoo", "pull", NAME, "--quiet") == 0
    assert capsys.readouterr().out == f"{folder / NAME}.onnx\n"
    assert run(zoo, "zoo", "pull", NAME, "--quiet", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {NAME: f"{folder / NAME}.onnx"}
    assert run(zoo, "zoo", "show", NAME) == 0
    told = capsys.readouterr().out
    assert (
        f"sardonyx run {folder / NAME}.onnx" in told
        and "inputs\n" in told
        and "tensor(float)  [1, 3, 224, 224]" in told
    )
    assert run(zoo, "zoo", "show", NAME, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signature"]["inputs"][0]["shape"] == [1, 3, 224, 224]
    assert found["source"]["name"] == "onnx" and found["category"] == "pictures"


def test_tasks_have_the_names_that_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(zoo, "zoo", "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name for row in rows.values() for name in row["tasks"]} == {*TASKS} - {"table"}
    assert rows["minilm_l6_int8w"]["tasks"] == ["embed", "search", "label"] and not rows[NAME]["tasks"]
    assert run(zoo, "zoo", "search", "wake-word") == 0
    assert capsys.readouterr().out.count("wake-word") == len(TASKS["wake-word"].models)


@pytest.mark.parametrize(
    ("name", "typed"),
    [("magika", "magika --sample\n"), ("piper_joe_vits", "piper_joe_vits INPUT   (INPUT: text)\n")],
)
def test_the_next_command_is_told(name: str, typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(zoo, "zoo", "show", name) == 0
    assert f"next        sardonyx task {typed}" in capsys.readouterr().out


def test_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FetchError, match=r"the zoo has no model 'minst'; is it mnist_cntk.*\?"):
        run(zoo, "zoo", "show", "minst")
    for action in ("search", "show", "pull"):
        with pytest.raises(UserError, match=f"`sardonyx zoo {action}` of what"):
            run(zoo, "zoo", action)
