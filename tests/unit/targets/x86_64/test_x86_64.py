"""The family of x86-64 offers its levels, the best first, and the native backend."""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.targets.host import Host
from sardonyx.targets.x86_64 import FAMILY, isa
from sardonyx.targets.x86_64.backend import X86Backend


def test_the_family() -> None:
    assert FAMILY.targets == isa.TARGETS
    assert FAMILY.targets[0].lanes > FAMILY.targets[-1].lanes
    assert isinstance(FAMILY.backend(Goal(isa.V3)), X86Backend)
    assert FAMILY.choose(Host(machine="sparc", features=frozenset())) is None
    assert "avx2" in FAMILY.missing(isa.V3, Host(machine="x86_64", features=frozenset()))


def test_a_level_is_what_machines_have_in_common() -> None:
    machine = replace(isa.with_features(isa.V4, ["avx512vnni"]), l1_bytes=48 << 10, l2_bytes=2 << 20)
    assert isa.level(machine) == isa.V4
    changed = replace(machine, channel_block=32)
    assert isa.level(changed) == replace(isa.V4, channel_block=32), "what was changed by hand stays"
