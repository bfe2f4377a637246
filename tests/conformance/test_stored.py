"""Cases are made once, and again when what was stored is damaged or cannot be read."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.stored import stored


def test_what_was_made_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def make() -> list[int]:
        calls.append(len(calls))
        return [*calls]

    folder = tmp_path / "new"
    assert stored(make, folder) == stored(make, folder) == [0]
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:4])
    assert stored(make, folder) == stored(make, folder) == [0, 1]
    monkeypatch.setattr(np, "__version__", "0")
    assert stored(make, folder) == [0, 1, 2]
    (other,) = folder.iterdir()
    assert other.name != file.name


def test_processes_that_begin_together_make_it_once(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def make() -> int:
        begun.touch(exist_ok=False)
        time.sleep(0.2)
        return 7

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: stored(make, tmp_path / "new"), range(3))) == [7, 7, 7]


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert stored(lambda: 1, tmp_path / "file") == 1
