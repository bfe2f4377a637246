"""The pages of docs/ that are executed or generated."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import onnx
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ops import register_all
from sardonyx.tools import docs
from sardonyx.tools.operators import facts, notation

FOLDER = Path(__file__).parents[2] / "docs"


def test_the_tour_runs_through_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(FOLDER / "tour.py"), run_name="__main__")
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if line.startswith("== ")]
    assert titles[0] == "== Graph, as loaded"
    assert titles[-1] == "== Report"
    assert any("LLVM IR" in title for title in titles)


def test_the_table_of_operators_is_the_generated_one() -> None:
    register_all()
    committed = (FOLDER / "operators.md").read_text(encoding="utf-8")
    if f"operator of onnx {onnx.__version__}," not in committed:
        pytest.skip(f"the page speaks of another onnx than {onnx.__version__}")
    assert committed == docs.operators_page(), "run `make docs`"


def test_the_table_of_knobs_is_the_generated_one() -> None:
    assert (FOLDER / "knobs.md").read_text(encoding="utf-8") == docs.knobs_page(), "run `make docs`"


def test_the_list_of_folders_is_the_generated_one() -> None:
    page = (FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert page == docs.with_folders(page, FOLDER.parent / "pyproject.toml"), "run `make docs`"


def test_the_table_of_metrics_is_the_generated_one() -> None:
    assert (FOLDER / "metrics.md").read_text(encoding="utf-8") == docs.metrics_page(), "run `make docs`"


def test_every_operator_of_onnx_has_a_row_that_says_where_it_runs() -> None:
    register_all()
    rows = {(fact.domain, fact.name): fact for fact in facts()}
    assert {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()} <= rows.keys()
    assert {name for (_, name), fact in rows.items() if fact.runs == "nowhere"} == {"Gradient"}
    assert rows["", "ImageDecoder"].runs == "host: ONNX's reference"
    assert rows["", "SwiGLU"].runs == "function body"
    assert rows["", "Scatter"].opsets.endswith("to 10")
    concat = rows["", "Concat"]
    assert concat.native_types == "f16-f64, bf16, i8-i64, u8-u64, bool"
    assert concat.host_types.startswith("string")


def test_types_are_written_as_ranges() -> None:
    names = ["f16", "f64", "i8", "i16", "i32", "u2", "u4", "f8e5m2", "bool", "string"]
    written = list(notation({dt.by_name(name) for name in names}))
    assert written == ["f16", "f64", "f8e5m2", "i8-i32", "u2-u4", "bool", "string"]


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (*FOLDER.rglob("*.md"), *FOLDER.parent.glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
