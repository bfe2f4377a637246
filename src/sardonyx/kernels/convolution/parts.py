"""The parts of a group's input channels: its shares of blocks, runs that a call tells of, or single channels.

Decides which part lies where and how many k steps it has; must not know taps or tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.share import ceil_div, new_words, set_word
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.llvm.vec import Function, V, int_

Run: TypeAlias = tuple[int, int]
"""Channels side by side in one block: the first lane, and how many."""

RUN_WORDS = 2
"""i64 words of a run: its first lane, and how many channels of the group come before it."""


class Parts:
    """The parts of one group, in the function being written.

    Attributes:
        count: how many there are.
        most_steps: the most k steps of one.
        first: the block, or the channel of plain input, from which offsets count.
    """

    def __init__(self, f: Function, shape: TileShape, args: V, word: Mapping[Conv, V], group: V) -> None:
        self.f, self.shape, self.channels, self.plain_steps = (
            f,
            shape,
            word[Conv.CHANNELS_IN],
            word[Conv.STEPS],
        )
        self.blocked = f.icmp("eq", word[Conv.STEPS], int_(0))
        table, most = f.word(args, Conv.RUNS, "ptr"), word[Conv.MOST_RUNS]
        self.told = f.icmp("ne", table, V("null", "ptr"))
        self.runs = f.gep(table, f.mul(f.mul(group, f.add(most, int_(1))), int_(RUN_WORDS)), "i64")
        self.own = new_words(f, {}, RUN_WORDS)
        first = f.select(self.told, int_(0), f.mul(group, self.channels))
        lane = f.binary("and", first, int_(shape.block - 1))
        blocks = ceil_div(f, f.add(lane, self.channels), int_(shape.block))
        self.lane = f.select(self.blocked, lane, int_(0))
        self.first = f.select(self.blocked, f.binary("lshr", first, int_(shape.block_bits)), first)
        self.count = f.select(self.blocked, f.select(self.told, most, blocks), self.channels)
        self.most_steps = f.select(self.blocked, int_(shape.block // shape.depth), self.plain_steps)

    def _run(self, part: V) -> tuple[V, V]:
        """The first lane of a part of blocked input, and how many channels of the group come before it."""
        f = self.f
        begin = f.mul(part, int_(self.shape.block))
        before = f.smax(f.sub(begin, self.lane), int_(0))
        set_word(f, self.own, 0, f.smax(begin, self.lane))
        set_word(f, self.own, 1, f.smin(before, self.channels))
        run = f.select(self.told, f.gep(self.runs, f.mul(part, int_(RUN_WORDS)), "i64"), self.own)
        return f.word(run, 0), f.word(run, 1)

    def offset(self, part: V, stride: V) -> V:
        """Where a part begins, in elements; blocks, or channels of plain input, are `stride` apart."""
        f = self.f
        lane, _ = self._run(part)
        block = f.select(self.blocked, f.binary("lshr", lane, int_(self.shape.block_bits)), part)
        lane = f.select(self.blocked, f.binary("and", lane, int_(self.shape.block - 1)), int_(0))
        return f.add(f.mul(block, stride), lane)

    def steps_before(self, part: V) -> V:
        """The k steps of a tap over all parts before that one."""
        f = self.f
        _, channels = self._run(part)
        steps = ceil_div(f, channels, int_(self.shape.depth)) if self.shape.depth > 1 else channels
        return f.select(self.blocked, steps, f.mul(part, self.plain_steps))

    def steps(self, part: V) -> V:
        """The k steps of a tap of that part, none behind the last one."""
        f = self.f
        following = f.smin(f.add(part, int_(1)), self.count)
        steps = f.sub(self.steps_before(following), self.steps_before(part))
        return f.select(self.blocked, steps, self.plain_steps)


def runs_by_group(runs: Sequence[Run], per: int) -> list[list[Run]]:
    """The runs of each group of `per` channels."""
    found: list[list[Run]] = []
    missing = 0
    for run in runs:
        if missing == 0:
            found.append([])
            missing = per
        found[-1].append(run)
        missing -= run[1]
    return found


def run_table(runs: Sequence[Sequence[Run]]) -> np.ndarray:
    """The words of `Conv.RUNS` for the runs of each group."""
    table = np.zeros((len(runs), max(map(len, runs)) + 1, RUN_WORDS), np.int64)
    for rows, group in zip(table, runs, strict=True):
        rows[: len(group), 0] = [first for first, _ in group]
        rows[1 : len(group) + 1, 1] = np.cumsum([count for _, count in group])
        rows[len(group) + 1 :, 1] = rows[len(group), 1]
    return table
