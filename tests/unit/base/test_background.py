"""Calls in the background end in their result or in their error."""

from __future__ import annotations

import threading

import pytest

from sardonyx.base.background import Background


def test_a_result_is_waited_for() -> None:
    may_end = threading.Event()
    call = Background(lambda: may_end.wait(10))
    may_end.set()
    assert call.result() is True
    assert call.result() is True


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        Background(lambda: 1 // 0).result()
