"""STFT and DFT of lengths that have stages, and of others, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from tests.tolerance import MATRIX_BOUNDS

RNG = np.random.default_rng(0)


def session(text: str, **constants: Any) -> sardonyx.InferenceSession:
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> {text}')
    proto.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items())
    return sardonyx.InferenceSession(proto.SerializeToString())


def kinds(made: sardonyx.InferenceSession) -> set[str]:
    return {note.kind for note in made.report.kernels}


def parts(spectrum: np.ndarray) -> np.ndarray:
    return np.stack([spectrum.real, spectrum.imag], -1)


@pytest.mark.parametrize(("length", "step"), [(400, 160), (512, 128), (64, 64), (100, 30), (1022, 200)])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_frames_of_a_signal(length: int, step: int, onesided: int, weighted: bool) -> None:
    text = "net (float[B, T, 1] x) => (float[B, F, K, 2] y) "
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    constants: dict[str, Any] = {"step": np.int64(step), "length": np.int64(length), "window": window}
    names = "step, window, length" if weighted else 'step, "", length'
    made = session(f"{text} {{ y = STFT<onesided = {onesided}>(x, {names}) }}", **constants)
    assert ("spectra" in kinds(made)) == (onesided == 1 and length in (400, 512, 64))
    for batch, count in ((1, length), (3, length * 4 + 7)):
        x = RNG.standard_normal((batch, count, 1)).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(x[..., 0].astype(np.float64), length, -1)[:, ::step]
        frames = frames * (window.astype(np.float64) if weighted else 1)
        exact = parts(np.fft.rfft(frames) if onesided else np.fft.fft(frames))
        (y,) = made.run(None, {"x": x})
        np.testing.assert_allclose(y, exact, atol=3e-6 * length)


def test_windows_that_are_fed() -> None:
    text = "net (float[1, T, 1] x, float[256] w) => (float[1, F, K, 2] y) { y = STFT(x, step, w) }"
    made = session(text, step=np.int64(64))
    x, window = (RNG.standard_normal(shape).astype(np.float32) for shape in ((1, 1000, 1), (256,)))
    frames = np.lib.stride_tricks.sliding_window_view(x[..., 0].astype(np.float64), 256, -1)[:, ::64]
    (y,) = made.run(None, {"x": x, "w": window})
    np.testing.assert_allclose(y, parts(np.fft.rfft(frames * window)), atol=1e-3)


@pytest.mark.parametrize("length", [96, 400, 4096, 97])
@pytest.mark.parametrize("axis", [1, 2])
def test_transforms_of_lines(length: int, axis: int) -> None:
    shape = {1: f"N, {length}, 3, 1", 2: f"N, 3, {length}, 1"}[axis]
    text = f"net (float[{shape}] x) => (float[N, a, b, 2] y) {{ y = DFT<onesided = 1>(x, , axis) }}"
    made = session(text.replace(", ,", ', "",'), axis=np.int64(axis))
    assert ("spectra" in kinds(made)) == (length != 97)
    x = RNG.standard_normal([2, *(length if a == axis else 3 for a in (1, 2)), 1]).astype(np.float32)
    (y,) = made.run(None, {"x": x})
    exact = parts(np.fft.rfft(x[..., 0].astype(np.float64), axis=axis))
    np.testing.assert_allclose(y, exact, atol=3e-6 * length)


@pytest.mark.parametrize("length", [16, 60, 250, 300])
def test_products_with_a_matrix_of_turns_keep_what_single_sums_do(length: int) -> None:
    made = session(f"net (float[N, {length}, 2] x) => (float[N, K, 2] y) {{ y = DFT(x) }}")
    x = RNG.standard_normal((40, length, 2)).astype(np.float32)
    exact = parts(np.fft.fft(x[..., 0].astype(np.float64) + 1j * x[..., 1]))
    (y,) = made.run(None, {"x": x})
    assert np.sqrt(np.mean((y - exact) ** 2) / np.mean(exact**2)) < MATRIX_BOUNDS["bf16x6"]
