"""Transposed convolution as one ordinary convolution that computes all phases of the stride as channels.

Output t = s*q + r of an axis (t counted before cropping `low`) is the sum over j of x[q - j] * w[r + s*j]: a
convolution of x with every s-th tap, flipped. All phases r share one input and become output channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, make


def transposed(graph: Graph) -> Graph:
    """Transposed convolutions whose channels fill no whole blocks as ordinary convolutions."""
    return graph.map(_rewrite)


def _rewrite(value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "conv_transpose" or not isinstance(value.shape[1], int):
        return value
    fills = value.shape[1] * 4 >= -(-value.shape[1] // 16) * 16 * 3
    return value if fills and value.attrs["group"] == 1 and value.rank <= 4 else as_convolution(value)


@dataclass(frozen=True, slots=True)
class Phases:
    """The convolution of all phases.

    `weights` is [group * phases * channels, inputs / group, J...]; its channels are ordered (group, phase...,
    channel). `low`, `high` pad the input; `counts` are the positions q an axis; `start` crops the result.
    """

    weights: Value
    low: tuple[Dim, ...]
    high: tuple[Dim, ...]
    counts: tuple[Dim, ...]
    start: tuple[Dim, ...]
    strides: tuple[int, ...]


def phases(value: Value, channels: int) -> Phases:
    """The phases of a transposed convolution, its output channels per group padded to `channels`."""
    x, w = value.args
    at = value.attrs
    group, strides = at["group"], tuple(at["strides"])
    w = _spread(w, at["dilations"])
    taps = [int(k) for k in w.shape[2:]]  # type: ignore[arg-type]
    reach = [-(-k // s) for k, s in zip(taps, strides, strict=True)]
    low, high, counts, start = [], [], [], []
    for size, crop, out, s, j in zip(x.shape[2:], at["low"], at["out"], strides, reach, strict=True):
        first, last = dims.floordiv(crop, s), dims.ceildiv(crop + out, s)
        if not isinstance(crop, int):
            first, last = dims.minimum(first, j - 1), dims.maximum(last, size)
        low.append(j - 1 - first)
        high.append(last - size)
        counts.append(last - first)
        start.append(crop - first * s)
    weights = _weights(w, group, channels, strides, reach)
    return Phases(weights, tuple(low), tuple(high), tuple(counts), tuple(start), strides)


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


def _weights(w: Value, group: int, channels: int, strides: tuple[int, ...], reach: list[int]) -> Value:
    spatial = len(strides)
    outputs = int(w.shape[1])  # type: ignore[arg-type]
    high = [j * s - int(k) for j, s, k in zip(reach, strides, w.shape[2:], strict=True)]  # type: ignore[arg-type]
    w = w.pad((0,) * w.rank, (0, channels - outputs, *high))
    per = dims.floordiv(w.shape[0], group)
    split: list[Dim] = [group, per, channels]
    for j, s in zip(reach, strides, strict=True):
        split += [j, s]
    w = w.reshape(split)
    taps = [3 + 2 * a for a in range(spatial)]
    start = tuple(reach[(a - 3) // 2] - 1 if a in taps else 0 for a in range(w.rank))
    w = w.slice(start, w.shape, tuple(-1 if a in taps else 1 for a in range(w.rank)))
    w = w.transpose(0, *(a + 1 for a in taps), 2, 1, *taps)
    total = dims.product(w.shape[: 2 + spatial])
    return w.reshape((total, per, *reach))


def as_convolution(value: Value) -> Value:
    """The whole transposed convolution over plain tensors."""
    x, w = value.args
    group, channels = value.attrs["group"], int(w.shape[1])  # type: ignore[arg-type]
    spatial = x.rank - 2
    p = phases(value, channels)
    padded = x.pad((0, 0, *p.low), (0, 0, *p.high))
    none = (0,) * spatial
    attrs = {
        "strides": (1,) * spatial,
        "dilations": (1,) * spatial,
        "low": none,
        "high": none,
        "group": group,
    }
    shape = (x.shape[0], p.weights.shape[0], *p.counts)
    y = make("conv", (padded, p.weights), attrs, value.dtype, shape)
    y = y.reshape((x.shape[0], group, *p.strides, channels, *p.counts))
    order = [0, 1, 2 + spatial]
    for a in range(spatial):
        order += [3 + spatial + a, 2 + a]
    y = y.transpose(*order)
    y = y.reshape((x.shape[0], group * channels, *(n * s for n, s in zip(p.counts, p.strides, strict=True))))
    return y.slice((0, 0, *p.start), value.shape)
