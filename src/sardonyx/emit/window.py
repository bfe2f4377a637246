"""Windows that slide along an axis: blocks of points share what is the same for each tap.

A depthwise convolution reads the weights of a tap once for a block of outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from sardonyx.base.dim import Dim
from sardonyx.base.named import NamedTuple
from sardonyx.emit.loops import UNROLL_POINTS, LoopEmitter
from sardonyx.emit.scopes import Address, Index
from sardonyx.llvm.vec import V, int_
from sardonyx.loops.nest import Axis, Kernel, Load, Reduce, Reduced, Store

_JAM_POINTS = 64


class _Tap(NamedTuple):
    """A tap of a window: where its addresses begin, and along which axes they are displaced by constants."""

    pointers: Mapping[Address, V]
    indices: Mapping[Axis, Index]
    moves: Mapping[Axis, V]


class WindowEmitter(LoopEmitter):
    """Emits the loop over points of a window reduction."""

    kernel: Kernel

    def jams(self, axis: Axis, rest: Sequence[Axis]) -> bool:
        """Whether several points of `axis` should share the operands of a small unrolled window."""
        body = self.kernel.body
        windows = [s for s in body if isinstance(s, Reduce)]
        return (
            bool(windows)
            and axis is not self.vector
            and list(rest) == ([self.vector] if self.vector in self.kernel.outer else [])
            and self.extents.ask(_are_vectors, rest, self.lanes, self.target.channel_block)
            and all(self.unrolls(s.axes, _JAM_POINTS if _shares(s, axis) else UNROLL_POINTS) for s in windows)
            and len({s.axes for s in windows}) == 1
            and all(not s.axes for s in body if isinstance(s, Store))
            and not any(isinstance(e, Reduced) for s in windows for e in s.exprs)
        )

    def jam_width(self, axis: Axis) -> int:
        """How many points are run together."""
        windows = [s for s in self.kernel.body if isinstance(s, Reduce)]
        is_small = len(windows) == 1 and self.extents.at_most(windows[0].axes, 25)
        return self.extents.ask(_block_width, [axis], 8 if is_small else 4)

    def jam(self, axis: Axis, rest: Sequence[Axis], low: V, high: V) -> None:
        """Run blocks of points of `axis` together: each tap's shared operands are read once a block.

        The last block begins earlier if points are left over, and computes some again. Where a pixel has
        several vectors, all pixels of one come before the next.
        """
        if all(self.extents.count(vector) == self.lanes for vector in rest):
            for vector in rest:
                self.enter(vector, int_(0))
            self._jam_points(axis, low, high)
            return
        (vector,) = rest
        with self.f.loop(int_(0), self.words.extent(vector), self.lanes) as part, self.scope():
            self.enter(vector, part.index)
            self._jam_points(axis, low, high)

    def _jam_points(self, axis: Axis, low: V, high: V) -> None:
        windows = [s for s in self.kernel.body if isinstance(s, Reduce)]
        axes = windows[0].axes
        displaced = [tap for tap in axes if self._is_displacement(tap)]
        taps = []
        for at in product(*(range(self.written_out(tap)) for tap in axes)):
            places = dict(zip(axes, map(int_, at), strict=True))
            moves = {tap: places.pop(tap) for tap in displaced}
            with self.scope():
                for tap, index in places.items():
                    self.enter(tap, index)
                taps.append(_Tap(self.pointers[-1], self.indices[-1], moves))
        f, width, extent = self.f, self.jam_width(axis), self.words.extent(axis)
        rest_left = self.extents.leaves(axis, width)
        last = f.sub(extent, int_(width))
        end = high if rest_left is not None else f.select(f.icmp("sge", last, int_(0)), high, low)
        with f.loop(low, end, width) as loop:
            first = loop.index if rest_left is False else f.smin(loop.index, last)
            self._jam_block(axis, first, width, windows, taps)
        if end is not high:
            with f.loop(end, high) as loop:
                self._jam_block(axis, loop.index, 1, windows, taps)

    def _jam_block(
        self,
        axis: Axis,
        first: V,
        width: int,
        windows: Sequence[Reduce],
        taps: Sequence[_Tap],
    ) -> None:
        self.begin_reductions(windows)
        sums = [self.accumulators(windows) for _ in range(width)]
        for tap in taps:
            with self.scope():
                self.pointers[-1].update(tap.pointers)
                self.indices[-1].update(tap.indices)
                self.enter(axis, first)
                for window_axis, index in tap.moves.items():
                    self.enter(window_axis, index)
                self.hoist(windows, {axis})
                for number in range(width):
                    with self.scope():
                        self.enter(axis, int_(number), keep=True)
                        self.carry(windows, sums[number])
                        for statement in windows:
                            self.accumulate(statement)
                        sums[number] = self.accumulators(windows)
        with self.scope():
            self.enter(axis, first)
            for number in range(width):
                with self.scope():
                    self.enter(axis, int_(number), keep=True)
                    self.carry(windows, sums[number])
                    for store in self.kernel.body:
                        if isinstance(store, Store):
                            self.store(store)

    def _is_displacement(self, tap: Axis) -> bool:
        """Whether moving along a tap is a constant displacement in every address."""
        return all(self.words.step(address.at, tap).known is not None for address in self.pointers[0])


def _shares(window: Reduce, axis: Axis) -> bool:
    """Whether some operand of a window's taps is the same for all points of an axis."""
    return any(isinstance(e, Load) and axis not in e.axes for e in window.exprs)


def _are_vectors(extents: Sequence[Dim], lanes: int, most: int) -> bool:
    """Whether there are whole vectors of lanes, no more than `most` lanes together."""
    known = [extent for extent in extents if isinstance(extent, int)]
    return len(known) == len(extents) and all(
        n % lanes == 0 and lanes <= n <= max(lanes, most) for n in known
    )


def _block_width(extents: Sequence[Dim], most: int) -> int:
    """How many points to run together: so many that few of the last block were computed before."""
    (extent,) = extents
    if not isinstance(extent, int):
        return most
    if extent <= most:
        return max(1, extent)
    return max(range(most // 2 + 1, most + 1), key=lambda width: (-(-extent % width), width))
