"""Windows that slide over tensors, drawn and by definition: where they lie, what is in them; convolutions.

Everything is computed in float64 (or exactly, for integers), as the operators' texts say it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw

WIDTHS = (1, 2, 3, 4, 15, 16, 17, 31, 33)
"""Numbers of channels around the widths of vectors."""


@dataclass(frozen=True)
class Windows:
    """Positions `out` of a kernel over axes of sizes `n`, the first at `-low`."""

    n: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    auto_pad: str
    ceil: bool
    low: tuple[int, ...]
    out: tuple[int, ...]

    def attributes(self, d: Draw, *leave_out: str) -> dict[str, Any]:
        """The attributes of the node; those that say nothing are sometimes left out."""
        found: dict[str, Any] = {"kernel_shape": list(self.kernel)}
        rank = len(self.n)
        for name, given, default in (
            ("strides", self.strides, (1,) * rank),
            ("dilations", self.dilations, (1,) * rank),
            ("pads", self.pads, (0,) * (2 * rank)),
        ):
            if given != default or d.flag():
                found[name] = list(given)
        if self.auto_pad != "NOTSET" or d.flag():
            found["auto_pad"] = self.auto_pad
        if self.auto_pad != "NOTSET":
            found.pop("pads", None)
        if self.ceil:
            found["ceil_mode"] = 1
        return {name: value for name, value in found.items() if name not in leave_out}

    @property
    def high(self) -> tuple[int, ...]:
        """What is padded after the end, as the attributes say it."""
        rank = len(self.n)
        if not self.auto_pad.startswith("SAME"):
            return self.pads[rank:] if self.auto_pad == "NOTSET" else (0,) * rank
        reach = [(o - 1) * s for o, s in zip(self.out, self.strides, strict=True)]
        extents = [(k - 1) * g + 1 for k, g in zip(self.kernel, self.dilations, strict=True)]
        totals = [max(r + e - n, 0) for r, e, n in zip(reach, extents, self.n, strict=True)]
        return tuple(total - low for total, low in zip(totals, self.low, strict=True))

    @property
    def taps(self) -> int:
        """Elements of a window."""
        return int(np.prod(self.kernel))


def windows(
    d: Draw,
    *,
    ceil: bool = False,
    dilated: bool = True,
    small_pads: bool = False,
    automatic: bool = True,
    ranks: Sequence[int] = (),
    cut: bool = False,
) -> Windows:
    """Windows that fit once, or but for less than a stride (`cut`); `small_pads` are less than the kernel."""
    rank = d.one_of(*(ranks or (2, 1, 3)))
    kernel, strides, dilations, n, pads = [], [], [], [], [[0] * rank, [0] * rank]
    auto_pad = (
        d.one_of("NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID") if automatic else "NOTSET"
    )
    for axis in range(rank):
        kernel.append(d.one_of(*((3, 1, 2, 5) if rank < 3 else (2, 1, 3))))
        strides.append(d.one_of(1, 2, 3))
        dilations.append(d.one_of(1, 1, 2, 5) if dilated else 1)
        extent = (kernel[-1] - 1) * dilations[-1] + 1
        if auto_pad == "NOTSET":
            most = kernel[-1] - 1 if small_pads else 3
            pads[0][axis], pads[1][axis] = d.integer(0, most), d.integer(0, most)
        missing = strides[-1] - 1 if cut and d.flag() else 0
        least = max(1, extent - pads[0][axis] - pads[1][axis] - missing)
        n.append(d.one_of(*range(least, least + 5), *((16, 17, 33) if rank == 1 else ())))
        n[-1] = max(n[-1], least)
    found = (tuple(n), tuple(kernel), tuple(strides), tuple(dilations), (*pads[0], *pads[1]), auto_pad)
    return placed(*found, ceil=ceil and d.flag(), cut=cut)


def placed(
    n: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    auto_pad: str = "NOTSET",
    *,
    ceil: bool = False,
    cut: bool = False,
) -> Windows:
    """Where windows lie by ONNX's rules; with `cut` a single one may reach beyond the end."""
    rank = len(n)
    low, out = [], []
    for a in range(rank):
        extent, step = (kernel[a] - 1) * dilations[a] + 1, strides[a]
        if auto_pad.startswith("SAME"):
            out.append(-(-n[a] // step))
            total = max((out[-1] - 1) * step + extent - n[a], 0)
            low.append(total // 2 if auto_pad == "SAME_UPPER" else total - total // 2)
            continue
        before, after = (0, 0) if auto_pad == "VALID" else (pads[a], pads[a + rank])
        room = n[a] + before + after - extent
        up = ceil or (cut and room < 0)
        count = -(-room // step) + 1 if up else room // step + 1
        if up and (count - 1) * step >= n[a] + before:
            count -= 1
        low.append(before)
        out.append(max(count, 0))
    lists = (n, kernel, strides, dilations, pads)
    return Windows(*(tuple(v) for v in lists), auto_pad, ceil, tuple(low), tuple(out))


def views(x: Array, w: Windows, fill: Any) -> Array:
    """[n, c, *out, *kernel]: what each window sees, `fill` outside of x."""
    rank = len(w.n)
    y = np.full((*x.shape[:2], *w.out, *w.kernel), fill, x.dtype)
    for tap in itertools.product(*(range(k) for k in w.kernel)):
        inside, source = [], []
        for a in range(rank):
            at = np.arange(w.out[a]) * w.strides[a] - w.low[a] + tap[a] * w.dilations[a]
            kept = (at >= 0) & (at < w.n[a])
            inside.append(np.flatnonzero(kept))
            source.append(at[kept])
        part = x[(slice(None), slice(None), *np.ix_(*source))]
        y[(slice(None), slice(None), *np.ix_(*inside), *tap)] = part
    return y


def wide(x: Array) -> Array:
    """Floats as float64, integers as int64."""
    return x.astype(np.int64 if x.dtype.kind in "iub" else np.float64)


def convolution(x: Array, weights: Array, w: Windows, group: int) -> Array:
    """[n, o, *out], in float64 or int64."""
    seen = views(wide(x), w, 0)
    n, per, outputs = x.shape[0], weights.shape[1], weights.shape[0] // group
    y = np.zeros((n, weights.shape[0], *w.out), seen.dtype)
    flat = (n, per, int(np.prod(w.out)), w.taps)
    for g in range(group):
        part = seen[:, g * per : (g + 1) * per].reshape(flat)
        rows = wide(weights[g * outputs : (g + 1) * outputs]).reshape(outputs, per, w.taps)
        total = np.einsum("ncpk,ock->nop", part, rows)
        y[:, g * outputs : (g + 1) * outputs] = total.reshape(n, outputs, *w.out)
    return y


def transposed(x: Array, weights: Array, w: Windows, size: Sequence[int], group: int) -> Array:
    """The convolution of windows `w` backwards: [n, o, *size], each input added to what its window covers."""
    rank, per, outputs = len(size), weights.shape[0] // group, weights.shape[1]
    y = np.zeros((x.shape[0], group, outputs, *size))
    parts = wide(x).reshape((x.shape[0], group, per, *x.shape[2:]))
    rows = wide(weights).reshape((group, per, outputs, *w.kernel))
    lead = (slice(None),) * 3
    for tap in itertools.product(*(range(k) for k in w.kernel)):
        places, source = [], []
        for a in range(rank):
            at = np.arange(x.shape[2 + a]) * w.strides[a] - w.low[a] + tap[a] * w.dilations[a]
            kept = (at >= 0) & (at < size[a])
            places.append(at[kept])
            source.append(np.flatnonzero(kept))
        part = parts[(*lead, *np.ix_(*source))]
        y[(*lead, *np.ix_(*places))] += np.einsum("ngc...,gco->ngo...", part, rows[(*lead, *tap)])
    return y.reshape((x.shape[0], group * outputs, *size))


def with_bias(y: Array, b: Array | None) -> Array:
    """Y plus one number for each channel."""
    return y if b is None else y + wide(b).reshape(-1, *(1,) * (y.ndim - 2))


def sizes(x: Array) -> Array:
    """The sizes of numbers, 0 for those that are not finite."""
    return np.where(np.isfinite(wide(x)), np.abs(wide(x)), 0)


def largest(y: Array) -> float:
    """The greatest of all elements, 0 if there is none."""
    return float(y.max(initial=0))


def deformed(x: Array, offset: Array, mask: Array | None, w: Windows, groups: int) -> Array:
    """[n, c, taps, positions]: what the moved taps of each window see, weighted by the mask."""
    n, channels = x.shape[:2]
    moves = wide(offset).reshape(n, groups, w.taps, 2, *w.out)
    y = np.zeros((n, channels, w.taps, *w.out))
    for tap, at in enumerate(np.ndindex(*w.kernel)):
        for place in np.ndindex(*w.out):
            for batch, channel in np.ndindex(n, channels):
                move = moves[(batch, channel * groups // channels, tap, slice(None), *place)]
                at_all = zip(place, w.strides, w.low, at, w.dilations, move, strict=True)
                where = [p * s - low + k * gap + m for p, s, low, k, gap, m in at_all]
                y[(batch, channel, tap, *place)] = between(wide(x[batch, channel]), where)
    if mask is not None:
        weights = wide(mask).reshape(n, groups, 1, w.taps, *w.out)
        y = (y.reshape(n, groups, channels // groups, w.taps, *w.out) * weights).reshape(y.shape)
    return y.reshape(n, channels, w.taps, int(np.prod(w.out)))


def between(image: Array, place: Sequence[float]) -> float:
    """A linear blend of the pixels around a place, zeros outside."""
    total = 0.0
    first = [int(np.floor(p)) for p in place]
    for corner in itertools.product((0, 1), repeat=len(place)):
        pixel = [f + c for f, c in zip(first, corner, strict=True)]
        if all(0 <= p < m for p, m in zip(pixel, image.shape, strict=True)):
            total += float(image[tuple(pixel)]) * math.prod(
                1 - abs(p - q) for p, q in zip(place, pixel, strict=True)
            )
    return total
