"""What the machine does at most: measured by native loops, and told by amount of memory."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.errors import CompileError
from sardonyx.object import engine
from sardonyx.tools import peak
from sardonyx.tools.peak import Peak, ir, measure

PEAK = Peak(2, 4e9, ((100, 3e9), (1000, 1e9)))


def test_the_rate_is_that_of_the_nearest_smaller_amount() -> None:
    assert [PEAK.rate(size) for size in (1, 100, 999, 1000, 1e9)] == [3e9, 3e9, 3e9, 1e9, 1e9]


def test_the_nearer_roof_counts() -> None:
    assert PEAK.share(2e9, 10, 1.0) == 0.5
    assert PEAK.share(2e9, 1e9, 2.0) == 0.5
    assert PEAK.share(0, 0, 1.0) == 0.0
    assert PEAK.text().endswith(
        "2 threads, measured: 4 GFLOP/s (fp32 FMA), 3 GB/s in the caches, 1 GB/s in memory"
    )


def test_the_loops_hold_whole_vectors_and_sums_in_registers() -> None:
    target = targets.detect()
    fma = engine.assembly(ir(target), target).split("copy:")[0]
    assert fma.count("vfmadd") == peak._CHAINS


@pytest.mark.parametrize("threads", [1, 2])
def test_measured(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_MOST_BYTES", 1 << 19)
    monkeypatch.setattr(peak, "_TRIALS", 2)
    found = measure(threads)
    assert found.threads == threads and 1e8 < found.flops < 1e13
    assert [size for size, _ in found.rates] == [threads << 15, threads << 17, threads << 19][: 4 - threads]
    assert all(1e7 < rate < 1e13 for _, rate in found.rates)


def test_without_native_code_there_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "detect", lambda: targets.by_name("reference"))
    with pytest.raises(CompileError, match="executes no native code"):
        measure(1)
