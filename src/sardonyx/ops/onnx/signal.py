"""Signals: discrete Fourier transforms, by stages or as products with a known matrix, windows, mel banks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.radices import is_smooth
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, const, dim_value, iota, make, scalar
from sardonyx.ops.demands import element_type
from sardonyx.ops.operands import integer, needs_content, needs_size, size
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]
MATRIX_LIMIT = 1024
"""Transforms up to this length are matrix products, which take the window and what follows with them."""
POWER_LIMIT = 256
"""The same for powers of two, whose fast transform pays off earlier."""


@op("DFT", since=17)
def dft_axis_attribute(
    x: Value, dft_length: Value | None = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Value:
    """The transform of x[..., n, ..., 1 or 2] over an axis."""
    return transformed(x, dft_length, x.axis(axis), bool(inverse), bool(onesided))


@op("DFT", since=20)
def dft(
    x: Value,
    dft_length: Value | None = None,
    axis: Value | None = None,
    *,
    inverse: int = 0,
    onesided: int = 0,
) -> Value:
    """The transform of x[..., n, ..., 1 or 2] over an axis."""
    at = x.axis(-2 if axis is None else integer(axis, "the axis"))
    return transformed(x, dft_length, at, bool(inverse), bool(onesided))


def transformed(x: Value, dft_length: Value | None, axis: int, inverse: bool, onesided: bool) -> Value:
    """The transform over an axis; a one-sided inverse gives a real signal."""
    last, parts = x.rank - 1, 2 if inverse else 1
    if onesided and dims.equal(x.shape[-1], parts) is False:
        wanted = "an inverse one complex" if inverse else "a transform real"
        raise ShapeError(f"one-sided, {wanted} input, whose last axis is {parts}, not {x.shape[-1]}")
    if axis == last:
        raise ShapeError("the last axis holds real and imaginary parts, it cannot be transformed")
    perm = [a for a in range(x.rank) if a not in (axis, last)] + [axis, last]
    y = x.transpose(*perm)
    real = inverse and onesided
    given: Dim = (y.shape[-2] - 1) * 2 if real else y.shape[-2]
    length = given if dft_length is None else size(dft_length, "the length")
    z = spectrum(y, length, inverse, onesided)
    back = [0] * x.rank
    for place, a in enumerate(perm):
        back[a] = place
    return z.transpose(*back)


def _matrix_limit(length: int) -> int:
    return MATRIX_LIMIT if length & (length - 1) else POWER_LIMIT


def spectrum(x: Value, length: Dim, inverse: bool, onesided: bool, weights: Value | None = None) -> Value:
    """The transform of x[..., n, 1 or 2], weighted, over n cut or zero-padded to `length`."""
    real = inverse and onesided
    used = dims.floordiv(length, 2) + 1 if real else length
    bins = dims.floordiv(length, 2) + 1 if onesided and not inverse else length
    n, parts = x.shape[-2:]
    if not isinstance(parts, int):
        raise needs_size(parts, "whether the signal is complex")
    if parts not in (1, 2):
        raise ShapeError(f"the last axis of {list(x.shape)} must be 1 (real) or 2 (complex)")
    if onesided and not inverse and dims.equal(n, length) and _has_stages(x, length, weights):
        assert isinstance(length, int)
        lead = x.shape[:-2]
        y = x.reshape((1, dims.product(lead) * length, 1))
        return _spectra(y, length, length, weights).reshape((*lead, bins, 2))
    if not isinstance(length, int) or length > _matrix_limit(length):
        y = x if weights is None else x * weights.reshape((n, 1))
        attrs = {"length": length, "bins": bins, "inverse": inverse, "real": real}
        return make("fft", (y,), attrs, x.dtype, (*x.shape[:-2], bins, 1 if real else 2))
    kept = dims.minimum(n, used)
    y = x.slice((0,) * x.rank, (*x.shape[:-2], kept, parts))
    matrix = const(_matrix(length, parts, inverse, onesided).astype(x.dtype.numpy))
    matrix = matrix.slice((0, 0, 0), (kept, parts, matrix.shape[-1]))
    if weights is not None:
        matrix = matrix * weights.reshape((n, 1, 1))
    depth = kept * parts
    z = y.reshape((*x.shape[:-2], depth)) if x.rank > 2 else y.reshape((1, depth))
    z = z.dot(matrix.reshape((depth, matrix.shape[-1])), exact=True)
    return z.reshape((*x.shape[:-2], bins, 1 if real else 2))


def _matrix(length: int, parts: int, inverse: bool, onesided: bool) -> Array:
    """[samples, real and imaginary part of a sample, real and imaginary parts of all bins]."""
    real = inverse and onesided
    half = length // 2 + 1
    samples, bins = half if real else length, half if onesided and not inverse else length
    turn = np.outer(np.arange(samples), np.arange(bins)) % length * (2 * np.pi / length)
    cos, sin = np.cos(turn), np.sin(turn) * (1 if inverse else -1)
    matrix = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)
    if real:
        mirrored = np.where((np.arange(samples) > 0) & (np.arange(samples) * 2 != length), 2.0, 1.0)
        matrix = matrix[..., :1] * mirrored[:, None, None, None]
    if inverse:
        matrix = matrix / length
    return matrix[:, :parts].reshape((samples, parts, -1))


@op("STFT", since=17)
def stft(
    signal: Value,
    frame_step: Value,
    window: Value | None = None,
    frame_length: Value | None = None,
    *,
    onesided: int = 1,
) -> Value:
    """[batch, frames, bins, 2]: the transforms of windows of a signal[batch, n] or [batch, n, 1 or 2]."""
    if signal.rank not in (2, 3):
        raise ShapeError(f"a signal of shape {list(signal.shape)} must be [batch, n] or [batch, n, 1 or 2]")
    signal = signal.reshape((*signal.shape[:2], 1)) if signal.rank == 2 else signal
    step = integer(frame_step, "the step")
    if step < 1:
        raise ShapeError(f"the step between frames is {step}; it must be positive")
    length: Dim = signal.shape[1] if window is None else window.shape[0]
    if frame_length is not None:
        length = integer(frame_length, "the frame length")
    if not isinstance(length, int):
        raise needs_size(length, "the length of a frame")
    if length < 1 or (window is not None and dims.equal(window.size, length) is False):
        raise ShapeError(f"frames of length {length} do not fit a window of shape {window and window.shape}")
    if dims.at_least(signal.shape[1], length) is False:
        raise ShapeError(f"a signal of length {signal.shape[1]} is shorter than one frame of {length}")
    if onesided and _has_stages(signal, length, window):
        return _spectra(signal, length, step, window)
    frames = signal.window((1,), (length,), (step,), (1,)).transpose(0, 1, 3, 2)
    return spectrum(frames, length, False, bool(onesided), window)


def _has_stages(x: Value, length: Dim, window: Value | None) -> bool:
    """Whether frames of x[..., n, 1 or 2] are transformed by stages."""
    is_known = window is None or window.data is not None
    return (
        x.dtype is dt.F32 and x.shape[-1] == 1 and is_known and isinstance(length, int) and is_smooth(length)
    )


def _spectra(signal: Value, length: int, step: int, window: Value | None) -> Value:
    """[batch, frames, bins, 2] of frames of signal[batch, n, 1]."""
    batch, count, _ = signal.shape
    weights = const(np.ones(length, np.float32)) if window is None else window
    frames = dims.floordiv(count - length, step) + 1
    operands = signal.reshape((batch, count)), weights.reshape((length,))
    shape = (batch, 2, length // 2 + 1, frames)
    return make("spectra", operands, {"step": step}, signal.dtype, shape).transpose(0, 3, 2, 1)


WINDOWS: dict[str, tuple[float, ...]] = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -21 / 46),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}
"""The cosine terms of each window."""


def _window(terms: tuple[float, ...]) -> Callable[..., Value]:
    def build(count: Value, *, periodic: int = 1, output_datatype: int = 1) -> Value:
        return cosine_window(
            size(count, "the size"), terms, bool(periodic), element_type(output_datatype, "output_datatype")
        )

    return build


def cosine_window(n: Dim, terms: tuple[float, ...], periodic: bool, dtype: DType) -> Value:
    """The sum of terms[j] * cos(2 pi j i / n) for i below n; the period is n - 1 unless periodic."""
    turn = iota((n,), 0, dt.F64) * (2 * np.pi) / dim_value(n if periodic else n - 1, dt.F64)
    total = scalar(terms[0], dt.F64).broadcast((n,))
    for order, factor in enumerate(terms[1:], 1):
        total = total + (turn * order).unary("cos") * factor
    return total.cast(dtype)


for _name, _terms in WINDOWS.items():
    op(_name, since=17)(_window(_terms))


@op("MelWeightMatrix", since=17)
def mel_weight_matrix(
    num_mel_bins: Value,
    dft_length: Value,
    sample_rate: Value,
    lower_edge_hertz: Value,
    upper_edge_hertz: Value,
    *,
    output_datatype: int = 1,
) -> Value:
    """[spectrogram bins, mel bins]: triangles evenly spaced in mel(f) = 2595 * log10(1 + f / 700)."""
    for value in (lower_edge_hertz, upper_edge_hertz):
        if value.data is None:
            raise needs_content(value, "an edge")
    bins, length, rate = (integer(v, "a size") for v in (num_mel_bins, dft_length, sample_rate))
    low, high = (
        2595 * np.log10(1 + float(v.data.reshape(())) / 700)
        for v in (lower_edge_hertz, upper_edge_hertz)
        if v.data is not None
    )
    mel = low + np.arange(bins + 2) * ((high - low) / (bins + 2))
    edges = ((length + 1) * (700 * (10 ** (mel / 2595) - 1)) // rate).astype(np.int64)
    place = np.arange(length // 2 + 1)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    with np.errstate(all="ignore"):
        rising = np.where((place >= left) & (place <= centre), (place - left) / (centre - left), 0)
        rising = np.where(left == centre, place == centre, rising)
        falling = (right - place) / (right - centre)
    bank = np.where((place >= centre) & (place < right), falling, rising)
    return const(bank.astype(element_type(output_datatype, "output_datatype").numpy))
