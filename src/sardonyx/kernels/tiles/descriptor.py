"""What a walk tells micro-kernels of its tiles: of sums in scratch, and of tiles that go to their place.

Decides which of both a tile gets; must not know what else a walk does.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.share import new_words, set_words
from sardonyx.kernels.tiles.microkernel import TileWords
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Blocks of `TileWords`."""

    f: Function
    scratch: V
    direct: V

    @staticmethod
    def of(
        f: Function, both: Mapping[int, V], scratch: Mapping[int, V], direct: Mapping[int, V]
    ) -> Descriptors:
        """Descriptors with words that both have, and with their own."""
        each = (new_words(f, {**both, **own}, len(TileWords)) for own in (scratch, direct))
        return Descriptors(f, *each)

    def set(self, words: Mapping[int, V]) -> None:
        """Change words of both."""
        self.set_scratch(words)
        self.set_direct(words)

    def set_scratch(self, words: Mapping[int, V]) -> None:
        """Change words of tiles that go to scratch."""
        set_words(self.f, self.scratch, words)

    def set_direct(self, words: Mapping[int, V]) -> None:
        """Change words of tiles that go where they belong."""
        set_words(self.f, self.direct, words)

    def sum(self, kernel: V, operands: tuple[V, V, V], tile: V, to: V, is_direct: V, ahead: V) -> None:
        """Sum a tile into scratch at `tile`, or `to` where it belongs.

        `operands` are A, B, and how far the second half of A's rows is behind the first.
        """
        f, (a, b, half) = self.f, operands
        into, descriptor = f.select(is_direct, to, tile), f.select(is_direct, self.direct, self.scratch)
        f.call_pointer(kernel, a, b, into, half, descriptor, ahead)


def second_half(f: Function, rows: V, row: V) -> V:
    """How far the second half of a tile's rows, `row` apart, is behind the first."""
    return f.mul(f.binary("lshr", f.add(rows, int_(1)), int_(1)), row)
