"""What products and convolutions mean, over numpy arrays; the reference for every kernel of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.ir.meaning import pad

Array = np.ndarray[Any, Any]


def dot(a: Array, b: Array, *, dtype: dt.DType, exact: bool = False) -> Array:
    """Batched matrix product a[..., m, k] @ b[..., k, n], accumulated in float64 or the integer `dtype`."""
    del exact
    wide = np.float64 if dtype.is_float else dtype.numpy
    return np.asarray(np.matmul(a.astype(wide), b.astype(wide)), dtype=dtype.numpy)


def conv(
    x: Array,
    w: Array,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    group: int,
) -> Array:
    """y[n, o, p] = sum over i, k of xpad[n, i, p*stride + k*dilation] * w[o, i, k], per group of channels."""
    per, out = x.shape[1] // group, w.shape[0] // group
    kernel, batch = w.shape[2:], x.shape[0]
    kind = np.float64 if dt.by_numpy(x.dtype).is_float else np.int64
    most_x, most_w = (float(np.abs(a.astype(np.float64)).max(initial=0)) for a in (x, w))
    # Small whole numbers too: their sums are exact, and numpy multiplies them a hundred times faster so.
    wide = np.float64 if most_x * most_w * w.size < 1 << 53 else kind
    x = pad(x, np.zeros((), x.dtype), low=(0, 0, *low), high=(0, 0, *high)).astype(wide)
    x, w = x.reshape(batch, group, per, *x.shape[2:]), w.astype(wide).reshape(group, out, per, *kernel)
    spans = list(zip(kernel, dilations, strides, x.shape[3:], strict=True))
    positions = [max(0, (size - (k - 1) * dilation - 1) // step + 1) for k, dilation, step, size in spans]
    y = np.zeros((batch, group, out, int(np.prod(positions))), wide)
    for tap in np.ndindex(*kernel):
        at: list[Any] = [
            slice(k * dilation, k * dilation + count * step, step)
            for k, count, (_, dilation, step, _) in zip(tap, positions, spans, strict=True)
        ]
        part = x[(..., *at)].reshape(batch, group, per, y.shape[3])
        y += w[(..., *tap)] @ part
    return y.reshape(batch, group * out, *positions).astype(kind, copy=False)


def conv_transpose(
    x: Array,
    w: Array,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    low: Sequence[int],
    out: Sequence[int],
    group: int,
) -> Array:
    """The gradient of `conv`: y[n, o, p*stride + k*dilation - low] += x[n, i, p] * w[i, o, k].

    `out` are the spatial output sizes.
    """
    per, n = x.shape[1] // group, x.shape[0]
    full = [
        (s - 1) * st + (k - 1) * d + 1
        for s, st, k, d in zip(x.shape[2:], strides, w.shape[2:], dilations, strict=True)
    ]
    room = [max(f, lo + o) for f, lo, o in zip(full, low, out, strict=True)]
    y = np.zeros((n, group, w.shape[1], *room))
    xs = x.reshape(n, group, per, *x.shape[2:]).astype(np.float64)
    ws = w.reshape(group, per, w.shape[1], *w.shape[2:]).astype(np.float64)
    for tap in np.ndindex(*w.shape[2:]):
        part = np.einsum("ngi...,gio->ngo...", xs, ws[(slice(None),) * 3 + tap])
        at = tuple(
            slice(k * d, k * d + (s - 1) * st + 1, st)
            for k, d, s, st in zip(tap, dilations, x.shape[2:], strides, strict=True)
        )
        y[(slice(None),) * 3 + at] += part
    crop = tuple(slice(lo, lo + o) for lo, o in zip(low, out, strict=True))
    return y[(slice(None),) * 3 + crop].reshape(n, group * w.shape[1], *out).astype(x.dtype)


def conv_blocked(
    x: Array,
    w: Array,
    *laid_out: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    group: int,
    channels: int,
    block: int,
    runs: Sequence[tuple[int, int]] = (),
    used: int = 0,
    missing: Sequence[int] = (0, 0),
) -> Array:
    """`conv` of x[N, C/b, H, W, b] (or plain x[N, C, H, W]) without padding: [N, O/b, H, W, b], b = `block`.

    But for zeros on either side of lines and pixels that are `missing`.

    Its channels are those of all `runs` (first lane, how many) of blocked x, or if there are none, the first.

    `laid_out` are the weights once more, as the kernel reads them, where it must not lay them out itself. Of
    the outputs of a group only the first `used` are wanted, unless that is 0; the others may be anything.
    """
    del used
    if x.ndim == 5:
        lanes = x.shape[1] * block
        x = x.transpose(0, 1, 4, 2, 3).reshape(x.shape[0], lanes, x.shape[2], x.shape[3])
        read = np.concatenate([np.arange(first, first + count) for first, count in runs]) if runs else ...
        x = x[:, read][:, : w.shape[1] * group]
    y = conv(x, w, strides=strides, dilations=dilations, low=missing, high=missing, group=group)
    y = np.pad(y, ((0, 0), (0, -channels % block), (0, 0), (0, 0)))
    return y.reshape(y.shape[0], y.shape[1] // block, block, *y.shape[2:]).transpose(0, 1, 3, 4, 2)
