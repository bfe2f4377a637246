"""Tile registers are asked for once, and only of a system that lends them."""

from __future__ import annotations

import ctypes
import sys

import pytest

from sardonyx.targets.x86_64 import permission
from sardonyx.targets.x86_64.permission import granted, tiles_are_granted


class Library:
    """A libc whose kernel answers `answer`."""

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.asked: list[tuple[int, ...]] = []

    def syscall(self, *words: int) -> int:
        self.asked.append(words)
        return self.answer


@pytest.mark.parametrize(("answer", "granted"), [(0, True), (-1, False)])
def test_the_kernel_decides(answer: int, granted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(answer)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert tiles_are_granted.__wrapped__() is granted
    assert library.asked == [(158, 0x1023, 18)]


def test_other_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not tiles_are_granted.__wrapped__()


def test_matrix_registers_are_there_only_where_the_system_lends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    features = frozenset({"amx-bf16", "amx-tile", "avx2"})
    for answer in (True, False):
        monkeypatch.setattr(permission, "tiles_are_granted", lambda answer=answer: answer)
        assert granted(features) == (features if answer else {"avx2"})
    monkeypatch.setattr(permission, "tiles_are_granted", lambda: pytest.fail("nothing to ask for"))
    assert granted(frozenset({"avx2"})) == {"avx2"}
