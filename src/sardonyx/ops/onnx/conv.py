"""Conv, ConvTranspose, ConvInteger, DeformConv and Col2Im, all on `conv`, `conv_transpose` or `dot`."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.blocks import by_lines
from sardonyx.ir.value import Value, concat, const, iota, make, scalar
from sardonyx.ops.demands import along, equal, one_or_along, ranked, shaped, single
from sardonyx.ops.onnx.sampling import linear_sample
from sardonyx.ops.operands import needs_size, sizes
from sardonyx.ops.precision import centred, kept
from sardonyx.ops.table import op
from sardonyx.ops.window import SLIDING, STEPS, Ints, Sliding, Steps, Window

_MOST_TERMS = 256
"""Taps of a block that are written out as terms of a sum, and sums beside each other."""


def convolve(x: Value, w: Value, window: Window, group: int, dtype: DType | None = None) -> Value:
    """y[n, o, p] = sum over i, k of x[n, i, p*stride + k*dilation - low] * w[o, i, k], in groups."""
    x = of_channels(x, w.shape[1] * group, w, group)
    _in_groups(w, group)
    attrs = {
        "strides": window.strides,
        "dilations": window.dilations,
        "low": window.low,
        "high": window.high,
        "group": group,
    }
    return make("conv", (x, w), attrs, dtype or x.dtype, (x.shape[0], w.shape[0], *window.out))


def of_channels(x: Value, channels: Dim, w: Value, group: int) -> Value:
    """x with as many channels as its weights want, which are often known where those of x are not."""
    if dims.equal(x.shape[1], channels) is False:
        raise ShapeError(f"{x.shape[1]} channels do not fit weights {list(w.shape)} in {group} groups")
    if isinstance(x.shape[1], int) or not isinstance(channels, int):
        return x
    return x.reshape((x.shape[0], channels, *x.shape[2:]))


def _in_groups(w: Value, group: int) -> None:
    if group < 1 or (isinstance(w.shape[0], int) and w.shape[0] % group):
        raise ShapeError(f"weights {list(w.shape)} cannot be divided into {group} groups")


def with_kernel(w: Value, kernel_shape: Ints) -> Value:
    """Weights whose kernel is known, by `kernel_shape` if need be. Raises NeedsContent, ShapeError."""
    kernel = w.shape[2:]
    if kernel_shape:
        if len(kernel_shape) != len(kernel) or any(map(_differ, kernel, kernel_shape)):
            raise ShapeError(f"kernel_shape {list(kernel_shape)} contradicts the weights {list(w.shape)}")
        return w.reshape((*w.shape[:2], *kernel_shape))
    for size in kernel:
        if not isinstance(size, int):
            every = dims.product(w.shape)
            raise needs_size(size if isinstance(every, int) else every, "the size of the kernel")
    return w


def _differ(a: Dim, b: Dim) -> bool:
    return dims.equal(a, b) is False


def conv_window(x: Value, w: Value, moves: Steps) -> Window:
    """The window of a convolution, its kernel taken from the weights. Raises ShapeError if they disagree."""
    if x.rank != w.rank or x.rank < 3:
        raise ShapeError(
            f"a convolution of {list(x.shape)} by weights {list(w.shape)} needs equal ranks of at least 3"
        )
    return Window.of(x.shape[2:], w.shape[2:], moves)


@op("Conv")
def conv(
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """y[n, o, p] = b[o] + sum over i, k of x[n, i, p*stride + k*dilation - low] * w[o, i, k]."""
    w = with_kernel(w, kernel_shape)
    window = conv_window(x, w, moves)
    y = convolve(x, w, window, group)
    return y if b is None else y + along(b, "the bias B", y, 1)


def convolve_integers(
    x: Value, w: Value, x_zero: Value | None, w_zero: Value | None, window: Window, group: int
) -> Value:
    """The convolution of (x - x_zero) by (w - w_zero), exact in int32; w_zero per output channel or one."""
    points = centred(x, None if x_zero is None else single(x_zero, "the zero point of x"))
    zero = None if w_zero is None else one_or_along(w_zero, "the zero point of w", w, 0)
    weights = centred(w if x.is_const else kept(w), zero)
    return convolve(points, weights, window, group, dt.I32)


@op("ConvInteger", since=10)
def conv_integer(
    x: Value,
    w: Value,
    x_zero_point: Value | None = None,
    w_zero_point: Value | None = None,
    *,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """Conv of (x - x_zero_point) by (w - w_zero_point), exact in int32."""
    w = with_kernel(w, kernel_shape)
    window = conv_window(x, w, moves)
    return convolve_integers(x, w, x_zero_point, w_zero_point, window, group)


@op("ConvTranspose")
def conv_transpose(
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
    output_padding: Ints = (),
    output_shape: Ints = (),
) -> Value:
    """The gradient of Conv: y[n, o, p*stride + k*dilation - low] += x[n, i, p] * w[i, o, k]."""
    rank = x.rank - 2
    auto_pad = moves.auto_pad
    steps = tuple(moves.strides) or (1,) * rank
    gaps = tuple(moves.dilations) or (1,) * rank
    extra = tuple(output_padding) or (0,) * rank
    borders = tuple(moves.pads) or (0,) * (2 * rank)
    if not len(steps) == len(gaps) == len(extra) == len(borders) // 2 == rank:
        raise ShapeError(f"strides, dilations, output_padding and pads must be those of {rank} spatial axes")
    if len(output_shape) not in (0, rank, rank + 2):
        raise ShapeError(f"output_shape {list(output_shape)} must be that of {rank} spatial axes")
    if any(s < 1 for s in (*steps, *gaps)):
        raise ShapeError(f"strides {list(steps)} and dilations {list(gaps)} must be positive")
    if x.rank != w.rank or x.rank < 3:
        raise ShapeError(
            f"a convolution of {list(x.shape)} by weights {list(w.shape)} needs equal ranks of at least 3"
        )
    w = with_kernel(w, kernel_shape)
    if not isinstance(w.shape[1], int):
        raise needs_size(w.shape[1], "the number of channels")
    kernel = w.shape[2:]
    if 0 in kernel:
        raise ShapeError(f"the kernel is empty: the weights have the shape {list(w.shape)}")
    x = of_channels(x, w.shape[0], w, group)
    _in_groups(w, group)
    low: list[Dim] = []
    out: list[Dim] = []
    for a in range(rank):
        n = x.shape[2 + a]
        full = (n - 1) * steps[a] + extra[a] + (kernel[a] - 1) * gaps[a] + 1
        before: Dim
        if output_shape or auto_pad.startswith("SAME"):
            size = output_shape[a - rank] if output_shape else n * steps[a]
            total = dims.maximum(full - size, 0)
            half = dims.floordiv(total, 2)
            before = half if auto_pad == "SAME_UPPER" else total - half
        else:
            before, after = (0, 0) if auto_pad == "VALID" else (borders[a], borders[a + rank])
            size = full - before - after
        low.append(before)
        out.append(size)
    attrs = {"strides": steps, "dilations": gaps, "low": tuple(low), "out": tuple(out), "group": group}
    shape = (x.shape[0], w.shape[1] * group, *out)
    if group == 1 and all(n == 1 for n in x.shape[2:]) and tuple(out) == kernel and not any(low):
        y = x.reshape(x.shape[:2]).dot(w.reshape((w.shape[0], dims.product(w.shape[1:])))).reshape(shape)
    else:
        y = make("conv_transpose", (x, w), attrs, x.dtype, shape)
    return y if b is None else y + along(b, "the bias B", y, 1)


@op("DeformConv", since=19)
def deform_conv(
    x: Value,
    w: Value,
    offset: Value,
    b: Value | None = None,
    mask: Value | None = None,
    *,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Steps = STEPS,
    offset_group: int = 1,
) -> Value:
    """Conv whose taps are moved by `offset` and weighted by `mask`, interpolated between pixels."""
    w = with_kernel(w, kernel_shape)
    window = conv_window(x, w, moves)
    n, channels, rank = x.shape[0], x.shape[1], x.rank - 2
    kernel = [k for k in window.kernel if isinstance(k, int)]
    taps = int(np.prod(kernel))
    offset = shaped(offset, "the offset", n, offset_group * taps * rank, *window.out)
    shifts = offset.reshape((n, offset_group, taps, rank, *window.out))
    grid = np.stack(np.meshgrid(*(np.arange(k) for k in kernel), indexing="ij")).reshape(rank, taps)
    places = []
    for a in range(rank):
        spread = tuple(window.out[a] if d == a else 1 for d in range(rank))
        base = iota(spread, a, x.dtype) * window.strides[a] - _number(window.low[a])
        taken = const((grid[a] * window.dilations[a]).astype(x.dtype.numpy)).reshape(
            (1, 1, taps, *(1,) * rank)
        )
        shift = shifts.slice((0, 0, 0, a, *(0,) * rank), (n, offset_group, taps, 1, *window.out))
        places.append(shift.reshape((n, offset_group, taps, *window.out)) + base + taken)
    per = dims.floordiv(channels, offset_group)
    if mask is not None:
        mask = shaped(mask, "the mask", n, offset_group * taps, *window.out)
        mask = mask.reshape((n, offset_group, taps, *window.out))
    columns = linear_sample(x.reshape((n, offset_group, per, *x.shape[2:])), places, mask)
    inner = w.shape[1] * taps
    places_count = dims.product(window.out)
    columns = columns.reshape((n, group, inner, places_count))
    weights = w.reshape((1, group, dims.floordiv(w.shape[0], group), inner))
    y = weights.dot(columns).reshape((n, w.shape[0], *window.out))
    return y if b is None else y + along(b, "the bias B", y, 1)


def _number(size: Dim) -> int:
    assert isinstance(size, int)
    return size


@op("Col2Im", since=18)
def col2im(
    x: Value,
    image_shape: Value,
    block_shape: Value,
    *,
    moves: Steps = STEPS,
) -> Value:
    """Add the columns of blocks up to an image."""
    ranked(x, "the input", 3)
    block = sizes(block_shape, "the block shape")
    image = sizes(image_shape, "the image shape")
    window = Window.of(image, block, moves)
    channels = dims.floordiv(x.shape[1], dims.product(block))
    equal(channels * dims.product(block), x.shape[1], "the channels are not a multiple of the block's size")
    equal(dims.product(window.out), x.shape[2], "the positions of the block and the columns differ")
    shape = (x.shape[0], channels, *image)
    kernel = tuple(k for k in block if isinstance(k, int))
    terms = prod(-(-k // stride) for k, stride in zip(kernel, window.strides, strict=False))
    sums = 1 if _lie_apart(kernel, window) else prod(window.strides)
    known = len(kernel) == len(block)
    summed = known and by_lines(kernel, window.strides)
    if known and max(terms, sums) <= _MOST_TERMS and (_lie_apart(kernel, window) or not summed):
        return _added_up(x.reshape((*shape[:2], *kernel, *window.out)), kernel, window, image)
    attrs = {"strides": window.strides, "dilations": window.dilations, "low": window.low, "out": image}
    attrs |= {"kernel": block, "positions": window.out}
    wide = _summed(x.dtype) if summed else x.dtype
    return make("col2im", (x.cast(wide),), attrs, wide, shape).cast(x.dtype)


def _summed(dtype: DType) -> DType:
    """The type in which elements are added up: of 32 bits, which small integers wrap around in as well."""
    if dtype in (dt.F16, dt.BF16):
        return dt.F32
    return dt.I32 if dtype.kind in "iu" and dtype.bits < 32 else dtype


def _added_up(x: Value, kernel: tuple[int, ...], window: Window, image: tuple[Dim, ...]) -> Value:
    """The image [n, c, ...] of columns [n, c, taps..., positions...].

    A tap of position q adds to pixel q * stride + tap * dilation: pixels of one remainder by the stride are a
    sum of whole columns, moved.
    """
    rank, (n, c) = len(kernel), x.shape[:2]
    moves = [[divmod(t * d, s) for t in range(k)] for k, d, s in _axes(kernel, window)]
    reach = [max(far for far, _ in axis) for axis in moves]
    size = [positions + far for positions, far in zip(window.out, reach, strict=True)]
    wide = x.cast(_summed(x.dtype)) if x.dtype in (dt.F16, dt.BF16) else x
    still = (0,) * (2 + rank)
    padded = wide.pad((*still, *reach), (*still, *reach))

    def part(remainders: tuple[int, ...]) -> Value:
        total: Value | None = None
        each = zip(moves, remainders, strict=True)
        for taps in product(*([t for t, (_, r) in enumerate(axis) if r == of] for axis, of in each)):
            start = [far - axis[t][0] for far, axis, t in zip(reach, moves, taps, strict=True)]
            tap = padded.slice((0, 0, *taps, *start), (n, c, *(1,) * rank, *size))
            total = tap if total is None else total + tap
        zeros = scalar(0, wide.dtype).broadcast((n, c, *(1,) * rank, *size))
        return zeros if total is None else total

    if _lie_apart(kernel, window):
        side_by_side = wide
    else:
        parts = [part(remainders) for remainders in product(*map(range, window.strides))]
        for axis, stride in reversed(list(enumerate(window.strides))):
            parts = [concat(parts[at : at + stride], 2 + axis) for at in range(0, len(parts), stride)]
        (side_by_side,) = parts
    order = (
        axis for pair in zip(range(2 + rank, 2 + 2 * rank), range(2, 2 + rank), strict=True) for axis in pair
    )
    whole = [m * s for m, s in zip(size, window.strides, strict=True)]
    y = side_by_side.transpose(0, 1, *order).reshape((n, c, *whole))
    missing = [dims.maximum(low + m - w, 0) for low, m, w in zip(window.low, image, whole, strict=True)]
    y = y.pad((0,) * y.rank, (0, 0, *missing)).slice((0, 0, *window.low), (n, c, *image))
    return y.cast(x.dtype)


def _lie_apart(kernel: tuple[int, ...], window: Window) -> bool:
    """Whether blocks touch each other and do not overlap."""
    return kernel == window.strides and all(gap == 1 for gap in window.dilations)


def _axes(kernel: tuple[int, ...], window: Window) -> list[tuple[int, int, int]]:
    return list(zip(kernel, window.dilations, window.strides, strict=True))
