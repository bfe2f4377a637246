"""Weights of a convolution that are fed, laid out for its kernel by operations of the graph.

Constant ones are laid out when the kernel is called for, in the same order.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.policy import Goal
from sardonyx.ir.value import Value, concat


def packed(w: Value, goal: Goal, *, blocked: bool) -> Value:
    """w[O, I, *kernel], its sizes known, as the kernel reads it for `blocked` or plain input.

    Panels of output channels: [panel][input block][*kernel][channel][columns], for plain input
    [panel][I][*kernel][columns].
    """
    block = goal.target.channel_block
    outputs, inputs, *kernel = (int(n) for n in w.shape)  # type: ignore[arg-type]
    taps = dims.product(kernel)
    flat = w.reshape((outputs, inputs, taps))
    if not blocked:
        return _panels(flat.reshape((outputs, inputs * taps)).transpose(1, 0), goal)
    whole = inputs // block * block
    parts = []
    if whole:
        blocks = flat.slice((0, 0, 0), (outputs, whole, taps))
        blocks = blocks.reshape((outputs, whole // block, block, taps)).transpose(1, 3, 2, 0)
        parts.append(blocks.reshape((whole * taps, outputs)))
    if rest := inputs - whole:
        last = flat.slice((0, whole, 0), (outputs, rest, taps)).transpose(2, 1, 0)
        parts.append(last.reshape((rest * taps, outputs)))
    return _panels(concat(parts, 0), goal)


def _panels(steps: Value, goal: Goal) -> Value:
    """Rows of output channels as panels of a register tile's columns, the last one as wide as it must be."""
    count, outputs = (int(n) for n in steps.shape)  # type: ignore[arg-type]
    beside = -outputs % goal.target.lanes
    steps = steps.pad((0, 0), (0, beside))
    outputs += beside
    columns = goal.tile("f32").vectors * goal.target.lanes
    whole = outputs // columns * columns
    parts = []
    if whole:
        panels = steps.slice((0, 0), (count, whole)).reshape((count, whole // columns, columns))
        parts.append(panels.transpose(1, 0, 2).reshape((count * whole,)))
    if rest := outputs - whole:
        parts.append(steps.slice((0, whole), (count, rest)).reshape((count * rest,)))
    return concat(parts, 0)
