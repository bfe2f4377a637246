"""The loops of a convolution of plain input of a few channels around micro-kernels on matrix registers.

The channels of a pixel lie side by side in the band, and the pixels that a row of a window reads follow one
another, so that a row of it is one step, or a few. Registers hold just these numbers: what lies behind the
window, infinite or NaN maybe, is not multiplied. Decides steps; must not know threads.
"""

from __future__ import annotations

from itertools import pairwise

from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.band import BandBlock
from sardonyx.kernels.convolution.few import MOST_STEPS, SIDE_BY_SIDE
from sardonyx.kernels.share import round_up, set_word
from sardonyx.kernels.tiles.matrix import OF_A, OF_B, MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.split import PIXELS, define_split_pixels
from sardonyx.llvm import matrix
from sardonyx.llvm.vec import Function, Module, V, int_


class PlainBandBlock(BandBlock):
    """Writes the function; the registers are to be configured for these arguments."""

    suffix = "plain_"

    def _define_parts(self, module: Module) -> None:
        self.kernels = kernels(module, self.matrix)
        self.splits = [
            [define_split_pixels(module, self.matrix, n, careful=c) for n in SIDE_BY_SIDE]
            for c in (False, True)
        ]

    def configure(self, f: Function, args: V) -> None:
        """Take the registers into use, with as many numbers of A as a step has."""
        _, numbers = _step(f, f.word(args, Conv.CHANNELS_IN), f.word(args, Conv.STEPS), self.matrix)
        size = f.mul(numbers, int_(self.matrix.number_bytes))
        rows = f.binary("udiv", numbers, int_(self.matrix.depth))
        by = self.matrix.tile.instruction
        counts = {**self._rows(f, args), **dict.fromkeys(OF_B, rows)}
        matrix.configure(f, by, counts, dict.fromkeys(OF_A, size))

    def _measure_band(self) -> None:
        f, word, shape = self.f, self.word, self.matrix
        self.cut, self.numbers = _step(f, word[Conv.CHANNELS_IN], word[Conv.STEPS], shape)
        self.register_steps = self.stride = self.phases = int_(1)
        self.pixel = f.mul(_beside(f, word[Conv.CHANNELS_IN]), int_(shape.number_bytes))
        self.row = f.mul(word[Conv.X_PIXEL], self.pixel)
        self.inner = f.mul(word[Conv.TAPS2], self.cut)
        self.steps = f.mul(self.inner, int_(shape.k_step))

    def _width_of(self, outputs: V) -> V:
        f, word = self.f, self.word
        return f.add(f.mul(f.sub(outputs, int_(1)), word[Conv.X_PIXEL]), word[Conv.STEPS])

    def _pixels_of(self, outputs: V) -> V:
        return round_up(self.f, self._width_of(outputs), PIXELS)

    def _fill_entries(self, row_bytes: V, phase_bytes: V) -> None:
        """Write the table of all steps, those of a row of the window one after the other."""
        del phase_bytes
        f = self.f
        self.descriptor.set({MatrixWords.ENTRIES: self.inner})
        size = f.mul(self.numbers, int_(self.matrix.number_bytes))
        with f.loop(int_(0), self.inner) as entry:
            row, step = (f.binary(op, entry.index, self.cut) for op in ("udiv", "urem"))
            at = f.add(f.mul(row, row_bytes), f.mul(step, size))
            f.store(at, f.gep(self.table, entry.index, "i64"), 8)

    def _tell_split(self, step: V, plane: V) -> None:
        del step, plane
        f, word = self.f, self.word
        far = f.mul(word[Conv.X_CHANNEL], int_(self.shape.element))
        for n, value in enumerate((far, word[Conv.CHANNELS_IN])):
            set_word(f, self.split_words, n, value)
        self.split = [self._picked(names) for names in self.splits]

    def _picked(self, names: list[str]) -> V:
        """The function for as many channels."""
        f, (found, *others) = self.f, [V(f"@{name}", "ptr") for name in names]
        for fewer, function in zip(SIDE_BY_SIDE, others, strict=False):
            more = f.icmp("sgt", self.word[Conv.CHANNELS_IN], int_(fewer))
            found = f.select(more, function, found)
        return found


def _beside(f: Function, channels: V) -> V:
    """How many numbers a pixel of the band has."""
    found = int_(SIDE_BY_SIDE[0])
    for fewer, more in pairwise(SIDE_BY_SIDE):
        found = f.select(f.icmp("sgt", channels, int_(fewer)), int_(more), found)
    return found


def _step(f: Function, channels: V, columns: V, shape: MatrixShape) -> tuple[V, V]:
    """Steps of a row of the window, and numbers of a step: those of `cut_row`."""
    total, steps = f.mul(columns, _beside(f, channels)), int_(MOST_STEPS)
    for count in reversed(range(1, MOST_STEPS)):
        whole = f.icmp("eq", f.binary("urem", total, int_(count * shape.depth)), int_(0))
        serves = f.binary("and", whole, f.icmp("sle", total, int_(count * shape.k_step)))
        steps = f.select(serves, int_(count), steps)
    return steps, f.binary("udiv", total, steps)
