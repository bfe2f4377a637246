"""Pools of plain tensors along their last axis behind the others, where that reads fewer elements.

What is reduced along lines has lines of its own, of whole vectors however many pixels windows are apart. Must
not know how windows become loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np

from sardonyx.base.assumed import assumed
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Shape, Value, concat

_REDUCTIONS = ("sum", "rmax", "rmin")
_PIXEL = {1: 1.0, 2: 3.0, 3: 6.0, 4: 8.0}
"""Instructions for a vector of pixels so far apart."""
_FAR = 24.0
_MASKED = 2.0
"""How much longer windows take that overlap, of lines that do not fill a vector."""
_STORED = 4.0
"""What it takes to write a vector and to read it, beyond half of the second cache."""
_GAIN = 0.9
_CUT = 4
"""The most windows that reach into pads of lines and are taken apart."""


def separated(graph: Graph, goal: Goal) -> Graph:
    """Reductions over windows of two and more axes as two reductions."""
    return graph.map(partial(_rewrite, goal.target)) if "window" in graph.primitives else graph


def _rewrite(target: Target, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim == "reshape":
        return value.args[0].reshape(value.shape)
    window = _windows(value)
    if window is None:
        return value
    (x,), at, rank = window.args, window.attrs, window.args[0].rank
    kernel, strides, dilations = at["kernel"], at["strides"], at["dilations"]
    if at["axes"][-1] != rank - 1 or _lies_across(x) or not _pays(window, value, target):
        return value
    y = _by_parts(window, value)
    if y is None:
        low, high, fill, x = _ends_of_lines(x, value.prim)
        lines = x.window(at["axes"][:-1], kernel[:-1], strides[:-1], dilations[:-1])
        y = _reduced(lines, (*value.shape[: rank - 1], x.shape[-1]), kernel[:-1], value.prim)
    else:
        fill, low, high = x.args[1], x.attrs["low"][-1], x.attrs["high"][-1]
    still = (0,) * (rank - 1)
    pixels = y.pad((*still, low), (*still, high), fill)
    pixels = pixels.window((rank - 1,), kernel[-1:], strides[-1:], dilations[-1:])
    return _reduced(pixels, value.shape[:rank], kernel[-1:], value.prim).reshape(value.shape)


def _windows(value: Value) -> Value | None:
    """The windows that a value is the reduction of, all of each; None if it is something else."""
    if value.prim not in _REDUCTIONS:
        return None
    views = window = value.args[0]
    if views.prim == "slice" and not any(views.attrs["start"]) and all(n == 1 for n in views.attrs["step"]):
        window = views.args[0]
    if window.prim != "window" or len(window.attrs["axes"]) < 2:
        return None
    rank, kernel = window.args[0].rank, window.attrs["kernel"]
    offsets = tuple(rank + n for n, size in enumerate(kernel) if size != 1)
    return window if value.attrs["axes"] == offsets and views.shape[rank:] == kernel else None


def _lies_across(x: Value) -> bool:
    """Whether pixels of a line lie apart, and those of other lines or channels beside each other."""
    return x.prim == "transpose" and bool(x.attrs["perm"][-1] != x.rank - 1)


def _pays(window: Value, value: Value, target: Target) -> bool:
    """Whether two reductions take fewer instructions, for a vector of results, than one."""
    x, (*others, last), stride = window.args[0], window.attrs["kernel"], window.attrs["strides"][-1]
    height, width = value.shape[window.attrs["axes"][0]], value.shape[window.attrs["axes"][-1]]
    lines, pixel = prod(others), _PIXEL.get(stride, _FAR)
    is_large = 2 * assumed(x.size) * x.dtype.size_bytes > target.l2_bytes
    copied = is_large and _parts(window, height) is not None
    masked = _MASKED if stride < last and assumed(width) < target.lanes else 1.0
    apart = (lines + 1 + is_large * _STORED) * stride + last * pixel
    together = masked * lines * last * pixel + copied * _STORED * prod(window.attrs["strides"])
    return bool(lines > 1 < last and apart < _GAIN * together)


def _parts(window: Value, rows: Dim) -> list[tuple[int, int, int]] | None:
    """Runs of windows over lines that are padded by what changes no result: first line, end, and how many.

    Those that reach into the pads are cut off there and stand alone. None if they are many, or not known.
    """
    (x,), at = window.args, window.attrs
    if x.prim != "pad" or len(at["axes"]) != 2 or at["dilations"][0] != 1 or not isinstance(rows, int):
        return None
    if _lies_across(x.args[0]):
        return None
    if any(n != 0 for ends in ("low", "high") for a, n in enumerate(x.attrs[ends]) if a not in at["axes"]):
        return None
    axis, kernel, stride = at["axes"][0], at["kernel"][0], at["strides"][0]
    lines, low = x.args[0].shape[axis], x.attrs["low"][axis]
    if not isinstance(lines, int) or not isinstance(low, int):
        return None
    inside = min(rows - 1, (lines - kernel + low) // stride) + low // -stride + 1
    if inside < 1 or rows - inside > _CUT:
        return None
    ends = [(max(0, n * stride - low), min(lines, n * stride - low + kernel)) for n in range(rows)]
    whole = [n for n, (first, end) in enumerate(ends) if end - first == kernel]
    if any(first >= end for first, end in ends):
        return None
    cut = [(n, (first, end, 1)) for n, (first, end) in enumerate(ends) if end - first < kernel]
    inner = whole[0], (ends[whole[0]][0], ends[whole[-1]][1], len(whole))
    return [run for _, run in sorted([*cut, inner])]


def _by_parts(window: Value, value: Value) -> Value | None:
    """The reduction over lines, of which none is padded."""
    rows = _parts(window, value.shape[window.attrs["axes"][0]])
    if rows is None or not _is_neutral(window.args[0].args[1], value.prim):
        return None
    x, axis = window.args[0].args[0], window.attrs["axes"][0]
    kernel, stride = window.attrs["kernel"][0], window.attrs["strides"][0]
    parts = []
    for first, end, count in rows:
        start, shape = [0] * x.rank, list(x.shape)
        start[axis], shape[axis] = first, end - first
        lines = x.slice(start, shape)
        if count > 1:
            shape[axis] = count
            lines = lines.window((axis,), (kernel,), (stride,), (1,))
            parts.append(_reduced(lines, tuple(shape), (kernel,), value.prim))
        else:
            parts.append(lines.reduce(value.prim, (axis,)))
    return concat(parts, axis)


def _is_neutral(fill: Value, prim: str) -> bool:
    """Whether a pad of it changes no result."""
    if fill.data is None or not fill.is_numeric_const:
        return False
    info = np.iinfo(fill.dtype.numpy) if fill.dtype.is_int else None
    low, high = (info.min, info.max) if info else (-np.inf, np.inf)
    return bool(fill.data.item() == {"sum": 0, "rmax": low, "rmin": high}[prim])


def _ends_of_lines(x: Value, prim: str) -> tuple[Dim, Dim, Value | None, Value]:
    """How far lines are padded at both ends, with what, and the tensor without that, if it may come later."""
    if x.prim != "pad":
        return 0, 0, None, x
    (inner, fill), low, high = x.args, x.attrs["low"], x.attrs["high"]
    if prim == "sum" and not (fill.is_numeric_const and fill.data is not None and fill.data.item() == 0):
        return 0, 0, None, x
    return low[-1], high[-1], fill, inner.pad((*low[:-1], 0), (*high[:-1], 0), fill)


def _reduced(views: Value, shape: Shape, kernel: Sequence[int], prim: str) -> Value:
    """The reduction over all offsets of the first windows, as many as `shape` says."""
    views = views.slice((0,) * views.rank, (*shape, *kernel))
    return views.reduce(prim, range(len(shape), views.rank)).reshape(shape)
