"""Long work is told: as a bar on a terminal, as one line elsewhere, not at all if nobody wants to hear."""

from __future__ import annotations

import sys
import threading

import pytest

from sardonyx.base.progress import BAR_CELLS, Progress, told_after


def test_logs_get_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("fetch", 3_000_000, "B") as progress:
        progress.update(1_000_000)
    assert capsys.readouterr().err == "fetch (3.0 MB)\n"
    with Progress("fetch", 1_400_000_000, "B"):
        pass
    assert capsys.readouterr().err == "fetch (1400 MB)\n"
    with Progress("fetch", 3, quiet=True):
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_ends_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("run", 4, "tests") as progress:
        progress._drawn_at = 0
        progress.update(2)
    shown = capsys.readouterr().err
    assert "█" * (BAR_CELLS // 2) + "·" * (BAR_CELLS // 2) + " 2 tests of 4 tests" in shown
    assert shown.rstrip().endswith("█ 4 tests of 4 tests")
    with pytest.raises(KeyError), Progress("run", 4):
        raise KeyError
    assert "4 of 4" not in capsys.readouterr().err, "what failed is not shown as done"


def test_slow_work_is_told_and_quick_work_is_not() -> None:
    told = threading.Event()
    with told_after(0.0, told.set):
        assert told.wait(5)
    late = threading.Event()
    with told_after(0.05, late.set):
        pass
    assert not late.wait(0.2)
    with told_after(0.0, None):
        pass
