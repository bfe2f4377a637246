"""The descriptor that tiles on matrix registers share. Must not know what a walk multiplies."""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.share import ceil_div, new_words, set_words
from sardonyx.kernels.tiles.ahead import Ahead
from sardonyx.kernels.tiles.matrix import ACROSS, ASKS, MatrixShape, MatrixWords
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.llvm.vec import Function, V, int_


@dataclass(frozen=True, slots=True)
class RegisterDescriptor:
    """A block of `MatrixWords`."""

    f: Function
    matrix: MatrixShape
    words: V

    @staticmethod
    def of(f: Function, matrix: MatrixShape, words: Mapping[int, V], spare: V) -> RegisterDescriptor:
        """A descriptor with some words and its room to spare."""
        descriptor = RegisterDescriptor(f, matrix, new_words(f, words, len(MatrixWords)))
        descriptor.point({MatrixWords.SPARE: spare})
        return descriptor

    def set(self, words: Mapping[int, V]) -> None:
        """Change words."""
        set_words(self.f, self.words, words)

    def point(self, addresses: Mapping[int, V]) -> None:
        """Change words that are addresses."""
        for word, address in addresses.items():
            self.f.store(address, self.f.gep(self.words, int_(word), "i64"), 8)

    def set_panel(self, narrow: V, planes: int) -> tuple[V, V]:
        """For a panel of one register, or of all, in so many planes: bytes of a step, and of a plane."""
        f = self.f
        plane = f.mul(f.select(narrow, int_(1), int_(ACROSS)), int_(self.matrix.register_bytes))
        step = f.mul(plane, int_(planes))
        self.set({MatrixWords.B_STEP: step})
        return step, plane

    def set_finite(self, word: MatrixWords, plane: V, special: V) -> None:
        """How far the finite numbers of an operand are: 0, with all others, unless some are `special`."""
        f = self.f
        self.set({word: f.mul(f.mul(plane, int_(self.matrix.planes)), special)})

    def ahead(self, begin: V, is_full: V, tiles: V, steps: V, step_bytes: V | None = None) -> Ahead:
        """Each of some tiles asks for its share of the panel that follows, if that is a full one.

        A step of it has so many bytes, or those of all planes.
        """
        f, matrix = self.f, self.matrix
        step = step_bytes or int_(ACROSS * matrix.register_bytes * matrix.planes)
        places = ASKS * len(matrix.terms)
        each = f.binary("udiv", step, int_(CACHE_LINE))
        lines = ceil_div(f, each, f.mul(tiles, int_(places)))
        self.set({MatrixWords.LINES: f.select(is_full, lines, int_(0))})
        last = f.gep(begin, f.sub(f.mul(steps, step), int_(CACHE_LINE)), "i8")
        self.point({MatrixWords.AHEAD_LAST: last})
        return Ahead.apart(begin, f.mul(f.mul(lines, int_(places * CACHE_LINE)), steps))

    def sum(self, kernel: V, a: V, b: V, steps: V, tile: V) -> None:
        """Sum a tile."""
        self.point({MatrixWords.TILE: tile})
        self.f.call_pointer(kernel, a, b, steps, self.words)
