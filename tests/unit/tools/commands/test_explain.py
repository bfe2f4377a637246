"""`sardonyx explain` shows kernels and, unless it is to be brief, what was considered."""

from __future__ import annotations

import json

import pytest

from sardonyx.tools.commands import explain
from tests.unit.tools.commands.running import run


def test_text_and_json(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(explain, "explain", model) == 0
    whole = capsys.readouterr().out
    assert "Relu" in whole or "max" in whole
    assert run(explain, "explain", model, "--brief") == 0
    assert len(capsys.readouterr().out) <= len(whole)
    assert run(explain, "explain", model, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == model and len(told["kernels"]) == 1
