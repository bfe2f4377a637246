"""Sizes, times, shapes and tables for readers, and lines that only a terminal gets."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from datetime import date

import pytest

from sardonyx.base.trace import Trace
from sardonyx.tools import console
from sardonyx.tools.console import (
    bytes_text,
    print_json,
    progress_line,
    shape_text,
    status_line,
    table,
    time_text,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3400, "3.4 kB"),
        (97_500_000, "97.5 MB"),
        (8 << 30, "8.59 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.5e-7, "850 ns"),
        (1.23e-5, "12.3 us"),
        (4.56e-3, "4.56 ms"),
        (1.2, "1.20 s"),
        (90, "90.00 s"),
        (0, "0 ns"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(("shape", "text"), [(None, "[...]"), ((), "[]"), (("N", 3, None), "[N, 3, ?]")])
def test_shapes(shape: Sequence[int | str | None] | None, text: str) -> None:
    assert shape_text(shape) == text


def test_columns_are_aligned() -> None:
    assert table([]) == ""
    assert table([("a", "b"), ("ccc", ""), ("d", "e", "f")]) == "  a    b\n  ccc\n  d    e  f"
    assert table([("a", "b")], indent="") == "a  b"


def test_documents(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"day": date(2026, 1, 2), "n": [1]})
    assert json.loads(capsys.readouterr().out) == {"day": "2026-01-02", "n": [1]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_while_something_lasts(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(ZeroDivisionError), status_line("x" * 200):
        shown = stream.getvalue()
        _ = 1 / 0
    assert shown == ("\r" + "x" * 78 if terminal else "")
    assert stream.getvalue().endswith("\r") == terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_how_far_a_compilation_is(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    now = iter([10.0, 10.01, 20.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with progress_line("net.onnx"):
        compilation = Trace.off()
        for done in (1, 2, 3):
            compilation.progress("compile", done, 3)
    told = stream.getvalue()
    assert ("net.onnx: compile 1 of 3" in told, "2 of 3" in told, "3 of 3" in told) == (
        terminal,
        False,
        terminal,
    )
    assert told.endswith("\r") == terminal
