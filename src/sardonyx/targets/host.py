"""What a machine can do, as data. Must not know how it is asked."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.target import Target

_ELEMENT_BITS = 32


@dataclass(frozen=True, slots=True)
class Host:
    """Architecture (`platform.machine` in lower case), LLVM feature names, cache sizes in bytes.

    `unit_bits` is how wide the units are that multiply vectors. Sizes are 0 if nobody tells them.
    """

    machine: str
    features: frozenset[str]
    l1_bytes: int = 0
    l2_bytes: int = 0
    unit_bits: int = 0

    def sized(self, target: Target) -> Target:
        """A target of machine code as this machine executes it: with its sizes, as far as they are told.

        Units count no further than the target's vectors reach.
        """
        if not target.is_machine:
            return target
        return replace(
            target,
            l1_bytes=self.l1_bytes or target.l1_bytes,
            l2_bytes=self.l2_bytes or target.l2_bytes,
            unit_lanes=min(self.unit_bits // _ELEMENT_BITS, target.lanes),
        )


X86_64 = frozenset({"x86_64", "amd64"})
"""What systems call x86-64."""
