"""Memory is aligned, words share no line, and what a machine has not left is not promised."""

from __future__ import annotations

import pytest

from sardonyx.base.abi import LINE_BYTES
from sardonyx.errors import RunError
from sardonyx.runtime import allocate


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000])
@pytest.mark.parametrize("align", [16, 64, 4096])
def test_bytes_begin_at_a_multiple(size: int, align: int) -> None:
    memory = allocate.aligned_bytes(size, align)
    assert memory.nbytes == size
    assert memory.ctypes.data % align == 0 or not size


def test_words_are_zero_and_alone_on_their_lines() -> None:
    words = allocate.aligned_words(3)
    assert words.tolist() == [0, 0, 0]
    assert words.ctypes.data % LINE_BYTES == 0


def test_what_is_not_there_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocate, "available_bytes", lambda: 1 << 29)
    allocate.ask(1 << 27)
    allocate.ask(1 << 29)
    with pytest.raises(RunError, match="check the sizes that are fed") as error:
        allocate.ask((1 << 29) + 1)
    assert error.value.kind == "memory"


def test_a_machine_has_some_memory_left() -> None:
    assert 0 < allocate.available_bytes() <= 1 << 62
