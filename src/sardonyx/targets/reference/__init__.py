"""No machine: the compiler's stages up to loops, then every kernel in numpy as its loops mean it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.errors import TargetError
from sardonyx.targets.host import Host

if TYPE_CHECKING:
    from sardonyx.compiler.backend import Backend

REFERENCE = Target("reference", "", "", (), lanes=1)


class Reference:
    """The family of the one target that every machine executes, slowly, and none is given unasked."""

    targets = (REFERENCE,)

    def with_features(self, target: Target, features: Sequence[str]) -> Target:
        """The target; it has no features."""
        if features:
            raise TargetError(f"{target.name} knows no features")
        return target

    def features(self, machine: str, system: str) -> frozenset[str]:
        """None: numpy asks for none."""
        return frozenset()

    def unit_bits(self, machine: str, system: str) -> int:
        """None are known."""
        return 0

    def missing(self, target: Target, host: Host) -> tuple[str, ...]:
        """Nothing: numpy runs everywhere."""
        return ()

    def choose(self, host: Host) -> Target | None:
        """None: it has to be named."""
        return None

    def backend(self, goal: Goal) -> Backend:
        """The interpreter."""
        from sardonyx.targets.reference.interpreter import ReferenceBackend

        return ReferenceBackend(goal)


FAMILY = Reference()
