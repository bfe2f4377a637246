"""Convolutions by the rows of a Fourier transform as spectra of windowed frames.

Models that were exported without an operator for it hold the cosines and sines of all bins, times a window,
as weights. Decides which weights are such; must not know how spectra are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.radices import is_smooth
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, concat, const, make

_APART = 1e-6
"""How far weights may be from those of a transform, rms and at most, of their own rms: roundings are 3e-8."""

Array = np.ndarray
_Signal = tuple[int, int, int]
"""A value's id, the length of frames and the step between them."""


def spectra(graph: Graph, goal: Goal) -> Graph:
    """The graph with the spectra that its weights amount to."""
    if "conv" not in graph.primitives or not goal.policy.may_transform:
        return graph
    windows = _windows(graph)
    return graph.map(partial(_rewrite, windows)) if windows else graph


def _windows(graph: Graph) -> Mapping[_Signal, Array]:
    """The windows of frames of signals, as cosines of bin 0 tell them."""
    found: dict[_Signal, Array] = {}
    for value in graph.order():
        if (frames := _frames(value)) is not None and (window := _window(frames)) is not None:
            found.setdefault(_signal(value, frames), window)
    return found


def _window(frames: Array) -> Array | None:
    """The window of rows with cosines, which those of bin 0 are."""
    return next((rows[0] for rows in _blocks(frames) if rows[0].any() and _sign(rows, rows[0], 0)), None)


def _frames(value: Value) -> Array | None:
    """The weights [rows, samples] of a convolution whose rows may be those of a transform of a signal."""
    if value.prim != "conv" or value.rank != 3 or value.dtype is not dt.F32:
        return None
    at, (x, w) = value.attrs, value.args[:2]
    if w.data is None or x.shape[1] != 1 or any((*at["low"], *at["high"])) or at["dilations"] != (1,):
        return None
    rows, _, length = w.data.shape
    return w.data[:, 0] if is_smooth(length) and rows in (length // 2 + 1, length + 2) else None


def _signal(value: Value, frames: Array) -> _Signal:
    return value.args[0].id, frames.shape[1], value.attrs["strides"][0]


def _blocks(frames: Array) -> list[Array]:
    """The rows of all bins, one block or two."""
    bins = frames.shape[1] // 2 + 1
    return [frames[at : at + bins] for at in range(0, len(frames), bins)]


def _sign(rows: Array, window: Array, part: int) -> int:
    """1 or -1 if rows are the cosines, or the negative sines for part 1, of all bins times that; else 0."""
    bins, length = rows.shape
    turn = np.outer(np.arange(bins), np.arange(length)) % length * (2 * np.pi / length)
    exact = window.astype(np.float64) * (-np.sin(turn) if part else np.cos(turn))
    size = np.sqrt(np.mean(exact**2))
    for sign in (1, -1):
        apart = rows - sign * exact
        if np.sqrt(np.mean(apart**2)) <= _APART * size and np.abs(apart).max() <= 10 * _APART * size:
            return sign
    return 0


def _rewrite(windows: Mapping[_Signal, Array], value: Value, args: tuple[Value, ...]) -> Value:
    frames = _frames(value)
    if frames is None:
        return rebuild(value, args)
    window = _window(frames)
    window = windows.get(_signal(value, frames)) if window is None else window
    parts = [] if window is None else [_part(rows, window) for rows in _blocks(frames)]
    if window is None or not all(sign for _, sign in parts):
        return rebuild(value, args)
    (samples, _, length), bins = args[0].shape, len(frames) // len(parts)
    operands = args[0].reshape((samples, length)), const(window)
    shape: tuple[Dim, ...] = (samples, 2, bins, value.shape[2])
    made = make("spectra", operands, {"step": value.attrs["strides"][0]}, dt.F32, shape)
    if parts == [(0, 1), (1, 1)]:
        return made.reshape(value.shape)
    return concat([_of_part(made, part, sign) for part, sign in parts], 1)


def _of_part(made: Value, part: int, sign: int) -> Value:
    samples, _, bins, frames = made.shape
    rows = made.slice((0, part, 0, 0), (samples, 1, bins, frames)).reshape((samples, bins, frames))
    return rows if sign > 0 else -rows


def _part(rows: Array, window: Array) -> tuple[int, int]:
    """Which part of the spectrum rows are, and its sign: 0 if they are neither."""
    part = 0 if rows[0].any() else 1
    return part, _sign(rows, window, part)
