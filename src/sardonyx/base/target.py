"""What a machine can do, as plain data; no behaviour, no detection."""

from __future__ import annotations

from dataclasses import dataclass

from sardonyx.base.tile import RegisterTile


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Which weights a contraction asks for before it reads them.

    A lone tile asks for those so many bytes ahead, `few_bytes` if it has few rows; of several tiles each asks
    for a part of those that follow. They are brought to the cache `level`, 1 or 2; 0 = none is asked for.
    """

    level: int
    alone_bytes: int = 0
    few_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One instruction set with the widths and tiles that kernels read.

    `lanes` is the vector width in elements of 32 bits, `tiles` the register tiles of contractions, the
    preferred first.
    """

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    lanes: int
    tiles: tuple[RegisterTile, ...] = ()
    prefetch: Prefetch = Prefetch(0)
    l1_bytes: int = 32 << 10
    l2_bytes: int = 1 << 20

    @property
    def is_machine(self) -> bool:
        """Whether there is machine code for it; the reference target has none."""
        return bool(self.triple)

    def has(self, feature: str) -> bool:
        """Whether an LLVM feature such as `avx512bf16` is present."""
        return feature in self.features
