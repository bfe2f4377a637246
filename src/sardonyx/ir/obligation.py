"""What must hold of sizes so that no kernel leaves its memory, and the words that conditions are written in.

Must not know primitives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Obligation:
    """`dim` must be zero (`exact`) or not negative; otherwise the run stops with the message."""

    dim: Dim
    exact: bool
    message: str

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it does, or cannot be told from these sizes."""
        if not dims.symbols(self.dim) <= sizes.keys():
            return True
        size = dims.evaluate(self.dim, sizes)
        return size == 0 if self.exact else size >= 0


class Operation(Protocol):
    """What conditions read of a value."""

    prim: str
    attrs: dict[str, Any]

    @property
    def args(self) -> Sequence[Any]:
        """The operands."""

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The sizes of the result."""

    @property
    def size(self) -> Dim:
        """The number of elements of the result."""


Conditions: TypeAlias = Callable[[Operation, str], Iterator[Obligation]]
"""The conditions on sizes under which computing a value is safe; the text says where, for messages."""


def none(value: Operation, where: str) -> Iterator[Obligation]:
    """Nothing to hold beyond sizes that are not negative."""
    yield from ()


def same(a: Dim, b: Dim, message: str) -> Iterator[Obligation]:
    """Two sizes are equal."""
    if a != b:
        yield Obligation(a - b, True, message)


def is_natural(dim: Dim) -> bool:
    """Whether a size is known not to be negative."""
    low = dims.lower_bound(dim)
    return low is not None and low >= 0


def natural(dim: Dim, message: str) -> Iterator[Obligation]:
    """A size is not negative."""
    if not is_natural(dim):
        yield Obligation(dim, False, message)


def alike(value: Any, shape: Sequence[Dim], message: str) -> Iterator[Obligation]:
    """The value has this shape; a wrong rank is refused at once."""
    if value.rank != len(shape):
        raise ShapeError(f"{message}: {list(value.shape)} instead of {list(shape)}")
    for size, wanted in zip(value.shape, shape, strict=True):
        yield from same(size, wanted, f"{message}: {list(value.shape)} instead of {list(shape)}")
