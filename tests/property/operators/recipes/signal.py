"""Calls of transforms of signals."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula, reference
from tests.property.operators.recipe import Call, Fixed, recipe

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 33, 100)


def pairs(y: Array) -> Array:
    """Complex numbers as pairs of reals."""
    return np.stack([y.real, y.imag], -1)


def complex_of(x: Array) -> Array:
    """Pairs, or reals, as complex numbers."""
    return x[..., 0] + (1j * x[..., 1] if x.shape[-1] == 2 else 0)


@recipe("DFT", types="f32 f64")
def dft(d: Draw) -> Call:
    n, real = d.one_of(*LENGTHS), d.flag()
    lead = d.shape(1, 2, 1, 3)
    place = d.integer(0, len(lead))
    shape = (*lead[:place], n, *lead[place:], 1 if real else 2)
    x = d.within(shape, -3, 3)
    inverse = d.flag() and not real
    onesided = real and d.flag()
    length = d.maybe(d.integer(1, 2 * n))
    axis = place if d.flag() else place - len(shape)

    def judge(x: Array, *_: Any) -> Array:
        signal = complex_of(x)
        y = (np.fft.ifft if inverse else np.fft.fft)(signal, length, place)
        if onesided:
            y = np.take(y, np.arange((length or n) // 2 + 1), place)
        return pairs(y)

    size = None if length is None else Fixed(np.asarray(length, np.int64))
    attributes: dict[str, Any] = {"inverse": int(inverse), "onesided": int(onesided)}
    inputs: list[Any] = [x, size]
    if d.opset < 20:
        attributes["axis"] = place
    else:
        inputs.append(Fixed(np.asarray(axis, np.int64)))
    count = length or n
    return Call(inputs, 1, formula(judge), count, 4.0 * n / (count if inverse else 1), **attributes)


@recipe("STFT", types="f32 f64")
def stft(d: Draw) -> Call:
    frame, step, frames = d.one_of(2, 3, 4, 8, 16, 17), d.integer(1, 9), d.integer(1, 4)
    length, real = frame + step * (frames - 1) + d.integer(0, step - 1), d.flag()
    x = d.within((d.integer(1, 2), length, 1 if real else 2), -3, 3)
    flat = real and d.flag()
    x = x[..., 0] if flat else x
    window = d.maybe(d.within((frame,), 0, 1))
    onesided = int(real and d.flag())
    frame_length = Fixed(np.asarray(frame, np.int64)) if window is None or d.flag() else None

    def judge(x: Array, step: Array, window: Array | None = None, size: Array | None = None) -> Array:
        signal, weights = complex_of(x[..., None] if flat else x), 1.0 if window is None else window
        starts = range(0, length - frame + 1, int(step))
        parts = np.stack([signal[:, at : at + frame] * weights for at in starts], 1)
        y = np.fft.fft(parts, axis=2)
        return pairs(y[:, :, : frame // 2 + 1] if onesided else y)

    inputs = [x, Fixed(np.asarray(step, np.int64)), window, frame_length]
    return Call(inputs, 1, formula(judge), frame, 4.0 * frame, onesided=onesided)


@recipe("MelWeightMatrix", types="i64")
def mel_weight_matrix(d: Draw) -> Call:
    bins, length, rate = d.integer(1, 12), d.one_of(16, 32, 64, 100), d.one_of(8000, 16000)
    low, high = d.one_of(0.0, 50.0), d.one_of(0.5, 0.25) * rate
    inputs = [
        np.asarray(bins, np.int64),
        np.asarray(length, np.int64),
        np.asarray(rate, np.int64),
        np.asarray(low, np.float32),
        np.asarray(high, np.float32),
    ]
    return Call([Fixed(v) for v in inputs], 1, reference, 2)
