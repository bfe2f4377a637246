"""Which taps of a window reach the image: those that meet zeros alone add nothing, and need not be read.

Decides what a call knows of its image, and which taps a tile of outputs needs; must not know tables of taps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.call import Argument
from sardonyx.kernels.contents import allows
from sardonyx.kernels.share import ceil_div, new_words, set_word
from sardonyx.llvm.vec import Function, V, int_

_AXES = (
    (Conv.TAPS2, Conv.ABOVE, Conv.HEIGHT, Conv.LINE_STEP, Conv.TAP_LINES),
    (Conv.TAPS3, Conv.BEFORE, Conv.WIDTH, Conv.PIXEL_STEP, Conv.TAP_PIXELS),
)


class Reach:
    """Rows and columns of the window in a table of taps, in the function being written: at first all."""

    def __init__(self, f: Function, word: Mapping[Conv, V]) -> None:
        self.f, self.word = f, word
        self.held = new_words(f, {1: word[Conv.TAPS2], 3: word[Conv.TAPS3]}, 4)
        self.counted = new_words(f, {}, 1)
        self.known = f.icmp("ne", f.binary("or", word[Conv.HEIGHT], word[Conv.WIDTH]), int_(0))

    def holds(self, taps: Sequence[V]) -> V:
        """Whether the table holds a tap of three axes."""
        f, found = self.f, int_(1, "i1")
        for axis, tap in enumerate(taps[1:]):
            first, end = (f.word(self.held, 2 * axis + n) for n in range(2))
            inside = f.binary("and", f.icmp("sge", tap, first), f.icmp("slt", tap, end))
            found = f.binary("and", found, inside)
        return found

    def turns_to(self, *tile: tuple[V, V]) -> V:
        """Let it hold what a tile reaches: (first, count) of its lines and pixels; whether that is new."""
        f = self.f
        wanted = [
            word for axis, outputs in zip(_AXES, tile, strict=True) for word in self._taps(axis, *outputs)
        ]
        changed = int_(0, "i1")
        for number, word in enumerate(wanted):
            changed = f.binary("or", changed, f.icmp("ne", word, f.word(self.held, number)))
        for number, word in enumerate(wanted):
            set_word(f, self.held, number, word)
        return changed

    def _taps(self, axis: Sequence[Conv], first: V, count: V) -> tuple[V, V]:
        """The taps of an axis that reach the image from some outputs: the first, and the end."""
        f = self.f
        taps, before, size, step, apart = (self.word[name] for name in axis)
        apart = f.smax(apart, int_(1))
        last = f.sub(f.add(first, count), int_(1))
        missing = f.sub(before, f.mul(last, step))
        begin = self._taps_in(f.smax(missing, int_(0)), apart)
        left = f.sub(f.add(before, size), f.mul(first, step))
        end = f.smin(self._taps_in(f.smax(left, int_(0)), apart), taps)
        known = f.icmp("ne", size, int_(0))
        return f.select(known, begin, int_(0)), f.select(known, end, taps)

    def _taps_in(self, size: V, apart: V) -> V:
        """How many taps so far apart begin in so many lines or pixels; divided only where they are apart."""
        f = self.f
        set_word(f, self.counted, 0, size)
        with f.when(f.icmp("ne", apart, int_(1))):
            set_word(f, self.counted, 0, ceil_div(f, size, apart))
        return f.word(self.counted, 0)


def reach_words(anchor: Value) -> dict[int, Argument]:
    """What the call of a convolution on vectors knows of its image, in the middle of zeros.

    Not where numbers times zero may be NaN.
    """
    x, w = anchor.args[:2]
    if w.data is None or not allows(w, _are_finite):
        return {}
    beyond, size = anchor.attrs.get("missing", (0, 0)), x.shape[2:4]
    if x.prim == "pad" and (fill := x.args[1].data) is not None and not fill.any():
        stored = x.attrs["low"][2:4]
        beyond, size = [a + b for a, b in zip(beyond, stored, strict=True)], x.args[0].shape[2:4]
    elif "missing" not in anchor.attrs:
        return {}
    words: dict[int, Argument] = {Conv.ALONE: _alone(anchor)}
    at = anchor.attrs
    sizes = zip(_AXES, beyond, size, at["strides"], at["dilations"], w.shape[2:], strict=True)
    for axis, before, extent, step, apart, taps in sizes:
        if taps != 1:
            words |= dict(zip(axis[1:], (before, extent, step, apart), strict=True))
    return words


def _alone(anchor: Value) -> Dim:
    """Whether lines must not share a tile: one would read zeros that are missing, for the other's sake."""
    missing, lines = anchor.attrs.get("missing"), anchor.args[0].shape[2]
    return 0 if missing is None else dims.less(missing[0], lines)


def _are_finite(w: np.ndarray) -> bool:
    return w.dtype.kind in "iu" or bool(np.isfinite(w).all())
