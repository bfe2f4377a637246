"""Counts and times add up, in the protocol's form."""

from __future__ import annotations

from sardonyx.protocol.messages import Timings
from sardonyx.serve.statistics import Statistics


def test_a_document() -> None:
    kept = Statistics()
    kept.succeeded(Timings(queue_ns=1, input_ns=2, infer_ns=3, output_ns=4, total_ns=10, rows=2))
    kept.succeeded(Timings(queue_ns=1, input_ns=2, infer_ns=3, output_ns=4, total_ns=20, rows=3))
    kept.failed(Timings(total_ns=7))
    kept.executed(8, 1, 2, 3)
    kept.executed(5, 10, 20, 30)
    kept.executed(5, 10, 20, 30)
    document = kept.document("m", "1", 99)
    assert (document["inference_count"], document["execution_count"]) == (5, 3)
    stats = document["inference_stats"]
    assert stats["success"] == {"count": 2, "ns": 30}
    assert stats["fail"] == {"count": 1, "ns": 7}
    assert stats["compute_infer"] == {"count": 2, "ns": 6}
    assert [row["batch_size"] for row in document["batch_stats"]] == [5, 8]
    assert document["batch_stats"][0]["compute_output"] == {"count": 2, "ns": 60}
    assert document["memory_usage"] == [{"type": "CPU", "id": 0, "byte_size": 99}]
    assert kept.document("m", "1")["memory_usage"] == []
