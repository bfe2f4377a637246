"""Transposed convolution as ordinary convolutions that compute the phases of the stride as channels.

Output t = s*q + r of an axis (t counted before cropping `low`) is the sum over j of x[q - j] * w[r + s*j]: a
convolution of x with every s-th tap, flipped. Phases r of as many taps share one and become output channels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, concat, make, scalar


def transposed(graph: Graph, goal: Goal) -> Graph:
    """Transposed convolutions whose channels fill no whole blocks as ordinary convolutions."""
    return graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "conv_transpose" or not isinstance(value.shape[1], int):
        return value
    fills = value.shape[1] * 4 >= -(-value.shape[1] // 16) * 16 * 3
    return value if fills and value.attrs["group"] == 1 and value.rank <= 4 else as_convolution(value)


@dataclass(frozen=True, slots=True)
class Part:
    """The convolution of some phases, all of which reach as many inputs.

    `weights` is [group * phases * channels, inputs / group, J...], its channels ordered (group, phase...,
    channel); None if no input reaches these phases. `low` pads the input, `sizes` counts phases by axis.
    """

    weights: Value | None
    low: tuple[Dim, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phases:
    """The convolutions of all phases.

    `parts` are those of all combinations of `splits` runs of phases an axis, the last axis running fastest.
    `high` pads the input; `counts` are the positions q an axis; `start` crops the result.
    """

    parts: tuple[Part, ...]
    splits: tuple[int, ...]
    high: tuple[Dim, ...]
    counts: tuple[Dim, ...]
    start: tuple[Dim, ...]
    strides: tuple[int, ...]

    def joined(self, results: Sequence[Value], axis: int) -> Value:
        """The results of all parts side by side, their phases from `axis` on."""
        rest = list(results)
        for number in reversed(range(len(self.splits))):
            runs = self.splits[number]
            rest = [concat(rest[at : at + runs], axis + number) for at in range(0, len(rest), runs)]
        return rest[0]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring phases of one axis that read `taps` inputs each."""

    first: int
    size: int
    taps: int


def _runs(kernel: int, stride: int) -> tuple[_Run, ...]:
    """Phase r reads taps r, r + stride, ...: one more in the first phases unless the kernel is a multiple."""
    taps, more = divmod(kernel, stride)
    return tuple(r for r in (_Run(0, more, taps + 1), _Run(more, stride - more, taps)) if r.size)


def phases(value: Value, channels: int) -> Phases:
    """The phases of a transposed convolution, its output channels per group padded to `channels`.

    Phases of different reach are apart: a zero in place of a missing tap would spread infinities and NaN.
    """
    x, w = value.args
    at = value.attrs
    group, strides = at["group"], tuple(at["strides"])
    w = _spread(w, at["dilations"])
    runs = [_runs(int(k), s) for k, s in zip(w.shape[2:], strides, strict=True)]  # type: ignore[arg-type]
    firsts, high, counts, start = [], [], [], []
    for size, crop, out, s, found in zip(x.shape[2:], at["low"], at["out"], strides, runs, strict=True):
        first, last = dims.floordiv(crop, s), dims.ceildiv(crop + out, s)
        if not isinstance(crop, int):
            least = min(run.taps for run in found if run.taps)
            first, last = dims.minimum(first, least - 1), dims.maximum(last, size)
        firsts.append(first)
        high.append(last - size)
        counts.append(last - first)
        start.append(crop - first * s)
    parts = []
    for chosen in itertools.product(*runs):
        weights = _weights(w, group, channels, strides, chosen) if all(r.taps for r in chosen) else None
        low = tuple(run.taps - 1 - first for run, first in zip(chosen, firsts, strict=True))
        parts.append(Part(weights, low, tuple(run.size for run in chosen)))
    splits = tuple(map(len, runs))
    return Phases(tuple(parts), splits, tuple(high), tuple(counts), tuple(start), strides)


def _spread(w: Value, dilations: tuple[int, ...]) -> Value:
    """Dilated taps with the zeros between them written out."""
    for axis, dilation in enumerate(dilations, 2):
        if dilation > 1:
            shape = w.shape
            wide = w.reshape((*shape[: axis + 1], 1, *shape[axis + 1 :]))
            high = tuple(dilation - 1 if a == axis + 1 else 0 for a in range(wide.rank))
            wide = wide.pad((0,) * wide.rank, high)
            full = wide.reshape((*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]))
            size = (*shape[:axis], shape[axis] * dilation - dilation + 1, *shape[axis + 1 :])
            w = full.slice((0,) * full.rank, size)
    return w


def _weights(w: Value, group: int, channels: int, strides: Sequence[int], runs: Sequence[_Run]) -> Value:
    """The taps of a run of phases of each axis, flipped."""
    spatial = len(strides)
    outputs, kernel = int(w.shape[1]), [int(k) for k in w.shape[2:]]  # type: ignore[arg-type]
    reach = [-(-k // s) for k, s in zip(kernel, strides, strict=True)]
    high = [j * s - k for j, s, k in zip(reach, strides, kernel, strict=True)]
    w = w.pad((0,) * w.rank, (0, channels - outputs, *high))
    per = dims.floordiv(w.shape[0], group)
    split: list[Dim] = [group, per, channels]
    for j, s in zip(reach, strides, strict=True):
        split += [j, s]
    w = w.reshape(split)
    start, size, step = [0, 0, 0], [group, per, channels], [1, 1, 1]
    for run in runs:
        start += [run.taps - 1, run.first]
        size += [run.taps, run.size]
        step += [-1, 1]
    w = w.slice(start, size, step)
    taps = [3 + 2 * a for a in range(spatial)]
    w = w.transpose(0, *(a + 1 for a in taps), 2, 1, *taps)
    total = dims.product(w.shape[: 2 + spatial])
    return w.reshape((total, per, *(run.taps for run in runs)))


def as_convolution(value: Value) -> Value:
    """The whole transposed convolution over plain tensors."""
    x, w = value.args
    group, channels = value.attrs["group"], int(w.shape[1])  # type: ignore[arg-type]
    spatial = x.rank - 2
    p = phases(value, channels)
    none, ones = (0,) * spatial, (1,) * spatial
    attrs = {"strides": ones, "dilations": ones, "low": none, "high": none, "group": group}
    results = []
    for part in p.parts:
        shape = (x.shape[0], group, *part.sizes, channels, *p.counts)
        if part.weights is None:
            results.append(scalar(0, value.dtype).broadcast(shape))
            continue
        padded = x.pad((0, 0, *part.low), (0, 0, *p.high))
        flat = (x.shape[0], part.weights.shape[0], *p.counts)
        results.append(make("conv", (padded, part.weights), attrs, value.dtype, flat).reshape(shape))
    order = [0, 1, 2 + spatial]
    for a in range(spatial):
        order += [3 + spatial + a, 2 + a]
    y = p.joined(results, 2).transpose(*order)
    y = y.reshape((x.shape[0], group * channels, *(n * s for n, s in zip(p.counts, p.strides, strict=True))))
    return y.slice((0, 0, *p.start), value.shape)
