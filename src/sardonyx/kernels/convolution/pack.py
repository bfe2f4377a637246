"""The layouts of convolution weights. Must not know graphs or how kernels are written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.convolution.abreast import in_steps
from sardonyx.kernels.convolution.by_tap import by_tap
from sardonyx.kernels.convolution.few import beside, cut_row
from sardonyx.kernels.digits.numbers import digits_shape, pack_digits
from sardonyx.kernels.product.pack import aligned_zeros, matrix_shape, pack_b, pack_matrix, packed_shape
from sardonyx.kernels.tiles.beside import pack_beside
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.pairs import in_pairs
from sardonyx.kernels.tiles.shape import BY_RIGHT, TileShape


def pack_conv_weights(
    w: np.ndarray, group: int, goal: Goal, runs: Sequence[Sequence[int]] = (), together: int = 1
) -> np.ndarray:
    """Lay out w[OC, IC / group, *kernel] for blocked input.

    Panels of output channels [group][panel][input block][*kernel][channel][columns], where a block stands for
    those of its channels that belong to the group, in whole steps, or for one of the `runs` of the group's
    channels, given their lengths; panels as in `pack_b`, but the last one as in `pack_beside` if columns have
    more than one of its lanes `together`.
    """
    steps = conv_steps(w, group, goal, runs)
    packed = pack_b(steps, goal)
    if together > 1:
        shape, taps = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)]), prod(w.shape[2:])
        rest = steps.shape[2] % shape.columns
        for g, parts in enumerate(_parts(w.shape[1], group, goal.target.channel_block, runs)):
            entries = [count for count in parts for _ in range(taps)]
            last = pack_beside(steps[g, :, steps.shape[2] - rest :], entries, together, shape.lanes)
            packed[g, packed.shape[1] - len(last) :] = last
    return packed


def conv_shape(dims: tuple[int, ...], group: int, goal: Goal) -> tuple[int, ...]:
    """The shape of what `pack_conv_weights` makes of floats [OC, IC / group, *kernel]."""
    return packed_shape((group, prod(dims[1:]), dims[0] // group), np.dtype(np.float32), goal)


def conv_steps(w: np.ndarray, group: int, goal: Goal, runs: Sequence[Sequence[int]] = ()) -> np.ndarray:
    """The weights [group, K, outputs] that `pack_conv_weights` packs, each entry of whole steps."""
    block = goal.target.channel_block
    depth = TileShape.of(goal, BY_RIGHT[dt.by_numpy(w.dtype)]).depth
    outputs, inputs = w.shape[0] // group, w.shape[1]
    by_group = w.reshape(group, outputs, inputs, prod(w.shape[2:]))
    parts = _parts(inputs, group, block, runs)
    steps = [_block_steps(weights, own, depth) for weights, own in zip(by_group, parts, strict=True)]
    return np.stack(steps) if group > 1 else steps[0][None]


def _parts(inputs: int, group: int, block: int, runs: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """The lengths of the parts of each group's channels."""
    return runs or [_shares(inputs, -g * inputs % block, block) for g in range(group)]


