"""Tensors in blocks: [N, C/b, H, W, b, rest...] for [N, C, H, W, rest...], and where their channels lie.

Channels need not lie in order, nor fill their blocks: groups may begin at whole blocks, and shuffled channels
stay where they are. Must not know operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.ir.value import Shape, Value, concat, const

_MOST_RUNS = 4
"""Runs of lanes that are moved one by one, of each block: plain layout is as near then."""


def block(x: Value, size: int) -> Value:
    """x[N, C, H, W, rest...] in blocks of `size` channels, in order; missing channels are zero."""
    channels = channels_of(x)
    blocks = -(-channels // size)
    low = (0,) * x.rank
    high = (0, blocks * size - channels, *(0,) * (x.rank - 2))
    split = x.pad(low, high).reshape((x.shape[0], blocks, size, *x.shape[2:]))
    rest = range(5, split.rank)
    return split.transpose(0, 1, 3, 4, 2, *rest)


def channels_of(x: Value) -> int:
    """The size of axis 1, which is known."""
    assert isinstance(x.shape[1], int)
    return x.shape[1]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A tensor in blocks: channel c is lane at[c] % b of block at[c] // b; other lanes hold anything.

    Channels one after the other are a range from 0 on, all other places a tuple.
    """

    form: Value
    at: range | tuple[int, ...]

    @staticmethod
    def lying(form: Value, at: Iterable[int]) -> Blocked:
        """Channels at these lanes."""
        lanes = tuple(at)
        first = range(len(lanes))
        return Blocked(form, first if lanes == tuple(first) else lanes)

    @staticmethod
    def in_order(form: Value, channels: int) -> Blocked:
        """Channels one after the other."""
        return Blocked(form, range(channels))

    @staticmethod
    def of(x: Value, size: int) -> Blocked:
        """A plain tensor in blocks, in order."""
        return Blocked.in_order(block(x, size), channels_of(x))

    @property
    def is_in_order(self) -> bool:
        """Whether channels lie one after the other."""
        return isinstance(self.at, range)

    @property
    def lanes(self) -> int:
        """Lanes of all blocks."""
        return int(self.form.shape[1]) * int(self.form.shape[4])  # type: ignore[arg-type]

    @property
    def pitch(self) -> int | None:
        """The distance of groups of channels that lie in order and fill all blocks but for their ends."""
        return self.lanes if isinstance(self.at, range) else _pitch(self.at, self.lanes)

    def plain(self) -> Value:
        """The tensor [N, C, H, W, rest...]."""
        form = self.form
        joined = form.transpose(0, 1, 4, 2, 3, *range(5, form.rank))
        n, *rest = (form.shape[0], *form.shape[2:4], *form.shape[5:])
        flat, pitch = joined.reshape((n, self.lanes, *rest)), self.pitch
        if pitch is None and (many := _rounds(tuple(self.at), self.lanes)):
            rounds = flat.reshape((n, many, self.lanes // many, *rest))
            rounds = rounds.slice((0,) * rounds.rank, (n, many, len(self.at) // many, *rest))
            return rounds.transpose(0, 2, 1, *range(3, rounds.rank)).reshape((n, len(self.at), *rest))
        if pitch is None:
            return flat.gather(const(np.array(self.at, np.int64)), 1)
        groups = self.lanes // pitch
        split = (n, pitch, *rest) if groups == 1 else (n, groups, pitch, *rest)
        per = len(self.at) // groups
        size = (n, per, *rest) if groups == 1 else (n, groups, per, *rest)
        return flat.reshape(split).slice((0,) * len(size), size).reshape((n, len(self.at), *rest))

    def channels_last(self, size: Shape) -> Value:
        """The tensor [N, size..., C] of channels in order without further axes: blocks stay together.

        `size` are the lines and pixels, or the pixels of one line.
        """
        flat = self.form.transpose(0, 2, 3, 1, 4).reshape((self.form.shape[0], *size, self.lanes))
        return flat.slice((0,) * flat.rank, (*flat.shape[:-1], len(self.at)))

    def like(self, x: Value) -> Value:
        """A plain tensor of as many channels in blocks, its channels where those of this one lie."""
        size, pitch = int(self.form.shape[4]), self.pitch  # type: ignore[arg-type]
        n, _, *rest = x.shape
        if pitch is None:
            lies = np.zeros(self.lanes, np.int64)
            lies[list(self.at)] = np.arange(len(self.at))
            return block(x.gather(const(lies), 1), size)
        groups = self.lanes // pitch
        if groups > 1:
            per = len(self.at) // groups
            split = x.reshape((n, groups, per, *rest))
            more = (0, 0, pitch - per, *(0,) * len(rest))
            x = split.pad((0,) * split.rank, more).reshape((n, self.lanes, *rest))
        return block(x, size)

    def moved_as(self, like: Blocked) -> Value | None:
        """The form with channels where those of another one lie, if few runs of lanes have to be moved."""
        size = int(self.form.shape[4])  # type: ignore[arg-type]
        found = dict(zip(like.at, self.at, strict=True))
        lanes = _filled([found.get(n) for n in range(like.lanes)], size)
        by_block = [runs_of(lanes[n : n + size], size, size) for n in range(0, len(lanes), size)]
        if sum(map(len, by_block)) > _MOST_RUNS * len(by_block):
            return None
        return concat([concat([self._lanes(*run) for run in runs], 4) for runs in by_block], 1)

    def _lanes(self, first: int, count: int) -> Value:
        size = int(self.form.shape[4])  # type: ignore[arg-type]
        start = (0, first // size, 0, 0, first % size, *(0,) * (self.form.rank - 5))
        n, _, lines, pixels, _, *rest = self.form.shape
        return self.form.slice(start, (n, 1, lines, pixels, count, *rest))

    def part(self, channels: Sequence[int]) -> Blocked:
        """Those channels; blocks before and behind all of them are left out."""
        size = int(self.form.shape[4])  # type: ignore[arg-type]
        at = [self.at[c] for c in channels]
        first, last = min(at) // size, max(at) // size
        return Blocked.lying(_blocks(self.form, first, last + 1), (a - first * size for a in at))


def _filled(lanes: Sequence[int | None], size: int) -> list[int]:
    """Lanes of which those that may hold anything follow the one before in its block, or begin anew."""
    filled: list[int] = []
    for lane in lanes:
        follows = filled[-1] + 1 if filled and (filled[-1] + 1) % size else 0
        filled.append(follows if lane is None else lane)
    return filled


@cache
def _pitch(at: tuple[int, ...], lanes: int) -> int | None:
    channels = len(at)
    for groups in (n for n in range(2, channels + 1) if channels % n == lanes % n == 0):
        pitch = lanes // groups
        if at == tuple(g * pitch + c for g in range(groups) for c in range(channels // groups)):
            return pitch
    return None


@cache
def _rounds(at: tuple[int, ...], lanes: int) -> int | None:
    """How many rounds all blocks are, if channels are dealt out, one to each round."""
    channels = len(at)
    for many in (n for n in range(2, channels) if channels % n == lanes % n == 0):
        if at == tuple(m * (lanes // many) + c for c in range(channels // many) for m in range(many)):
            return many
    return None


def joined(parts: Sequence[Blocked]) -> Blocked:
    """The channels of all parts, without blocks that hold none; each part begins with a block of its own."""
    forms, at, total = [], [], 0
    for part in parts:
        size = int(part.form.shape[4])  # type: ignore[arg-type]
        used = sorted({a // size for a in part.at})
        moved = {number: total + n for n, number in enumerate(used)}
        at += [moved[a // size] * size + a % size for a in part.at]
        total += len(used)
        begins = [n for n, number in enumerate(used) if n == 0 or used[n - 1] != number - 1]
        ends = [*begins[1:], len(used)]
        forms += [_blocks(part.form, used[b], used[e - 1] + 1) for b, e in zip(begins, ends, strict=True)]
    return Blocked.lying(concat(forms, 1), at)


def _blocks(form: Value, first: int, end: int) -> Value:
    start = (0, first, *(0,) * (form.rank - 2))
    return form.slice(start, (form.shape[0], end - first, *form.shape[2:]))


def runs_of(at: Sequence[int], size: int, per: int) -> tuple[tuple[int, int], ...]:
    """Runs (first lane, how many) of positions side by side, none longer than a block or a group of `per`."""
    runs: list[tuple[int, int]] = []
    for number, position in enumerate(at):
        follows = number % per and position % size and position == at[number - 1] + 1
        if follows:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((position, 1))
    return tuple(runs)
