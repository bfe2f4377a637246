"""`sardonyx knobs` shows every option as it is set now."""

from __future__ import annotations

import json

import pytest

from sardonyx.base.knobs import KNOBS
from sardonyx.tools.commands import knobs
from tests.unit.tools.commands.running import run


def test_all_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SARDONYX_DEBUG", "2")
    monkeypatch.delenv("SARDONYX_PRECISION", raising=False)
    assert run(knobs, "knobs", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == {knob.name for knob in KNOBS}
    assert rows["debug"]["value"] == 2 and rows["debug"]["type"] == "int" and rows["debug"]["default"] != 2
    assert rows["precision"]["entry"] == "sardonyx.precision" and "strict" in rows["precision"]["choices"]
    assert run(knobs, "knobs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(KNOBS)
    assert next(line for line in lines if line.startswith("SARDONYX_DEBUG ")).split()[1:3] == ["int", "2"]


def test_nothing_is_shown_as_such() -> None:
    assert (knobs._value(""), knobs._value(0), knobs._value("a")) == ('""', "0", "a")
