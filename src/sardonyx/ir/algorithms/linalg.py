"""What the primitives of linear algebra beyond products mean: det, inverse, fft, spectra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sardonyx.ir.obligation import Obligation, Operation, natural, same
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def det(x: Array) -> Array:
    """The determinants of matrices."""
    return np.asarray(np.linalg.det(x.astype(np.float64)), dtype=x.dtype)


def inverse(x: Array) -> Array:
    """The inverses of matrices; NaN where there is none."""
    wide = x.astype(np.float64)
    try:
        return np.asarray(np.linalg.inv(wide), dtype=x.dtype)
    except np.linalg.LinAlgError:
        if wide.ndim == 2:
            return np.full_like(x, np.nan)
        return np.stack([inverse(matrix) for matrix in x])


def fft(x: Array, *, length: int, bins: int, inverse: bool, real: bool) -> Array:
    """The discrete Fourier transform of x[..., n, 1 or 2] over n, cut or zero-padded to `length`.

    Gives [..., bins, 2]; with `real` the signal [..., bins, 1] of a one-sided spectrum.
    """
    wide = x.astype(np.float64)
    signal = wide[..., 0] if x.shape[-1] == 1 else wide[..., 0] + 1j * wide[..., 1]
    if real:
        return np.fft.irfft(signal, length)[..., None].astype(x.dtype)
    spectrum = (np.fft.ifft if inverse else np.fft.fft)(signal, length)[..., :bins]
    return np.stack([spectrum.real, spectrum.imag], -1).astype(x.dtype)


def spectra(x: Array, window: Array, *, step: int) -> Array:
    """[..., real and imaginary part, bin, frame] of the weighted frames of signals x[..., n], one-sided."""
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), len(window), -1)
    found = np.fft.rfft(frames[..., ::step, :] * window).swapaxes(-1, -2)
    return np.stack([found.real, found.imag], -3).astype(x.dtype)


def _long_enough(value: Operation, where: str) -> Iterator[Obligation]:
    x, window = value.args
    yield from natural(x.shape[-1] - window.shape[0], f"{where}: a signal is shorter than a frame")


def _square(value: Operation, where: str) -> Iterator[Obligation]:
    rows, columns = value.args[0].shape[-2:]
    yield from same(rows, columns, f"{where}: the matrices are not square")


register("det", "opaque", det, conditions=_square, dense=True)
register("inverse", "opaque", inverse, conditions=_square, dense=True)
register("fft", "opaque", fft, dense=True)
register("spectra", "opaque", spectra, conditions=_long_enough, constant=(1,), dense=True)
