"""A target says what it can do."""

from __future__ import annotations

from sardonyx.base.target import Target


def test_features_and_whether_there_is_a_machine() -> None:
    target = Target("t", "x86_64-unknown-linux-gnu", "generic", ("fma", "avx512vnni"), 16)
    assert target.has("avx512vnni")
    assert not target.has("avx512"), "a part of a name is no feature"
    assert target.is_machine
    assert not Target("reference", "", "", (), 16).is_machine
