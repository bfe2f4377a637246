"""Which file registers an operator is noted while the files are imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sardonyx import ops
from sardonyx.ops import table
from sardonyx.tools import homes

FILE = 'table.op("One", 1)\ntable.op("Two", since=2, domain="own", strict=False)\n'


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Files of operators that are imported now for the first time; the table keeps nothing of them."""
    found: list[Any] = []
    monkeypatch.setattr(table, "op", lambda *given: found.append(given))
    monkeypatch.setattr(ops, "HOMES", tmp_path / "homes.json")
    names = {"__name__": "sardonyx.ops.onnx.made_up", "table": table}
    monkeypatch.setattr(ops, "register_all", lambda: exec(FILE, names))
    return found


def test_files_by_domain_and_name(registered: list[Any]) -> None:
    before = table.op
    assert homes.found() == {"": {"One": "onnx.made_up"}, "own": {"Two": "onnx.made_up"}}
    assert registered == [("One", 1, "", True), ("Two", 2, "own", False)]
    assert table.op is before


@pytest.mark.usefixtures("registered")
def test_the_file_is_written_or_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["homes"])
    assert homes.main() == 0
    assert json.loads(ops.HOMES.read_text()) == {"": {"One": "onnx.made_up"}, "own": {"Two": "onnx.made_up"}}
    monkeypatch.setattr(sys, "argv", ["homes", "--check"])
    assert homes.main() == 0
    ops.HOMES.write_text("{}\n")
    assert homes.main() == 1 and ops.HOMES.read_text() == "{}\n"


def test_the_table_comes_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    before = table.op
    monkeypatch.setattr(ops, "register_all", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        homes.found()
    assert table.op is before
