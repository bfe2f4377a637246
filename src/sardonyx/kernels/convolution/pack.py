"""The layouts of convolution weights. Must not know graphs or how kernels are written."""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.kernels.product.pack import pack_b
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape


def pack_conv_weights(w: np.ndarray, group: int, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC / group, *kernel] for blocked input.

    Panels of output channels [group][panel][input block][*kernel][channel][columns], where a block stands for
    those of its channels that belong to the group, in whole steps; panels as in `pack_b`, but zero padded to
    whole blocks of output channels.
    """
    block = goal.target.channel_block
    depth = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)]).depth
    outputs, inputs = w.shape[0] // group, w.shape[1]
    packed = []
    for g, weights in enumerate(w.reshape(group, outputs, inputs, -1)):
        ends = range(block - g * inputs % block, inputs, block)
        parts = [_whole_steps(p, depth) for p in np.split(weights, list(ends), axis=1)]
        packed.append(np.concatenate([p.transpose(2, 1, 0).reshape(-1, outputs) for p in parts]))
    return pack_b(_whole_blocks(np.stack(packed), block), goal)


def pack_plain_weights(w: np.ndarray, group: int, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC / group, *kernel] for plain input: [group][panel][IC][*kernel][columns]."""
    outputs = w.shape[0] // group
    steps = w.reshape(group, outputs, -1).transpose(0, 2, 1)
    return pack_b(_whole_blocks(steps, goal.target.channel_block), goal)


def pack_grouped_weights(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out w[OC, OC / group, R, C] as [block][R][channel of the group][C][lane], missing lanes zero."""
    block = goal.target.channel_block
    outputs, channels, rows, columns = w.shape
    whole = np.pad(w, ((0, -outputs % block), (0, 0), (0, 0), (0, 0)))
    by_block = whole.reshape(-1, block, channels, rows, columns)
    return np.ascontiguousarray(by_block.transpose(0, 3, 2, 4, 1))


def _whole_steps(part: np.ndarray, depth: int) -> np.ndarray:
    return np.pad(part, ((0, 0), (0, -part.shape[1] % depth), (0, 0)))


def _whole_blocks(steps: np.ndarray, block: int) -> np.ndarray:
    return np.pad(steps, ((0, 0), (0, 0), (0, -steps.shape[-1] % block)))
