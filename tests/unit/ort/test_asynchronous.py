"""Calls in the background come one after the other, and one that fails keeps none from its turn."""

from __future__ import annotations

import threading

import pytest

from sardonyx.ort.asynchronous import begin


def test_calls_come_in_turn_and_a_failure_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    done, over = list[int](), threading.Event()

    def fail() -> None:
        raise ValueError("no such luck")

    begin(lambda: done.append(1))
    begin(fail)
    begin(lambda: done.append(2))
    begin(over.set)
    assert over.wait(20)
    assert done == [1, 2]
    assert "no such luck" in capfd.readouterr().err
