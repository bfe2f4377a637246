"""The process knows what it holds, and gives back what was freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
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


ARENAS = """
import ctypes, threading
from sardonyx.serve import memory

memory.share_one_heap()
began = threading.Barrier(8)

def hold():
    began.wait()
    malloc(1000)

malloc = ctypes.CDLL(None).malloc
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_stats"),
    reason="not the C library of GNU",
)
@pytest.mark.parametrize(("environment", "arenas"), [({}, 1), ({"MALLOC_ARENA_MAX": "3"}, 3)])
def test_threads_share_a_heap_unless_the_environment_says_otherwise(
    environment: dict[str, str], arenas: int
) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    ran = subprocess.run(
        [sys.executable, "-c", ARENAS], env=kept | environment, capture_output=True, text=True, check=True
    )
    assert ran.stderr.count("Arena ") == arenas


@pytest.mark.parametrize("error", [TypeError, None])
def test_c_libraries_without_such_functions(monkeypatch: pytest.MonkeyPatch, error: type | None) -> None:
    def library(name: None) -> object:
        if error is not None:
            raise error
        return object()

    monkeypatch.setattr(ctypes, "CDLL", library)
    memory.share_one_heap()
    memory.give_back_memory(cycles=False)
