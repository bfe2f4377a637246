"""`python -m sardonyx.zoo` lists what is here, and fetches what is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from sardonyx.zoo.__main__ import main
from sardonyx.zoo.catalog import models


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path))
    return tmp_path


def test_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["light_squeezenet"]) == 0
    assert capsys.readouterr().out.split() == ["light_squeezenet", str(folder / "light_squeezenet.onnx")]
    assert main([]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == f"in {folder}" and len(rows) == len(models())
    states = {row.split()[0]: row.split()[4] for row in rows}
    assert states["light_squeezenet"] == "here"
    assert {states[row.name] for row in models(quick=True) if row.name != "light_squeezenet"} == {"quick"}
    assert {states[row.name] for row in models(quick=False)} <= {"-", "here"}


def test_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no_such_model"]) == 1
    assert "no_such_model" in capsys.readouterr().err
