"""Transposed convolution as ordinary convolutions that compute the phases of the stride as channels.

Output t = s*q + r of an axis (t counted before cropping `low`) is the sum over j of x[q - j] * w[r + s*j]: a
convolution of x with every s-th tap, flipped. Phases r of as many taps share one and become output channels.
With dilation d, tap k reaches t = s*p + d*k: phase r reads taps with d*k = r modulo s, which are s/g apart,
from inputs that are d/g apart, g being the greatest common divisor of s and d.

Few channels leave most of a block of them empty: then pixels are the columns of a product by all taps, whose
rows are added up to the image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.ir.blocks import by_lines
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, concat, make, scalar


def transposed(graph: Graph, goal: Goal) -> Graph:
    """Transposed convolutions whose channels fill no whole blocks as ordinary convolutions."""
    if "conv_transpose" not in graph.primitives:
        return graph
    return graph.map(partial(_rewrite, goal.target.channel_block))


def _rewrite(block: int, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "conv_transpose" or not isinstance(value.shape[1], int):
        return value
    fills = value.shape[1] * 4 >= -(-value.shape[1] // block) * block * 3
    if fills and value.attrs["group"] == 1 and value.rank <= 4:
        return value
    return as_product(value) if _wastes(value, block) else as_convolution(value)


def _wastes(value: Value, block: int) -> bool:
    """Whether convolutions would compute far more channels than there are, and a product need not."""
    x, w = value.args
    strides, kernel = value.attrs["strides"], [int(k) for k in w.shape[2:]]  # type: ignore[arg-type]
    if value.attrs["group"] != 1 or x.dtype != value.dtype or not by_lines(kernel, strides):
        return False
    runs = [_runs(k, s, d) for k, s, d in zip(kernel, strides, value.attrs["dilations"], strict=True)]
    channels = int(w.shape[1])  # type: ignore[arg-type]
    computed = 0
    for chosen in itertools.product(*runs):
        blocks = -(-math.prod(run.size for run in chosen) * channels // block)
        computed += blocks * block * math.prod(run.taps for run in chosen)
    needed = channels * math.prod(kernel)
    if max(strides) == 1:  # which may be transformed
        return computed > needed * 2
    is_one = all(len(of_axis) == 1 for of_axis in runs)
    return computed * 3 >= needed * 4 and not (is_one and _in_blocks(x))


def _in_blocks(value: Value) -> bool:
    """Whether a convolution leaves these pixels as another reads them, which a product does not."""
    while value.prim not in ("conv", "conv_transpose"):
        before = [arg for arg in value.args if arg.shape == value.shape]
        if not before:
            return False
        value = before[0]
    return True


@dataclass(frozen=True, slots=True)
class Part:
    """The convolution of some phases, all of which reach as many inputs.

    `weights` is [group * phases * channels, inputs / group, J...], its channels ordered (group, phase...,
    channel), or the last phase behind the channel; None if no input reaches these phases. `low` and `high`
    pad the input, `dilations` are those of J, `sizes` counts phases by axis. Of input padded for all
    parts the convolution has `more` results an axis, its own from `start` on.
    """

    weights: Value | None
    low: tuple[Dim, ...]
    high: tuple[Dim, ...]
    dilations: tuple[int, ...]
    sizes: tuple[int, ...]
    start: tuple[int, ...]
    more: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phases:
    """The convolutions of all phases.

    `parts` are those of all combinations of `splits` runs of phases an axis, the last axis running fastest.
    `counts` are the positions q an axis; `start` crops the result. `low` and `high` pad the input for all.
    """

    parts: tuple[Part, ...]
    splits: tuple[int, ...]
    counts: tuple[Dim, ...]
    start: tuple[Dim, ...]
    strides: tuple[int, ...]
    low: tuple[Dim, ...]
    high: tuple[Dim, ...]

    def joined(self, results: Sequence[Value], axes: Sequence[int]) -> Value:
        """The results of all parts side by side, their phases along these axes."""
        rest = list(results)
        for runs, axis in zip(reversed(self.splits), reversed(axes), strict=True):
            rest = [concat(rest[at : at + runs], axis) for at in range(0, len(rest), runs)]
        return rest[0]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring phases of one axis that read `taps` inputs each, the last one `back` before position q.

    Phase i of them reads every `step`-th tap from `tap` + i on, and inputs that lie `dilation` apart.
    """

    size: int
    taps: int
    tap: int = 0
    step: int = 1
    dilation: int = 1
    back: int = 0

    @property
    def reach(self) -> int:
        """How far the first input lies before position q."""
        return self.back + (self.taps - 1) * self.dilation


