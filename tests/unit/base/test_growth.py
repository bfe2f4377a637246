"""A command is run to its end while a folder grows; its last lines are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sardonyx.base import growth
from sardonyx.base.growth import bytes_below, run_growing

WRITES = """
import pathlib, sys, time
pathlib.Path(sys.argv[1], "a").write_bytes(bytes(1000))
time.sleep(0.5)
print(*range(9), sep="\\n")
sys.exit(3)
"""


def test_growth_is_told_and_the_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_LOOK_SECONDS", 0.02)
    folder, seen = tmp_path / "grows", list[int]()
    folder.mkdir()
    with (tmp_path / "log").open("w+") as log:
        command = (sys.executable, "-c", WRITES, str(folder))
        code, said = run_growing(command, folder, log, dict(os.environ), seen.append)
    assert (code, said.split()) == (3, ["3", "4", "5", "6", "7", "8"])
    assert seen[-1] == 1000 and seen == sorted(seen)


def test_bytes_are_those_of_all_files_below(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").write_bytes(bytes(7))
    (tmp_path / "b").write_bytes(bytes(5))
    assert bytes_below(tmp_path) == 12
    (tmp_path / "broken").symlink_to("nowhere")
    assert bytes_below(tmp_path) == 12 + len("nowhere")
