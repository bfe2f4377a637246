"""A trace times every stage and shows what was asked for, no more."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from sardonyx.base.report import Report
from sardonyx.base.trace import Trace, View, watched


class Ir(str):
    """A stand-in for a representation: its text is itself."""


def view(checked: list[Ir] | None = None) -> dict[type, View]:
    return {Ir: View(text=str, verify=(checked.append if checked is not None else None))}


def test_off_takes_times_only(capsys: pytest.CaptureFixture[str]) -> None:
    trace = Trace.off()
    value = Ir("a")
    assert trace.stage("load", value) is value
    trace.code("k.ll", lambda: pytest.fail("nobody reads it"))
    report = trace.finish(Report())
    assert [row.stage for row in report.timings] == ["load"]
    assert capsys.readouterr() == ("", "")


def test_times_come_from_the_clock() -> None:
    ticks = iter([0, 5_000_000, 6_000_000, 8_000_000, 9_000_000])
    trace = Trace(clock=lambda: next(ticks))
    trace.stage("a", Ir("x"))
    trace.stage("a", Ir("y"))
    assert [(row.stage, row.elapsed_ms) for row in trace.timings] == [("a", 5.0), ("a", 2.0)]


def test_the_ladder() -> None:
    texts = []
    for level in (1, 2, 3, 4):
        stream = io.StringIO()
        trace = Trace(view(), debug=level, stream=stream)
        trace.stage("load", Ir("first text"))
        trace.stage("fold", [Ir("second"), Ir("text")])
        trace.code("k0.ll", lambda: "define void")
        trace.finish(Report())
        texts.append(stream.getvalue())
    assert all(text.startswith("load ") and "\nfold " in text for text in texts)
    assert ["0 kernels" in text for text in texts] == [False, True, True, True]
    assert ["first text" in text for text in texts] == [False, False, True, True]
    assert ["define void" in text for text in texts] == [False, False, False, True]


def test_dumps_appear_only_if_something_changed(tmp_path: Path) -> None:
    trace = Trace(view(), dump=tmp_path / "dump")
    trace.stage("load", Ir("text"))
    trace.stage("fold", Ir("text"))
    trace.stage("algebra", Ir("other"))
    trace.code("k0.ll", lambda: "define void")
    trace.finish(Report())
    names = sorted(file.name for file in (tmp_path / "dump").iterdir())
    assert names == ["00_load.txt", "02_algebra.txt", "03_k0.ll", "report.json", "report.txt"]
    assert "kernels" in json.loads((tmp_path / "dump" / "report.json").read_text(encoding="utf-8"))


def test_verification() -> None:
    checked: list[Ir] = []
    trace = Trace(view(checked), verify=True)
    trace.stage("load", [Ir("a"), Ir("b")])
    trace.stage("other", [1, 2])
    assert checked == ["a", "b"]


def test_watchers_see_stages_and_progress() -> None:
    seen: list[tuple[str, int, int]] = []
    with watched(lambda *step: seen.append(step)):
        trace = Trace.off()
        trace.progress("codegen", 3, 12)
        trace.stage("codegen", Ir(""))
    Trace.off().stage("load", Ir(""))
    assert seen == [("codegen", 3, 12), ("codegen", 1, 1)]