def used_outputs(w: np.ndarray, group: int, used: int) -> np.ndarray:
    """The first `used` outputs of each group of w[OC, ...]."""
    return w.reshape(group, len(w) // group, *w.shape[1:])[:, :used].reshape(group * used, *w.shape[1:])


def _shares(inputs: int, start: int, block: int) -> list[int]:
    """How many channels lie in each block, `start` of them in the first one, if any."""
    ends = [*range(start or block, inputs, block), inputs]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _block_steps(w: np.ndarray, parts: Sequence[int], depth: int) -> np.ndarray:
    """w[OC, IC, taps] as [part][tap][channel][OC], parts of so many channels."""
    outputs, inputs, taps = w.shape
    if len(set(parts)) == 1 and parts[0] % depth == 0:
        split = w.reshape(outputs, len(parts), parts[0], taps)
        return split.transpose(1, 3, 2, 0).reshape(inputs * taps, outputs)
    ends = list(itertools.accumulate(parts))[:-1]
    padded = [_whole_steps(p, depth) for p in np.split(w, ends, axis=1)]
    return np.concatenate([p.transpose(2, 1, 0).reshape(p.shape[1] * taps, outputs) for p in padded])


def pack_matrix_weights(w: np.ndarray, group: int, tile: MatrixTile, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC / group, *kernel] for blocked input and matrix registers.

    Of each group panels as `pack_matrix` lays them out, whose k runs over [*kernel][channels in whole steps],
    in pairs if the input is, for digits over [steps of channels][*kernel]; they are zero padded to whole
    blocks of output channels.
    """
    shape = MatrixShape(tile)
    channels, outputs = _matrix_sizes(w.shape, group, tile, goal)
    floats = w.astype(np.float32, copy=False)
    taps = by_tap(floats.reshape(group, len(w) // group, w.shape[1], prod(w.shape[2:])), channels, outputs)
    if shape.in_pairs:
        taps = in_pairs(taps, shape.k_step)
    if tile.operand == "fixed24":
        by_step = taps.reshape(*taps.shape[:2], -1, shape.k_step, outputs).swapaxes(1, 2)
        return pack_digits(by_step.reshape(group, -1, outputs), tile)
    return pack_matrix(taps.reshape(group, -1, outputs), tile)


def matrix_conv_shape(dims: tuple[int, ...], group: int, tile: MatrixTile, goal: Goal) -> tuple[int, ...]:
    """The shape of what `pack_matrix_weights` makes of an array."""
    channels, outputs = _matrix_sizes(dims, group, tile, goal)
    steps = group, prod(dims[2:]) * channels, outputs
    return digits_shape(steps, tile) if tile.operand == "fixed24" else matrix_shape(steps, tile)


def _matrix_sizes(dims: tuple[int, ...], group: int, tile: MatrixTile, goal: Goal) -> tuple[int, int]:
    """Channels in whole steps and outputs in whole blocks, of each group."""
    step, block = MatrixShape(tile).k_step, goal.target.channel_block
    return -(-dims[1] // step) * step, -(-(dims[0] // group) // block) * block


def pack_float_weights(w: np.ndarray, tile: MatrixTile, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC, *kernel] for blocked input, to be split into numbers of registers panel by panel.

    Panels [..., [*kernel][channels in whole steps], columns] as those of `pack_matrix_weights`.
    """
    shape = MatrixShape(tile)
    outputs, inputs = w.shape[:2]
    taps = w.reshape(outputs, inputs, -1).transpose(2, 1, 0)
    taps = np.pad(taps, ((0, 0), (0, -inputs % shape.k_step), (0, 0)))
    steps = _whole_blocks(taps.reshape(1, -1, outputs), goal.target.channel_block)[0]
    panels = [steps[:, n : n + shape.rows].ravel() for n in range(0, steps.shape[1], shape.rows)]
    found = aligned_zeros((steps.size,), steps.dtype)
    np.concatenate(panels, out=found)
    return found


def pack_plain_matrix_weights(w: np.ndarray, tile: MatrixTile, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC, R, C] for plain input of few channels and matrix registers.

    The same, but k runs over [R][steps of a row of the window], zeros behind the numbers of each.
    """
    shape = MatrixShape(tile)
    outputs, channels, rows, columns = w.shape
    cut = cut_row(channels, columns, shape)
    assert cut is not None
    steps, numbers = cut
    by_pixel = _padded(w, 1, beside(channels) - channels).transpose(2, 3, 1, 0)
    by_step = _padded(by_pixel.reshape(rows * steps, numbers, outputs), 1, shape.k_step - numbers)
    return pack_matrix(_whole_blocks(by_step.reshape(1, -1, outputs), goal.target.channel_block), tile)


def pack_abreast_weights(w: np.ndarray, row_step: int, tile: MatrixTile, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC, R, C] for plain input whose lines lie abreast, and digits."""
    steps = in_steps(w, row_step, tile.row_bytes)
    return pack_digits(_whole_blocks(steps[None], goal.target.channel_block)[0], tile, turned=False)


def pack_plain_weights(w: np.ndarray, group: int, goal: Goal) -> np.ndarray:
    """Lay out w[OC, IC / group, *kernel] for plain input: [group][panel][IC][*kernel][columns]."""
    outputs = w.shape[0] // group
    steps = w.reshape(group, outputs, -1).transpose(0, 2, 1)
    return pack_b(steps, goal)


def pack_grouped_weights(w: np.ndarray, goal: Goal) -> np.ndarray:
    """Lay out w[OC, OC / group, R, C] as [block][R][channel of the group][C][lane], missing lanes zero."""
    block = goal.target.channel_block
    outputs, channels, rows, columns = w.shape
    whole = np.pad(w, ((0, -outputs % block), (0, 0), (0, 0), (0, 0)))
    by_block = whole.reshape(-1, block, channels, rows, columns)
    return np.ascontiguousarray(by_block.transpose(0, 3, 2, 4, 1))


def _whole_steps(part: np.ndarray, depth: int) -> np.ndarray:
    return _padded(part, 1, -part.shape[1] % depth)


def _whole_blocks(steps: np.ndarray, block: int) -> np.ndarray:
    return _padded(steps, 2, -steps.shape[2] % block)


def _padded(array: np.ndarray, axis: int, count: int) -> np.ndarray:
    """The array with so many zeros more along an axis."""
    if not count:
        return array
    shape = (*array.shape[:axis], count, *array.shape[axis + 1 :])
    return np.concatenate([array, np.zeros(shape, array.dtype)], axis)
