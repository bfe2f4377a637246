"""What a machine can do, as data. Must not know how it is asked."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass


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


X86_64 = frozenset({"x86_64", "amd64"})
"""What systems call x86-64."""
