"""A target has the sizes of the machine that executes it."""

from __future__ import annotations

from sardonyx.targets import reference
from sardonyx.targets.host import Host
from sardonyx.targets.x86_64 import isa


def test_units_count_as_far_as_vectors_reach() -> None:
    machine = Host("x86_64", frozenset(), 48 << 10, 2 << 20, unit_bits=512)
    wide, narrow = machine.sized(isa.V4), machine.sized(isa.V3)
    assert (wide.unit_lanes, narrow.unit_lanes) == (16, 8)
    assert (narrow.l1_bytes, narrow.l2_bytes) == (48 << 10, 2 << 20)


def test_what_is_not_told_is_what_it_was() -> None:
    assert Host("x86_64", frozenset()).sized(isa.V3) == isa.V3
    machine = Host("x86_64", frozenset(), 48 << 10, 2 << 20, unit_bits=512)
    assert machine.sized(reference.REFERENCE) is reference.REFERENCE
