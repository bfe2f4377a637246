"""The shortcut's text is valid and speaks the system's convention; `runtime/test_shortcut.py` runs it."""

from __future__ import annotations

import sys

import pytest

from sardonyx import targets
from sardonyx.object import engine, shortcut
from sardonyx.targets.x86_64 import isa


@pytest.mark.parametrize(("platform", "convention"), [("linux", "ccc"), ("win32", "win64cc")])
def test_code_for_each_system(platform: str, convention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    text = shortcut.ir(isa.V3)
    assert f"define {convention} ptr @sdx_shortcut" in text
    assert "$" not in text
    engine.compile_object(text, isa.V3, quick=True)


def test_one_text_for_all_targets_of_a_system() -> None:
    assert len({shortcut.ir(target) for target in (isa.V3, isa.V4, targets.detect())}) == 1
