"""What the folder of an instruction set offers: its targets, which of them a machine executes, and a backend.

A new folder is known once it stands in `targets.FAMILIES`. Must not know any instruction set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.targets.host import Host

if TYPE_CHECKING:
    from sardonyx.compiler.backend import Backend


class Family(Protocol):
    """One folder of targets/."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Its targets, the most capable first."""

    def with_features(self, target: Target, features: Sequence[str]) -> Target:
        """One of its targets with more features; TargetError for a feature that it does not know."""

    def features(self, machine: str, system: str) -> frozenset[str]:
        """What this process may use, as LLVM feature names; none on an architecture of another family.

        `machine` is `platform.machine` in lower case, `system` is `sys.platform`.
        """

    def unit_bits(self, machine: str, system: str) -> int:
        """How wide the units are that multiply vectors; 0 if unknown, or on another architecture."""

    def missing(self, target: Target, host: Host) -> tuple[str, ...]:
        """What a machine lacks to execute a target; nothing if it can."""

    def choose(self, host: Host) -> Target | None:
        """The best of its targets that a machine executes."""

    def backend(self, goal: Goal) -> Backend:
        """What makes programs for one of its targets; importing the compiler is left to this call."""
