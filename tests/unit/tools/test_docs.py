"""Generated pages hold a row for everything there is, and only what lies between the marks changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sardonyx.base.knobs import KNOBS
from sardonyx.monitor.table import TABLE
from sardonyx.tools import docs

PROJECT = """
[[tool.importlinter.contracts]]
type = "forbidden"

[[tool.importlinter.contracts]]
type = "layers"
layers = ["tools", "zoo | convert", "errors"]
"""


def test_a_bar_in_a_cell_is_no_border() -> None:
    assert docs.table(("a", "b"), [("1|2", "3")]) == ["| a | b |", "| --- | --- |", "| 1\\|2 | 3 |"]


def test_layers_from_the_bottom_up(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(PROJECT)
    lines = docs.folders(project).splitlines()
    assert [line.split("`")[1] for line in lines] == ["errors", "zoo", "convert", "tools"]
    assert lines[1] == "- `zoo`: Real ONNX models by name or address, and realistic feeds for them."
    start, end = docs.FOLDERS_MARKS
    page = docs.with_folders(f"before\n{start}\nold\n{end}\nafter", project)
    assert page == f"before\n{start}\n{docs.folders(project)}{end}\nafter"


def test_every_option_and_series_has_a_row() -> None:
    knobs, metrics = docs.knobs_page(), docs.metrics_page()
    assert all(f"| `{knob.env}` | `{knob.entry}` | `{knob.default!r}` |" in knobs for knob in KNOBS)
    assert all(f"| `{row.series}` | {row.kind} |" in metrics for row in TABLE)
    assert "| data_quality | `" in metrics and "inf" not in metrics.partition("## Other monitors")[2]


def test_the_pages_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    start, end = docs.FOLDERS_MARKS
    (tmp_path / "CONTRIBUTING.md").write_text(f"{start}\n{end}\n")
    monkeypatch.setattr(sys, "argv", ["docs", str(folder)])
    assert docs.main() == 0
    assert sorted(path.name for path in folder.iterdir()) == ["knobs.md", "metrics.md", "operators.md"]
    operators = (folder / "operators.md").read_text(encoding="utf-8")
    assert "## ai.onnx: " in operators and "## com.microsoft: " in operators and "| Relu |" in operators
    assert "- `convert`: " in (tmp_path / "CONTRIBUTING.md").read_text()
