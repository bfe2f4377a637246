"""The table of schemas is valid JSON with a line for each operator, and as it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sardonyx.frontend import schemas as tables
from sardonyx.tools import schemas


def test_a_line_for_each_operator() -> None:
    text = schemas.text()
    table = json.loads(text)
    lines = text.splitlines()
    for domain, found in table["operators"].items():
        for name in found:
            assert any(line.startswith(f"{json.dumps(name)}: {{") for line in lines), (domain, name)
    assert table["opset"] == tables.newest_installed() and text.endswith("}}\n")


def test_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TABLE", tmp_path / "schemas.json")
    assert schemas.main() == 0
    assert tables.TABLE.read_text(encoding="utf-8") == schemas.text()
