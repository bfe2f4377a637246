"""The process knows what it holds, and gives back what was freed."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from sardonyx.base.garbage import uncollected
from sardonyx.serve import memory


def test_memory_in_use_is_seen_and_given_back() -> None:
    before = memory.resident_bytes()
    held = np.ones(8 << 20)
    more = memory.resident_bytes()
    assert more - before > 32 << 20
    assert held.sum() == 8 << 20
    del held
    memory.give_back_memory(cycles=False)
    assert memory.resident_bytes() < more - (32 << 20)


@pytest.mark.parametrize("cycles", [True, False])
def test_cycles_are_looked_for_on_demand(cycles: bool) -> None:
    class Itself:
        pass

    with uncollected():
        held = Itself()
        held.held = held  # type: ignore[attr-defined]
        seen = weakref.ref(held)
        del held
        memory.give_back_memory(cycles=cycles)
        assert (seen() is None) is cycles


def test_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "absent")
    assert memory.resident_bytes() == 0
