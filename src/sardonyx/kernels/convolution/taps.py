"""Convolutions of single channels in bytes: a step multiplies four pixels of a line, each lane its channel's.

A register holds all channels of a block in four pixels; an instruction puts the bytes of each channel side by
side, which then serves all windows that begin among them. Decides which pixels come together; must not know
what an epilogue computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.grouped import Few, Lines, define_lines
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.products import add_products
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Module, V, int_
from sardonyx.passes.narrow import is_narrow, takes_taps

TOGETHER = 4
"""Pixels of a step."""


@dataclass(frozen=True, slots=True)
class Taps(Few):
    """Windows of `columns` columns, `stride` pixels apart; `dense` if pixels lie side by side in memory."""

    dense: bool

    @property
    def name(self) -> str:
        """What tells its functions from others."""
        return f"taps{self.columns}s{self.stride}{'' if self.dense else 'apart'}"

    @property
    def pitch(self) -> int:
        """Pixels from the begin of one step to that of another: as many windows as fit begin between them."""
        return 2 if self.stride == 2 or self.columns % TOGETHER == TOGETHER - 1 else TOGETHER

    @property
    def steps(self) -> int:
        """Steps of a window at most."""
        return -(-(self.pitch - 1 + self.columns) // TOGETHER)

    @property
    def row_weights(self) -> int:
        """Vectors of weights of a row of the window, of one block of channels."""
        return self.pitch * self.steps

    def uses(self, count: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Pixels where a step begins, in order; for which of `count` windows by which vector."""
        found: dict[int, list[tuple[int, int]]] = {}
        for window in range(count):
            before = window * self.stride % self.pitch
            first = window * self.stride - before
            for step in range(-(-(before + self.columns) // TOGETHER)):
                use = window, before * self.steps + step
                found.setdefault(first + step * TOGETHER, []).append(use)
        yield from sorted(found.items())


def taps_of(anchor: Value, place: Place, goal: Goal) -> Taps | None:
    """The windows of a convolution whose input is at `place`, if this kernel computes it."""
    if anchor.prim != "conv_blocked" or not is_narrow(anchor) or not takes_taps(anchor, goal):
        return None
    block = goal.target.channel_block
    columns, stride = int(anchor.args[1].shape[3]), anchor.attrs["strides"][1]  # type: ignore[arg-type]
    return Taps(1, columns, stride, place.strides[3:] == (block, 1))


def pack_taps(w: np.ndarray, taps: Taps, block: int) -> np.ndarray:
    """Lay out w[C, 1, R, columns] as [block][R][vector][lane][4], missing lanes and taps zero.

    For each place of a window's first pixel in the step where it begins there are the vectors of its steps.
    """
    channels, _, rows, columns = w.shape
    whole = np.pad(w[:, 0], ((0, -channels % block), (0, 0), (0, 0))).reshape(-1, block, rows, columns)
    packed = np.zeros((len(whole), rows, taps.pitch, taps.steps * TOGETHER, block), w.dtype)
    for before in range(taps.pitch):
        packed[:, :, before, before : before + columns] = whole.transpose(0, 2, 3, 1)
    steps = packed.reshape(len(whole), rows, taps.row_weights, TOGETHER, block)
    return np.ascontiguousarray(steps.transpose(0, 1, 2, 4, 3))


def define_taps(module: Module, goal: Goal, taps: Taps) -> None:
    """Add `void @sdx_conv_{taps.name}_i8(ptr args, ptr ctx)`: words of `Conv`, blocked in and out.

    Weights are laid out by `pack_taps`. Threads share out the lines of all blocks.
    """
    shape = TileShape.of(goal, "i8")
    assert shape.lanes == shape.block
    define_lines(module, shape, taps, _Lines(module, shape, taps).write())


class _Lines(Lines):
    few: Taps

    def _sums(self, x: V, w: V, width: int) -> list[V]:
        f, taps, shape = self.f, self.few, self.shape
        last = (width - 1) * taps.stride + taps.columns
        with f.loop(int_(0), self.word[Conv.TAPS2], 1, [x, w, *[int_(0, shape.vector)] * width]) as row:
            source, weights, *sums = row.carried
            for first, uses in taps.uses(width):
                step = self._step(source, first, min(TOGETHER, last - first))
                for window, number in uses:
                    at = f.gep(weights, int_(number * shape.block), shape.dtype)
                    vector = f.load(at, shape.vector)
                    sums[window] = add_products(f, sums[window], step, vector, shape.instruction)
            following = f.gep(weights, int_(taps.row_weights * shape.block), shape.dtype)
            row.next(f.gep(source, self.word[Conv.X_TAP2], shape.a_type), following, *sums)
        return row.carried[2:]

    def _step(self, source: V, first: int, count: int) -> V:
        """The bytes of each channel in so many pixels, of which no others are read."""
        f, block = self.f, self.shape.block
        bytes_ = vector_of("i8", TOGETHER * block)
        if not self.few.dense:
            pixels = self._apart(source, range(first, first + count))
        elif count == TOGETHER:
            pixels = f.load(f.gep(source, int_(first * block), "i8"), bytes_)
        else:
            lanes = ", ".join(
                f"i1 {'true' if n < count * block else 'false'}" for n in range(TOGETHER * block)
            )
            mask = V(f"<{lanes}>", vector_of("i1", TOGETHER * block))
            pixels = f.masked_load(f.gep(source, int_(first * block), "i8"), bytes_, mask)
        order = [pixel * block + lane for lane in range(block) for pixel in range(TOGETHER)]
        return f.bitcast(f.shuffle(pixels, pixels, order), self.shape.vector)

    def _apart(self, source: V, which: Sequence[int]) -> V:
        """Pixels that lie apart, one behind the other."""
        f, block = self.f, self.shape.block
        pitch = self.word[Conv.X_TAP3]
        parts = [f.load(f.gep(source, f.mul(pitch, int_(n)), "i8"), vector_of("i8", block)) for n in which]
        parts += [V("zeroinitializer", vector_of("i8", block))] * (TOGETHER - len(parts))
        halves = [f.shuffle(a, b, range(2 * block)) for a, b in (parts[:2], parts[2:])]
        return f.shuffle(halves[0], halves[1], range(TOGETHER * block))
