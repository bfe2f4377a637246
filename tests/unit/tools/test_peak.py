"""What the machine does at most: measured by native loops, and told by amount of memory."""

from __future__ import annotations

import re

import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.errors import CompileError
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from sardonyx.tools import peak
from sardonyx.tools.peak import Peak, ir, measure

PEAK = Peak(2, 4e9, ((100, 3e9), (1000, 1e9)))


def test_the_rate_is_that_of_the_nearest_smaller_amount_or_a_larger_one() -> None:
    assert [PEAK.rate(size) for size in (1, 100, 999, 1000, 1e9)] == [3e9, 3e9, 3e9, 1e9, 1e9]
    uneven = PEAK._replace(rates=((100, 3e9), (1000, 1e9), (2000, 2e9)))
    assert [uneven.rate(size) for size in (100, 1000, 2000)] == [3e9, 2e9, 2e9]


def test_the_nearer_roof_counts() -> None:
    assert PEAK.share(2e9, 10, 1.0) == 0.5
    assert PEAK.share(2e9, 1e9, 2.0) == 0.5
    assert PEAK.share(0, 0, 1.0) == 0.0


def test_a_kernel_is_held_against_the_instruction_that_it_uses() -> None:
    peak = PEAK._replace(products=(("i8 by usdot v", 1.6e10),))
    assert peak.share(4e9, 10, 1.0, "i8 by usdot v") == 0.25
    assert peak.share(4e9, 10, 1.0, "i8 by usdot v, any weights") == 0.25
    assert peak.share(4e9, 10, 1.0, "f32 by fmla v") == 1.0
    assert "4 GFLOP/s (fp32 FMA), 16 of i8 by usdot v, 3 GB/s" in peak.text()


def test_text() -> None:
    assert PEAK.text().endswith(
        "2 threads, measured: 4 GFLOP/s (fp32 FMA), 3 GB/s in the caches, 1 GB/s in memory"
    )


def test_the_loops_hold_whole_vectors_and_sums_in_registers() -> None:
    goal = Goal(targets.detect())
    assembly = engine.assembly(ir(goal), goal.target)
    for tile in peak._tiles(goal):
        body = re.search(rf"^products_{tile.operand}:(.*?)^\.Lfunc_end", assembly, re.M | re.S)
        assert body is not None
        # Where one instruction multiplies pairs and adds them, LLVM takes that.
        products = re.compile(rf"\t({tile.instruction.mnemonic}|vpdpwssd)")
        assert max(len(products.findall(part)) for part in body[1].split(".LBB")) == peak._CHAINS
        assert "rsp" not in body[1]


def test_the_loops_on_matrix_registers_do_nothing_else() -> None:
    features = {feature for tile in isa.V4.matrices for feature in tile.features}
    goal = Goal(isa.with_features(isa.V4, features))
    assembly = engine.assembly(ir(goal), goal.target)
    tiles = peak._matrices(goal)
    assert {tile.operand for tile in tiles} == {"f32", "fixed24", "i8"}
    for tile in tiles:
        body = re.search(rf"^products_{tile.name}:(.*?)^\.Lfunc_end", assembly, re.M | re.S)
        assert body is not None and body[1].count(f"\t{tile.instruction.name}") == peak._SUMS


def test_reading_loads_each_vector_once_and_writes_none() -> None:
    goal = Goal(targets.detect())
    assembly = engine.assembly(ir(goal), goal.target)
    body = re.search(r"^read:(.*?)^\.Lfunc_end", assembly, re.M | re.S)
    assert body is not None and "rsp" not in body[1]
    loop = max(body[1].split(".LBB"), key=len)
    of_memory = [line for line in loop.splitlines() if line.startswith("\tv") and "(" in line]
    assert len(of_memory) == peak._STREAMS * peak._VECTORS
    assert not any(line.endswith(")") for line in of_memory)


@pytest.mark.parametrize("threads", [1, 2])
def test_measured(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_MOST_BYTES", 1 << 19)
    monkeypatch.setattr(peak, "_TRIALS", 2)
    monkeypatch.setattr(peak, "_LEAST_SECONDS", 0.0)
    found = measure(threads)
    assert found.threads == threads and 1e8 < found.flops < 1e13
    assert {name.split()[0] for name, _ in found.products} >= {"f64", "i16"}
    assert all(1e8 < rate < 1e14 for _, rate in found.products)
    assert [size for size, _ in found.rates] == [threads << 15, threads << 17, threads << 19][: 4 - threads]
    assert all(1e7 < rate < 1e13 for _, rate in found.rates)


def test_without_native_code_there_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "detect", lambda: targets.by_name("reference"))
    with pytest.raises(CompileError, match="executes no native code"):
        measure(1)
