"""`sardonyx compile` fills the cache: what was compiled once is not compiled again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sardonyx.tools.commands import compile
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import run


def test_the_second_time_nothing_is_compiled(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cache"))
    assert run(compile, "compile", model, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cache"] == str(tmp_path / "cache")
    (row,) = told["models"]
    assert (row["model"], row["kernels"]) == (model, 1) and row["compiled"] >= 1
    assert run(compile, "compile", model) == 0
    line, end = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{model}  1 kernel, 0 compiled  ") and end == f"cache {tmp_path / 'cache'}"


def test_without_a_cache_there_is_nothing_to_fill(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDONYX_CACHE", "off")
    with pytest.raises(UserError, match=r"the cache is off \(SARDONYX_CACHE\)"):
        run(compile, "compile", model)


@pytest.mark.filterwarnings("ignore:nothing will be cached")
def test_a_cache_that_takes_nothing_is_no_success(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="takes nothing: the models are not in it"):
        run(compile, "compile", model)
