"""The pages of docs/ that are executed or generated."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from sardonyx.ops import register_all
from sardonyx.tools import docs

FOLDER = Path(__file__).parents[2] / "docs"


def test_the_tour_runs_through_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(FOLDER / "tour.py"), run_name="__main__")
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if line.startswith("== ")]
    assert titles[0] == "== Graph, as loaded"
    assert titles[-1] == "== Report"
    assert any("LLVM IR" in title for title in titles)


def test_every_operator_and_knob_has_a_row() -> None:
    register_all()
    assert "| LeakyRelu | 1 |" in docs.operators_page()
    assert "| `SARDONYX_CACHE` | `sardonyx.cache` |" in docs.knobs_page()


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (*FOLDER.glob("*.md"), FOLDER.parent / "README.md", FOLDER.parent / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