def _runs(kernel: int, stride: int, dilation: int) -> tuple[_Run, ...]:
    """The runs of all phases of an axis, which are as many as its stride."""
    if dilation == 1:
        # Phase r reads taps r, r + stride, ...: one more in the first phases unless the kernel is a multiple.
        taps, more = divmod(kernel, stride)
        rows = (_Run(more, taps + 1, 0, stride), _Run(stride - more, taps, more, stride))
        return tuple(run for run in rows if run.size)
    common = math.gcd(stride, dilation)
    step, distance = stride // common, dilation // common
    runs = []
    for phase in range(stride):
        tap = next((k for k in range(min(step, kernel)) if (k * dilation - phase) % stride == 0), None)
        if tap is None:
            runs.append(_Run(1, 0))
        else:
            back = (tap * dilation - phase) // stride
            runs.append(_Run(1, -(-(kernel - tap) // step), tap, step, distance, back))
    return tuple(runs)


def phases(value: Value, channels: int, *, pixels_last: bool = False) -> Phases:
    """The phases of a transposed convolution, its output channels per group padded to `channels`.

    With `pixels_last` the phases of the last axis run faster than the channels.

    Phases of different reach are apart: a zero in place of a missing tap would spread infinities and NaN.
    """
    x, w = value.args
    at = value.attrs
    group, strides = at["group"], tuple(at["strides"])
    kernel = [int(k) for k in w.shape[2:]]  # type: ignore[arg-type]
    runs = [_runs(k, s, d) for k, s, d in zip(kernel, strides, at["dilations"], strict=True)]
    firsts, lasts, start, farthest = [], [], [], []
    for size, crop, out, s, found in zip(x.shape[2:], at["low"], at["out"], strides, runs, strict=True):
        first, last = dims.floordiv(crop, s), dims.ceildiv(crop + out, s)
        reached = [run for run in found if run.taps]
        reach, back = min(run.reach for run in reached), max(run.back for run in reached)
        known = isinstance(size, int) and isinstance(last, int)
        outside = bool(back) or (isinstance(first, int) and first > reach)
        if not isinstance(crop, int) or (outside and not known):
            first, last = dims.minimum(first, reach), dims.maximum(last, size + back)
        elif outside:
            # A phase that reads nothing but inputs outside needs no more of them cut off than there are.
            first, last = dims.minimum(first, size + reach), dims.maximum(last, back)
        firsts.append(first)
        lasts.append(last)
        start.append(crop - first * s)
        farthest.append((max(run.reach for run in reached), min(run.back for run in reached)))
    parts = []
    for chosen in itertools.product(*runs):
        ends = zip(chosen, lasts, x.shape[2:], strict=True)
        whole = [(run, *far) for run, far in zip(chosen, farthest, strict=True)]
        parts.append(
            Part(
                _weights(w, group, channels, chosen, pixels_last) if all(r.taps for r in chosen) else None,
                tuple(run.reach - first for run, first in zip(chosen, firsts, strict=True)),
                tuple(last - run.back - size for run, last, size in ends),
                tuple(run.dilation for run in chosen),
                tuple(run.size for run in chosen),
                tuple(reach - run.reach for run, reach, _ in whole),
                tuple(reach - run.reach + run.back - back for run, reach, back in whole),
            )
        )
    counts = tuple(last - first for first, last in zip(firsts, lasts, strict=True))
    low = tuple(reach - first for (reach, _), first in zip(farthest, firsts, strict=True))
    high = tuple(n - back - size for (_, back), n, size in zip(farthest, lasts, x.shape[2:], strict=True))
    return Phases(tuple(parts), tuple(map(len, runs)), counts, tuple(start), strides, low, high)


def _weights(w: Value, group: int, channels: int, runs: Sequence[_Run], pixels_last: bool) -> Value:
    """The taps of a run of phases of each axis, flipped."""
    spatial = len(runs)
    w = w.pad((0,) * w.rank, (0, channels - int(w.shape[1]), *(0,) * spatial))  # type: ignore[arg-type]
    for axis, run in enumerate(runs):
        w = _tapped(w, 2 + 2 * axis, run)
    per = dims.floordiv(w.shape[0], group)
    w = w.reshape((group, per, *w.shape[1:]))
    taps = [3 + 2 * a for a in range(spatial)]
    order = [*(a + 1 for a in taps), 2]
    if pixels_last:
        order[-2:] = order[:-3:-1]
    w = w.transpose(0, *order, 1, *taps)
    total = dims.product(w.shape[: 2 + spatial])
    return w.reshape((total, per, *(run.taps for run in runs)))


def _tapped(w: Value, axis: int, run: _Run) -> Value:
    """An axis of taps as two: those of one phase, the last first, and the phases of a run."""
    rows = []
    for phase in range(run.size):
        start, size, step = [0] * w.rank, list(w.shape), [1] * w.rank
        start[axis] = run.tap + phase + (run.taps - 1) * run.step
        size[axis], step[axis] = run.taps, -run.step
        row = w.slice(start, size, step)
        rows.append(row.reshape((*row.shape[: axis + 1], 1, *row.shape[axis + 1 :])))
    return concat(rows, axis + 1)


def as_convolution(value: Value) -> Value:
    """The whole transposed convolution over plain tensors.

    Phases of pixels lie side by side in its result, and so they do in what the convolution makes of a pixel.
    """
    x, w = value.args
    group, channels = value.attrs["group"], int(w.shape[1])  # type: ignore[arg-type]
    spatial = x.rank - 2
    p = phases(value, channels, pixels_last=True)
    none, ones = (0,) * spatial, (1,) * spatial
    attrs = {"strides": ones, "low": none, "high": none, "group": group}
    results = []
    padded = x.pad((0, 0, *p.low), (0, 0, *p.high))
    for part in p.parts:
        shape = (x.shape[0], group, *part.sizes[:-1], channels, part.sizes[-1], *p.counts)
        if part.weights is None:
            results.append(scalar(0, value.dtype).broadcast(shape))
            continue
        lead = (x.shape[0], part.weights.shape[0])
        found = (n + more for n, more in zip(p.counts, part.more, strict=True))
        own = attrs | {"dilations": part.dilations}
        y = make("conv", (padded, part.weights), own, value.dtype, (*lead, *found))
        results.append(y.slice((0, 0, *part.start), (*lead, *p.counts)).reshape(shape))
    apart = [*range(2, 1 + spatial), 2 + spatial]
    order = [0, 1, 1 + spatial]
    for a, phase in enumerate(apart):
        order += [3 + spatial + a, phase]
    y = p.joined(results, apart).transpose(*order)
    y = y.reshape((x.shape[0], group * channels, *(n * s for n, s in zip(p.counts, p.strides, strict=True))))
    return y.slice((0, 0, *p.start), value.shape)


def as_product(value: Value) -> Value:
    """The transposed convolution as what each pixel adds to all of its window, added up."""
    x, w = value.args
    channels, kernel = dims.product(w.shape[1:]), w.shape[2:]
    rows = w.reshape((1, w.shape[0], channels)).transpose(0, 2, 1)
    columns = rows.dot(x.reshape((*x.shape[:2], dims.product(x.shape[2:]))))
    names = ("strides", "dilations", "low", "out")
    attrs = {name: value.attrs[name] for name in names} | {"kernel": kernel, "positions": x.shape[2:]}
    wide = dt.F32 if value.dtype.bits == 16 else value.dtype
    return make("col2im", (columns.cast(wide),), attrs, wide, value.shape).cast(value.dtype)
