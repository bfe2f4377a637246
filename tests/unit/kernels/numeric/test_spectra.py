"""Native spectra of frames against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base.target import Target
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, const, make
from sardonyx.kernels.numeric.spectra import spectra_calls
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.called import calls_of
from tests.unit.kernels.compiled import Array, graph_of, native, natives, program_of, reference
from tests.unit.kernels.native import guarded

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
CASES = [(1, 0, 7), (1, 1, 1), (3, 45, 2), (2, 300, 9), (2, 31, 50)]
LENGTHS = (64, 96, 128, 160, 256, 320, 400, 480, 512, 720, 3600, 4096)


def spectra(x: Value, window: Array, step: int) -> Value:
    """The spectra of all frames of x[lines, n]."""
    length = len(window)
    frames = dims.floordiv(x.shape[1] - length, step) + 1
    shape = (x.shape[0], 2, length // 2 + 1, frames)
    return make("spectra", (x, const(window)), {"step": step}, x.dtype, shape)


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@TARGETS
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("lines", "more", "step"), CASES)
def test_frames(target: Target, length: int, lines: int, more: int, step: int) -> None:
    x, window = drawn(lines, length + more), drawn(length)

    def build(v: Value) -> list[Value]:
        return [spectra(v, window, step)]

    (expected,) = reference(build, [x])
    frames = np.lib.stride_tricks.sliding_window_view(x, length, -1)[:, ::step] * window.astype(np.float64)
    exact = np.fft.rfft(frames).swapaxes(1, 2)
    np.testing.assert_allclose(expected, np.stack([exact.real, exact.imag], 1), atol=1e-5 * length)
    first, *others = (y for (y,) in natives(graph_of(build, [x]), target, [guarded(x)], (1, 2, 3)))
    size = np.sqrt(np.mean(expected**2))
    assert np.sqrt(np.mean((first - expected) ** 2)) < 2e-7 * size
    assert_close(first, expected.astype(np.float32), length)
    assert all(np.array_equal(first, y) for y in others)


@TARGETS
def test_numbers_stay_in_their_frames(target: Target) -> None:
    x = drawn(2, 64 + 20 * 64)
    clean = x.copy()
    x[1, 64 * 3 + 5], x[0, 64 * 7] = np.nan, np.inf
    (y,), (expected,) = (
        native(graph_of(lambda v: [spectra(v, drawn(64), 64)], [a]), target, [guarded(a)]) for a in (x, clean)
    )
    assert np.isnan(y[1, :, 1:-1, 3]).all()
    assert not np.isfinite(y[0, 0, :, 7]).any()
    y[1, ..., 3] = expected[1, ..., 3]
    y[0, ..., 7] = expected[0, ..., 7]
    assert np.array_equal(y, expected)


@TARGETS
def test_any_number_of_lines_and_frames(target: Target) -> None:
    lines, count = dims.symbol("lines"), dims.symbol("count", 64)
    graph = graph_of(lambda v: [spectra(v, drawn(64), 16)], [drawn(1, 64)], sizes=[(lines, count)])
    program = program_of(graph, target, 2)
    for shape in ((0, 64), (1, 64), (2, 80), (1, 1000)):
        x = drawn(*shape)
        (y,) = program.run([guarded(x)], range(1))
        (expected,) = reference(lambda v: [spectra(v, drawn(64), 16)], [x]) if shape[0] else (y,)
        assert y.shape == (shape[0], 2, 33, (shape[1] - 64) // 16 + 1)
        assert np.abs(y - expected).max(initial=0) < 1e-4


@TARGETS
def test_signals_shorter_than_a_frame_are_refused(target: Target) -> None:
    count = dims.symbol("count")
    graph = graph_of(lambda v: [spectra(v, drawn(64), 16)], [drawn(1, 64)], sizes=[(1, count)])
    with pytest.raises(ShapeError, match="shorter than a frame"):
        program_of(graph, target).run([drawn(1, 60)], range(1))


def test_a_call_says_what_it_does() -> None:
    (call,) = calls_of(spectra_calls, lambda v: [spectra(v, drawn(256), 128)], [drawn(3, 512)])
    assert call.plan == "3 frames of 256"
    assert call.symbol == "sdx_spectra_256"
