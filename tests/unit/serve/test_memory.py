"""The process knows what it holds, and gives back what was freed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.serve import memory


def test_memory_in_use_is_seen_and_given_back() -> None:
    before = memory.resident_bytes()
    held = np.ones(8 << 20)
    more = memory.resident_bytes()
    assert more - before > 32 << 20
    assert held.sum() == 8 << 20
    del held
    memory.give_back_memory()
    assert memory.resident_bytes() < more - (32 << 20)


def test_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "absent")
    assert memory.resident_bytes() == 0
