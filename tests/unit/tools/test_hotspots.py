"""Timed calls as a table and as JSON."""

from __future__ import annotations

import pytest

from sardonyx.ort.hotspots import Hotspot
from sardonyx.tools.hotspots import as_json, text
from sardonyx.tools.peak import Peak


def test_text() -> None:
    calls = [Hotspot((f"Relu_{n}",), "k", "loops map", 1000.0 * n, 10.0, runs=7) for n in range(1, 5)]
    assert [line.split() for line in text(calls, most=2).splitlines()] == [
        ["share", "busy", "waiting", "kernel", "nodes"],
        ["39.8", "%", "4.0", "us", "10", "ns", "loops", "map", "Relu_4"],
        ["29.9", "%", "3.0", "us", "10", "ns", "loops", "map", "Relu_3"],
        ["29.9", "%", "3.0", "us", "2", "others"],
        ["0.4", "%", "40", "ns", "waiting", "for", "other", "threads"],
        ["each", "time", "is", "the", "least", "of", "7", "runs"],
    ]


def test_speeds_and_how_near_they_come_to_the_peak() -> None:
    peak = Peak(2, 4e9, ((100, 2e9), (10_000, 1e9)))
    calls = [
        Hotspot(("a",), "k", "gemm", 1000.0, 0.0, 2000, 100),
        Hotspot(("b",), "k", "loops", 500.0, 0.0, 0, 10_000),
        Hotspot(("c",), "k", "host", 250.0, 0.0),
        Hotspot(("d",), "k", "skipped", 0.0, 0.0, 10, 10),
        Hotspot(("e",), "k", "shorter than a clock tells", 0.4, 0.0, 10, 10),
    ]
    head, *rows = (line.split() for line in text(calls, peak).splitlines())
    assert head[3:7] == ["GFLOP/s", "GB/s", "of", "peak"]
    assert [row[6:9] for row in rows[:3]] == [["2.0", "0.1", "50%"], ["-", "20.0", "2000%"], ["-", "-", "-"]]
    told = as_json(calls, peak)
    assert [row["of_peak"] for row in told["calls"]] == pytest.approx([0.5, 20.0, 0.0, 0.0, 0.0])
    assert [row[6:9] for row in rows[3:5]] == [["-", "-", "-"]] * 2
    assert told["peak"]["flops"] == 4e9
