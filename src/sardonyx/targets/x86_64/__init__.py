"""The x86-64 family: AVX2 and AVX-512, with what further features a machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sardonyx.base.policy import Goal
from sardonyx.targets.x86_64 import cpuid, isa

if TYPE_CHECKING:
    from sardonyx.compiler.backend import Backend


class X86:
    """The folder's family."""

    targets = isa.TARGETS
    with_features = staticmethod(isa.with_features)
    missing = staticmethod(isa.missing)
    choose = staticmethod(isa.choose)
    features = staticmethod(cpuid.of_process)
    unit_bits = staticmethod(cpuid.units_of_process)

    def backend(self, goal: Goal) -> Backend:
        """The native backend."""
        from sardonyx.targets.x86_64.backend import X86Backend

        return X86Backend(goal)


FAMILY = X86()
