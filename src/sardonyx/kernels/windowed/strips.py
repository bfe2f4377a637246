"""How what is between a convolution and windows is cut into strips of lines that stay in L2, if at all.

Decides sizes; must not know how either is computed.
"""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage
from sardonyx.ir.value import Value
from sardonyx.kernels.tiles.shape import TileShape

_ENOUGH = 4
"""Strips and panels together that threads can share out."""

_LEAST_TURNS = 4
"""Turns at least that panels take in the buffer: what one of them stores is read while it is near."""

LINE_BYTES = 64
"""What surrounds a buffer is stored in cache lines."""

_L2_SHARES = {4: 6, 2: 2}
"""The parts of L2 that the buffer may take, the usual one first: it is used again for panel after panel.

Of each, lines of a strip for each one that the next strip reads too, at least: that is copied twice.
"""


@dataclass(frozen=True, slots=True)
class Strips:
    """The sizes, in pixels, of what is between and of the result.

    There are `lines` of the result, of which `strip` are computed at a time. One reads `reach` lines of what
    is between, `step` after those of the one before. Of `height` lines of `width` pixels that the convolution
    gives, `above` lines and `left` pixels lie before the first. In memory a line takes `pitch` pixels: one
    more than are read, so that lines never run on. Of the panels, or groups, of `of_panel` blocks that a
    convolution computes together `panels` are there at a time.
    """

    window: Value
    height: int
    width: int
    lines: int
    strip: int
    step: int
    reach: int
    above: int
    left: int
    pitch: int
    blocks: int
    block: int
    of_panel: int
    panels: int

    @staticmethod
    def of(group: Group, goal: Goal) -> Strips | None:
        """The strips of a group, or None if sizes are unknown or too few lines would fit."""
        first, last, around = group.parts[0], group.parts[-1], group.parts[-2].root
        window = _window(last.root, around)
        step, reach = window.attrs["strides"][0], 1
        reach += (window.attrs["kernel"][0] - 1) * window.attrs["dilations"][0]
        sizes = (*first.root.shape[1:], last.root.shape[2], around.shape[3], step, reach)
        known = [n for n in sizes if isinstance(n, int) and n > 0]
        if len(known) < len(sizes) or around.shape[1] != last.root.shape[1]:
            return None
        blocks, height, width, block, lines, read, *_ = known
        pixel = block * first.root.dtype.size_bytes
        of_panel = _blocks_of_panel(first, blocks, TileShape.of(goal, "f32").columns)
        if not of_panel or pixel % LINE_BYTES:
            return None
        panels, line_bytes = -(-blocks // of_panel), of_panel * (read + 1) * pixel + _input_bytes(first)
        common = max(reach - step, 0)
        least = {share: max(min(lines, common * own // step), 1) for share, own in _L2_SHARES.items()}
        budgets = {share: goal.target.l2_bytes // share for share in _L2_SHARES}
        enough = [n for n in _L2_SHARES if budgets[n] // line_bytes >= (least[n] - 1) * step + reach]
        if not enough:
            return None
        budget, least_lines = budgets[enough[0]], least[enough[0]]
        fitting = (budget // line_bytes - reach) // step + 1
        wanted = -(-lines // -(-_ENOUGH // panels))
        strip = max(min(fitting, lines, wanted), least_lines)
        kept = max(budget // (((strip - 1) * step + reach) * of_panel * (read + 1) * pixel), 1)
        low = around.attrs["low"] if around.prim == "pad" else (0,) * 5
        return Strips(
            *(window, height, width, lines, strip, step, reach, low[2], low[3], read + 1),
            *(blocks, block, of_panel, min(-(-panels // _LEAST_TURNS), kept)),
        )

    @property
    def rows(self) -> int:
        """Lines in memory."""
        return (self.strip - 1) * self.step + self.reach

    @property
    def common(self) -> int:
        """Lines that two strips read."""
        return max(self.reach - self.step, 0)

    def place(self, first: Value) -> Place:
        """Where what is between lies in memory of its own, a strip of one sample."""
        line = self.pitch * self.block
        size = self.blocks * self.rows * line
        return Place(Storage("arena", first.dtype, size), 0, (0, self.rows * line, line, self.block, 1))


def _blocks_of_panel(first: Group, blocks: int, columns: int) -> int:
    """The blocks of a panel of so many columns, or of a group if there are some; 0 if a part of one is."""
    assert first.anchor is not None
    block, group = first.anchor.attrs["block"], first.anchor.attrs["group"]
    if group == 1:
        return int(columns // block)
    return 0 if first.anchor.attrs["channels"] % (group * block) else blocks // group


def _input_bytes(first: Group) -> int:
    """Bytes of the input of one line of a convolution, which each panel reads again; 0 if not known."""
    assert first.anchor is not None
    x, w = first.anchor.args[:2]
    width, channels = x.shape[3], w.shape[1]
    lines = first.anchor.attrs["strides"][0]
    known = isinstance(width, int) and isinstance(channels, int)
    return lines * width * channels * x.dtype.size_bytes if known else 0


def _window(root: Value, around: Value) -> Value:
    """The window over `around` inside a group."""
    seen, left = set[int](), [root]
    while left:
        value = left.pop()
        if value.prim == "window" and value.args[0] is around:
            return value
        if value.id not in seen:
            seen.add(value.id)
            left += value.args
    raise AssertionError(f"no window over {around!r}")
