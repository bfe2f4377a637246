"""Who asks sees the models that its patterns name; every request has its own context."""

from __future__ import annotations

from sardonyx.protocol.messages import Context, InferRequest, Principal


def test_patterns() -> None:
    assert Principal().may_see("anything")
    some = Principal("k", models=("fraud-*", "exact"))
    assert [some.may_see(n) for n in ("fraud-1", "exact", "exactly", "Fraud-1", "other")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not Principal("k", models=()).may_see("m")


def test_nothing_is_shared_between_requests() -> None:
    one, other = InferRequest("m", []), InferRequest("m", [])
    one.parameters["a"] = 1
    assert other.parameters == {}
    assert one.context is not other.context
    assert Context().received_ns <= Context().received_ns
