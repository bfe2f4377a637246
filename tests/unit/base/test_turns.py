"""Threads take short turns inside the block, and those of before after it, however blocks overlap."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from sardonyx.base.turns import short_turns


@pytest.fixture
def usual() -> Iterator[float]:
    """How long a turn is, whatever ran before."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before)


def test_turns_are_short_inside_and_as_before_after_an_error(usual: float) -> None:
    with pytest.raises(RuntimeError), short_turns():
        assert sys.getswitchinterval() < usual / 10
        raise RuntimeError
    assert sys.getswitchinterval() == usual


def test_blocks_of_two_threads_may_overlap(usual: float) -> None:
    first, second = short_turns(), short_turns()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() < usual / 10
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == usual


def test_shorter_turns_of_the_user_stay(usual: float) -> None:
    sys.setswitchinterval(0.0001)
    before = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(before, abs=2e-6)
