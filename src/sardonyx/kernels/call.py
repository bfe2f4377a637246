"""One native call: its function and argument words, still in terms of storages and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Dim
from sardonyx.ir.place import Place, Storage
from sardonyx.loops.nest import Kernel


@dataclass(frozen=True, slots=True)
class Address:
    """The address of element `offset` of a storage."""

    storage: Storage
    offset: Dim = 0

    @staticmethod
    def of(place: Place) -> Address:
        """Where a tensor begins."""
        return Address(place.storage, place.offset)


@dataclass(frozen=True, slots=True)
class Entry:
    """The address of a native function."""

    symbol: str


Argument = Address | Entry | Dim
"""One argument word; a plain `Dim` is an integer, `Bits` one that stands for a float."""


def in_order(words: Mapping[int, Argument], count: int) -> tuple[Argument, ...]:
    """Words by number as a kernel reads them; those not given are 0."""
    return tuple(words.get(n, 0) for n in range(count))


@dataclass(frozen=True, slots=True)
class NativeCall:
    """A call of `symbol` with `words`; `reads` and `writes` order it among others.

    `work` counts elementary operations, `scratch_bytes` private memory for each thread. For the report,
    `plan` is its printable plan, `kind` its family, `arithmetic` what products are computed with, `flops` how
    many sums, products and functions of numbers it computes (0 = unknown), `touched` how many elements it
    asks for at most of each of `reads`, then of `writes` (empty: maybe all); `kernel` is the loop nest it was
    emitted from.
    """

    symbol: str
    words: tuple[Argument, ...]
    reads: tuple[Storage, ...]
    writes: tuple[Storage, ...]
    origins: tuple[str, ...] = ()
    work: Dim = 0
    scratch_bytes: Dim = 0
    kind: str = "loops"
    plan: str = ""
    arithmetic: str = ""
    flops: Dim = 0
    touched: tuple[Dim, ...] = ()
    kernel: Kernel | None = field(default=None, compare=False)


Call: TypeAlias = tuple[NativeCall, Mapping[str, Callable[[], str]]]
"""A call, and what makes the IR modules that it links to, by name."""

Calls: TypeAlias = Iterator[Call]
