"""Convolutions whose groups are single channels, or that give few channels: windows times weights, summed.

Channels lie in blocks, mostly. Few, which would leave lanes empty, stay in plain layout, where lanes are
pixels of a line.
Where each channel has several outputs, the first ones of all channels come before the second ones: all of
them read the same lanes. Must not know how windows become loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.ir.value import Value
from sardonyx.passes.blocked import Blocked, channels_of

_FEW = 4
"""Channels of which blocks would be mostly empty."""
_MOST_INPUTS, _MOST_PRODUCTS, _LEAST_LINE = 64, 128, 16


def of_single_channels(value: Value) -> bool:
    """Whether every group of a convolution is one channel, and there are several."""
    w = value.args[1]
    return value.attrs["group"] > 1 and w.shape[1] == 1 and all(isinstance(n, int) for n in w.shape)


def fills(value: Value, size: int) -> bool:
    """Whether results leave at most a quarter of their blocks empty."""
    channels = channels_of(value)
    return channels * 4 >= -(-channels // size) * size * 3


def stored(x: Value) -> Value:
    """What a convolution reads as it lies, in fewer bytes than it multiplies."""
    return x.args[0] if x.prim == "cast" and x.args[0].dtype in (dt.BF16, dt.U8) else x


def repeated(x: Value, many: int, size: int) -> Blocked | None:
    """Channels of a plain tensor, each `many` times, in blocks; None if they fill their own blocks well."""
    channels = channels_of(x)
    if many == 1 or channels * 3 >= -(-channels // size) * size * 2:
        return None
    wide = x.reshape((x.shape[0], channels, 1, *x.shape[2:]))
    wide = wide.broadcast((x.shape[0], channels, many, *x.shape[2:]))
    return Blocked.of(wide.reshape((x.shape[0], channels * many, *x.shape[2:])), size)


def convolved(known: Blocked, w: Value, at: Mapping[str, Any], dtype: DType) -> Blocked:
    """A convolution [N, C * many, H, W] of what lies in blocks, in type `dtype`.

    Args:
        known: the input.
        w: weights [C * many, 1, *kernel].
        at: strides, dilations, and how much is padded `low` and `high`.
        dtype: that of products.
    """
    channels, size = len(known.at), int(known.form.shape[4])  # type: ignore[arg-type]
    many = int(w.shape[0]) // channels  # type: ignore[arg-type]
    kernel = tuple(int(k) for k in w.shape[2:])  # type: ignore[arg-type]
    padded = known.form.pad((0, 0, *at["low"], 0), (0, 0, *at["high"], 0))
    views = padded.window((2, 3), kernel, at["strides"], at["dilations"]).cast(dtype)
    views = views.transpose(0, 1, 2, 3, 5, 6, 4)
    if many == 1:
        taps = known.like(w.reshape((1, channels, 1, 1, *kernel)))
        product = views * taps.transpose(0, 1, 2, 3, 5, 6, 4)
        return Blocked(product.sum(4, 5).reshape((*product.shape[:4], size)), known.at)
    split = w.reshape((channels, many, 1, 1, *kernel)).transpose(1, 0, 2, 3, 4, 5)
    taps = known.like(split).transpose(0, 1, 2, 3, 5, 6, 4)
    n, blocks, *sizes = views.shape
    product = views.reshape((n, 1, blocks, *sizes)) * taps.reshape((1, *taps.shape))
    form = product.sum(5, 6).reshape((n, dims.product((many, blocks)), *sizes[:2], size))
    return Blocked.lying(form, (m * known.lanes + lane for lane in known.at for m in range(many)))


def convolved_by_lines(x: Value, w: Value, at: Mapping[str, Any]) -> Value:
    """A convolution [N, C * many, H, W] of a plain input [N, C, H, W], along its lines; `at` as above."""
    n, channels, *_ = x.shape
    kernel = tuple(int(k) for k in w.shape[2:])  # type: ignore[arg-type]
    many = dims.floordiv(w.shape[0], channels)
    padded = x.pad((0, 0, *at["low"]), (0, 0, *at["high"]))
    views = padded.window((2, 3), kernel, at["strides"], at["dilations"]).transpose(0, 1, 2, 4, 5, 3)
    taps = w.reshape((1, channels, many, 1, *kernel, 1))
    product = views.reshape((n, channels, 1, *views.shape[2:])) * taps
    sums = product.sum(4, 5)
    return sums.reshape((n, w.shape[0], sums.shape[3], sums.shape[-1]))


def to_few_channels(value: Value) -> bool:
    """Whether a convolution gives so few channels, of so few terms, that its pixels are better lanes."""
    w, width = value.args[1], value.shape[3]
    if value.attrs["group"] > 1 or not all(isinstance(n, int) for n in w.shape):
        return False
    outputs, inputs, *kernel = map(int, w.shape)  # type: ignore[arg-type]
    if outputs > _FEW or (isinstance(width, int) and width < _LEAST_LINE):
        return False
    if outputs == 1 and inputs <= _FEW:
        return True
    most = _MOST_INPUTS if max(kernel) == 1 else _MOST_INPUTS // 4
    return inputs <= most and outputs * inputs * prod(kernel) <= _MOST_PRODUCTS


def summed_by_lines(x: Value, w: Value, at: Mapping[str, Any]) -> Value:
    """A convolution [N, O, H, W] of all channels of a plain input, along its lines; `at` as above."""
    kernel = tuple(int(k) for k in w.shape[2:])  # type: ignore[arg-type]
    padded = x.pad((0, 0, *at["low"]), (0, 0, *at["high"]))
    views = padded.window((2, 3), kernel, at["strides"], at["dilations"]).transpose(0, 1, 4, 5, 2, 3)
    n, *sizes = views.shape
    return (views.reshape((n, 1, *sizes)) * w.reshape((1, *w.shape, 1, 1))).sum(2, 3, 4)
