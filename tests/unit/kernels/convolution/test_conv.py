"""Convolutions against float64 numpy, on guarded memory."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch, Target
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.driver import define_conv
from sardonyx.kernels.convolution.pack import pack_conv_weights, pack_plain_weights
from sardonyx.kernels.convolution.parts import run_table
from sardonyx.passes.blocked import runs_of
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.native import (
    SUFFIXES,
    Array,
    Epilogue,
    finish_words,
    guarded,
    run,
    strides,
    tile_view,
)
from tests.unit.kernels.traced import FAR_ROWS_TOO, FETCHES, ROWS_TOO, Trace

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
DTYPES = pytest.mark.parametrize("dtype", sorted(SUFFIXES))
LAYOUTS = pytest.mark.parametrize(
    "layouts", ["blocked blocked", "blocked plain", "plain blocked", "plain plain", "blocked turned"]
)


@dataclass(frozen=True)
class Case:
    """One convolution; sizes are (height, width)."""

    channels: int
    outputs: int
    size: tuple[int, int]
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: int = 0
    group: int = 1
    images: int = 1

    @property
    def extent(self) -> tuple[int, int]:
        """(output lines, output pixels)."""
        zipped = zip(self.size, self.kernel, self.stride, self.dilation, strict=True)
        lines, pixels = (((s + 2 * self.pad - d * (k - 1) - 1) // t + 1) for s, k, t, d in zipped)
        return lines, pixels

    @property
    def length(self) -> int:
        """Terms of one sum."""
        return self.channels // self.group * self.kernel[0] * self.kernel[1]

    def exact(self, x: Array, w: Array) -> Array:
        """The result in float64."""
        lines, pixels = self.extent
        x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (self.pad,) * 2, (self.pad,) * 2])
        per, out = self.channels // self.group, self.outputs // self.group
        y = np.zeros((self.images, self.outputs, lines, pixels))
        for g in range(self.group):
            for r in range(self.kernel[0]):
                for s in range(self.kernel[1]):
                    top, left = r * self.dilation[0], s * self.dilation[1]
                    rows = slice(top, top + self.stride[0] * (lines - 1) + 1, self.stride[0])
                    columns = slice(left, left + self.stride[1] * (pixels - 1) + 1, self.stride[1])
                    part = x[:, g * per : (g + 1) * per, rows, columns]
                    weights = w[g * out : (g + 1) * out, :, r, s].astype(np.float64)
                    y[:, g * out : (g + 1) * out] += np.einsum("nchw,oc->nohw", part, weights)
        return y


PLAIN = {"blocked": 0, "plain": 1, "turned": 2}
CASES = (
    Case(16, 32, (7, 7), pad=1),
    Case(24, 40, (7, 7), pad=1),
    Case(3, 17, (9, 30), pad=1, images=2),
    Case(40, 16, (5, 9), kernel=(1, 1)),
    Case(32, 48, (15, 19), stride=(2, 2), pad=1),
    Case(20, 33, (12, 30), kernel=(2, 3), stride=(1, 2), dilation=(2, 3), pad=1),
    Case(64, 96, (6, 9), group=2, pad=1),
    Case(16, 16, (6, 29), group=4, pad=1, images=2),
    Case(32, 40, (1, 1), kernel=(1, 1)),
    Case(32, 40, (1, 4), kernel=(1, 2)),
    Case(16, 40, (3, 1), kernel=(1, 1), images=3),
    Case(300, 40, (4, 5), pad=1),
    Case(36, 60, (5, 8), kernel=(1, 1), group=3),
    Case(27, 120, (4, 17), group=3, pad=1),
)


def blocked(x: Array, pad: int) -> Array:
    """x[N, C, H, W] in 16-channel blocks with a halo of zeros; lanes without a channel are NaN or large."""
    n, c, h, w = x.shape
    unused = np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    whole = np.full((n, -(-c // 16) * 16, h + 2 * pad, w + 2 * pad), unused, x.dtype)
    whole[:, :c] = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    return np.ascontiguousarray(whole.reshape(n, -(-c // 16), 16, *whole.shape[2:]).transpose(0, 1, 3, 4, 2))


def unblocked(y: Array, channels: int) -> Array:
    """The plain form of y[N, C/16, H, W, 16]."""
    n, blocks, h, w, _ = y.shape
    return y.transpose(0, 1, 4, 2, 3).reshape(n, blocks * 16, h, w)[:, :channels]


def input_words(
    case: Case, x: Array, w: Array, target: Target, layout: str
) -> tuple[dict[int, int], list[Array]]:
    kh, kw = case.kernel
    halo = [(0, 0), (0, 0), (case.pad,) * 2, (case.pad,) * 2]
    if layout == "blocked":
        data, weights = guarded(blocked(x, case.pad)), pack_conv_weights(w, case.group, Goal(target))
        step, steps, taps = 16, 0, (1, kh, kw)
    else:
        data, weights = guarded(np.pad(x, halo)), pack_plain_weights(w, case.group, Goal(target))
        step, steps, taps = (1, kw, (1, kh, 1)) if case.dilation[1] == 1 else (1, 1, (1, kh, kw))
    weights = guarded(weights, align=64)
    at = strides(data)
    words = {
        Conv.X: data.ctypes.data,
        Conv.W: weights.ctypes.data,
        Conv.CHANNELS_IN: case.channels // case.group,
        Conv.STEPS: steps,
        Conv.X_BATCH: at[0],
        Conv.X_CHANNEL: at[1],
        Conv.X_LINE: case.stride[0] * at[2],
        Conv.X_PIXEL: case.stride[1] * step,
        Conv.X_TAP2: case.dilation[0] * at[2],
        Conv.X_TAP3: case.dilation[1] * step,
    }
    return words | {Conv.TAPS1 + i: t for i, t in enumerate(taps)}, [data, weights]


def image_words(case: Case, data: Array, known: str) -> dict[int, int]:
    """What a call is told of the image; zeros beside `lines` or `pixels` must not be read, and are NaN."""
    if not known:
        return {}
    axes = (Conv.ABOVE, Conv.HEIGHT, Conv.LINE_STEP), (Conv.BEFORE, Conv.WIDTH, Conv.PIXEL_STEP)
    words = {Conv.TAP_LINES: case.dilation[0], Conv.TAP_PIXELS: case.dilation[1]}
    for names, size, step in zip(axes, case.size, case.stride, strict=True):
        words |= dict(zip(names, (case.pad, size, step), strict=True))
    if known in ("lines", "pixels"):
        image = np.moveaxis(data, 3 if known == "pixels" else 2, 0)
        image[: case.pad] = image[len(image) - case.pad :] = np.nan
    return words | {Conv.ALONE: int(known == "lines")}


def output_words(array: Array, layout: str, letter: str) -> dict[int, int]:
    """The strides of Y or of the residual, which may be larger than the result."""
    at = strides(array)
    names = (
        ("BATCH", "BLOCK", "LINE", "PIXEL") if layout == "blocked" else ("BATCH", "CHANNEL", "LINE", "PIXEL")
    )
    return {Conv[f"{letter}_{name}"]: s for name, s in zip(names, at, strict=False)}


def new_output(case: Case, dtype: str, layout: str, fill: float) -> Array:
    lines, pixels = case.extent
    if layout == "blocked":
        return np.full((case.images, -(-case.outputs // 16), lines + 1, pixels + 1, 16), fill, dtype)
    return np.full((case.images, case.outputs, lines + 1, pixels + 1), fill, dtype)


def check(
    rng: np.random.Generator,
    case: Case,
    target: Target,
    dtype: str,
    layouts: str,
    end: str,
    threads: int,
    known: str = "",
) -> None:
    in_layout, out_layout = layouts.split()
    per = case.channels // case.group
    x = rng.standard_normal((case.images, case.channels, *case.size)).astype(dtype)
    w = rng.standard_normal((case.outputs, per, *case.kernel)).astype(dtype)
    words, alive = input_words(case, x, w, target, in_layout)
    words |= image_words(case, alive[0], known)
    y = guarded(new_output(case, dtype, out_layout, np.nan))
    lines, pixels = case.extent
    words |= {Conv.Y: y.ctypes.data, Conv.BATCH: case.images, Conv.GROUPS: case.group, Conv.LINES: lines}
    words |= {
        Conv.CHANNELS: case.outputs // case.group,
        Conv.GROUP_PITCH: case.outputs // case.group,
        Conv.PIXELS: pixels,
        Conv.PLAIN: PLAIN[out_layout],
    }
    words |= output_words(y, out_layout, "Y")
    expected = case.exact(x, w)
    if end == "finish":
        residual = rng.standard_normal(new_output(case, dtype, out_layout, 0).shape).astype(dtype)
        bias = guarded(rng.standard_normal(-(-case.outputs // 16) * 16).astype(dtype))
        words |= finish_words(Conv, dtype) | output_words(residual, out_layout, "R")
        words |= {Conv.BIAS: bias.ctypes.data, Conv.RESIDUAL: residual.ctypes.data}
        plain = unblocked(residual, case.outputs) if out_layout == "blocked" else residual
        expected += bias[: case.outputs, None, None] + plain[:, :, :lines, :pixels]
    callback = Epilogue(lambda *args: store_tile(y, out_layout, dtype, *args))
    if end == "epilogue":
        words[Conv.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
    run("sdx_conv", target, dtype, words, Conv.EPILOGUE_WORDS, threads)
    assert alive
    result = unblocked(y, case.outputs) if out_layout == "blocked" else y
    assert np.isnan(result[:, :, lines:]).all(), "lines beyond Y were written"
    assert np.isnan(result[..., pixels:]).all(), "pixels beyond Y were written"
    assert_close(result[:, :, :lines, :pixels], expected.astype(dtype), case.length)


def store_tile(
    y: Array, layout: str, dtype: str, tile: int, pitch: int, own: int, coords: int, rows: int, columns: int
) -> None:
    values = tile_view(tile, pitch, rows, columns, dtype)
    if layout == "blocked":
        image, block, line, pixel, lane = (ctypes.c_int64 * 5).from_address(coords)
        y[image, block, line, pixel : pixel + rows, lane : lane + columns] = values
    elif layout == "turned":
        image, line, channel, pixel = (ctypes.c_int64 * 4).from_address(coords)
        y[image, channel : channel + rows, line, pixel : pixel + columns] = values
    else:
        image, line, pixel, channel = (ctypes.c_int64 * 4).from_address(coords)
        y[image, channel : channel + columns, line, pixel : pixel + rows] = values.T


@TARGETS
@DTYPES
@LAYOUTS
@pytest.mark.parametrize("end", ["store", "finish", "epilogue"])
def test_dense_convolutions(
    target: Target, dtype: str, layouts: str, end: str, rng: np.random.Generator
) -> None:
    for case in CASES:
        check(rng, case, target, dtype, layouts, end, threads=1)


@TARGETS
@LAYOUTS
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads(target: Target, layouts: str, threads: int, rng: np.random.Generator) -> None:
    for case in CASES:
        check(rng, case, target, "float32", layouts, "store", threads)


@TARGETS
@LAYOUTS
def test_groups_of_any_size(target: Target, layouts: str, rng: np.random.Generator) -> None:
    for channels, outputs, group in (
        (9, 15, 3),
        (10, 10, 5),
        (6, 36, 2),
        (7, 7, 7),
        (60, 240, 3),
        (90, 50, 2),
    ):
        case = Case(channels, outputs, (8, 21), pad=1, group=group, images=2)
        check(rng, case, target, "float32", layouts, "store", threads=2)


@TARGETS
@pytest.mark.parametrize("per", [17, 20, 25, 32])
def test_groups_may_begin_at_whole_blocks(target: Target, per: int, rng: np.random.Generator) -> None:
    case = Case(32, 2 * per, (5, 9), kernel=(1, 1), group=2)
    x = rng.standard_normal((1, 32, 5, 9)).astype(np.float32)
    w = rng.standard_normal((2 * per, 16, 1, 1)).astype(np.float32)
    words, alive = input_words(case, x, w, target, "blocked")
    y = guarded(np.full((1, 4, 5, 9, 16), np.nan, np.float32))
    words |= {Conv.Y: y.ctypes.data, Conv.BATCH: 1, Conv.GROUPS: 2, Conv.LINES: 5, Conv.PIXELS: 9}
    words |= {Conv.CHANNELS: per, Conv.GROUP_PITCH: 32} | output_words(y, "blocked", "Y")
    run("sdx_conv", target, "float32", words, Conv.EPILOGUE_WORDS)
    assert alive
    got = unblocked(y, 64).reshape(2, 32, 5, 9)[:, :per].reshape(1, 2 * per, 5, 9)
    assert_close(got, case.exact(x, w).astype(np.float32), case.length)


@TARGETS
@LAYOUTS
def test_every_line_length(target: Target, layouts: str, rng: np.random.Generator) -> None:
    for width in range(1, 32):
        check(rng, Case(5, 20, (3, width), pad=1), target, "float32", layouts, "finish", threads=1)


FAR = (
    Case(20, 40, (5, 6), pad=1),
    Case(300, 40, (4, 5), kernel=(5, 5), pad=4, dilation=(2, 2)),
    Case(24, 33, (9, 30), pad=12, dilation=(12, 12), images=2),
    Case(40, 16, (7, 19), kernel=(2, 3), stride=(2, 3), dilation=(3, 4), pad=5),
    Case(64, 96, (6, 31), group=2, dilation=(5, 4), pad=6),
    Case(5, 20, (3, 16), kernel=(1, 2), pad=9),
    Case(17, 20, (1, 1), kernel=(7, 7), pad=3),
)
"""Windows with taps, or all taps, beside the image."""


@TARGETS
@DTYPES
@pytest.mark.parametrize("known", ["image", "lines"])
@pytest.mark.parametrize("end", ["store", "finish", "epilogue"])
def test_taps_that_miss_the_image_are_left_out(
    target: Target, dtype: str, known: str, end: str, rng: np.random.Generator
) -> None:
    for case in FAR:
        for threads in (1, 3):
            check(rng, case, target, dtype, "blocked blocked", end, threads, known)


@TARGETS
@pytest.mark.parametrize("width", [1, 2, 7, 8, 14, 20])
def test_pixels_beside_the_image_are_not_read_for_its_middle(
    target: Target, width: int, rng: np.random.Generator
) -> None:
    case = Case(40, 48, (6, width), dilation=(20, 20), pad=20)
    for known in ("lines", "pixels"):
        check(rng, case, target, "float32", "blocked blocked", "finish", 2, known)


@TARGETS
@LAYOUTS
@pytest.mark.parametrize(
    "fetch", [FETCHES[0], ROWS_TOO, FAR_ROWS_TOO], ids=["weights", "rows too", "far rows too"]
)
def test_nothing_is_prefetched_that_is_not_read(
    target: Target, layouts: str, fetch: Prefetch, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = replace(target, l2_bytes=4 << 10 if fetch.far_rows else target.l2_bytes)
    trace = Trace(monkeypatch, target, fetch, define_conv, "f32")
    for case in (*CASES, Case(3, 70, (9, 20), kernel=(5, 5), pad=2)):
        for threads in (1, 2):
            check(rng, case, target, "float32", layouts, "store", threads)
    assert trace.fetched
    assert not trace.wasted


@TARGETS
@pytest.mark.parametrize("fetch", [FETCHES[1], ROWS_TOO], ids=["weights", "rows too"])
def test_what_is_read_is_prefetched(
    target: Target, fetch: Prefetch, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = Trace(monkeypatch, target, fetch, define_conv, "f32")
    for size in ((1, 1), (7, 7), (20, 20)):
        trace.fetched.clear()
        trace.lines.clear()
        check(rng, Case(64, 256, size, pad=1), target, "float32", "blocked blocked", "store", threads=1)
        assert len(trace.fetched) > 0.8 * len(trace.lines)


@TARGETS
def test_rows_are_prefetched_if_they_are_far(
    target: Target, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for l2_bytes in (1 << 20, 4 << 10):
        at = replace(target, l2_bytes=l2_bytes)
        trace = Trace(monkeypatch, at, FAR_ROWS_TOO, define_conv, "f32")
        case = Case(96, 16, (20, 20), kernel=(1, 1))
        check(rng, case, at, "float32", "blocked blocked", "store", threads=1)
        counts.append(len(trace.fetched))
    near, far = counts
    rows_of_other_blocks = 5 * 400
    assert far >= near + rows_of_other_blocks


@TARGETS
@DTYPES
@pytest.mark.parametrize("layout", ["blocked", "plain"])
@pytest.mark.parametrize("group", [1, 2, 3])
def test_channels_of_a_group_lie_in_runs(
    target: Target, dtype: str, layout: str, group: int, rng: np.random.Generator
) -> None:
    """Channels of every group are drawn from all over the blocks, and nothing else is read."""
    for kernel, per in (((1, 1), 20), ((3, 2), 37), ((1, 1), 300)):
        case = Case(group * per, group * 24, (5, 9), kernel=kernel, group=group, images=2)
        lies = np.sort(rng.permutation(2 * case.channels)[: case.channels].reshape(group, per), axis=1)
        runs = [[(first, count) for first, count in runs_of(row.tolist(), 16, per)] for row in lies]
        x = rng.standard_normal((2, case.channels, *case.size)).astype(dtype)
        spread = np.full((2, 2 * case.channels, *case.size), np.nan, dtype)
        spread[:, lies.ravel()] = x
        w = rng.standard_normal((case.outputs, per, *kernel)).astype(dtype)
        words, alive = input_words(case, spread, w, target, "blocked")
        counts = [[count for _, count in row] for row in runs]
        weights = guarded(pack_conv_weights(w, group, Goal(target), counts), align=64)
        table = guarded(run_table(runs))
        y = guarded(new_output(case, dtype, layout, 0))
        words |= {Conv.W: weights.ctypes.data, Conv.RUNS: table.ctypes.data, Conv.Y: y.ctypes.data}
        words |= {Conv.MOST_RUNS: max(map(len, runs)), Conv.BATCH: 2, Conv.GROUPS: group, Conv.CHANNELS: 24}
        words |= {Conv.GROUP_PITCH: 24}
        words |= dict(zip((Conv.LINES, Conv.PIXELS), case.extent, strict=True)) | output_words(y, layout, "Y")
        run("sdx_conv", target, dtype, words | {Conv.PLAIN: PLAIN[layout]}, Conv.EPILOGUE_WORDS, 2)
        assert alive
        got = unblocked(y, case.outputs) if layout == "blocked" else y
        lines, pixels = case.extent
        assert_close(got[:, :, :lines, :pixels], case.exact(x, w).astype(dtype), case.length)


@TARGETS
def test_no_output(target: Target, rng: np.random.Generator) -> None:
    check(rng, Case(16, 32, (7, 7), images=0), target, "float32", "blocked blocked", "store", threads=2)


@TARGETS
def test_nan_reaches_only_what_reads_it(target: Target, rng: np.random.Generator) -> None:
    case = Case(20, 40, (8, 9), pad=1)
    x = rng.standard_normal((1, 20, 8, 9)).astype(np.float32)
    w = rng.standard_normal((40, 20, 3, 3)).astype(np.float32)
    x[0, 19, 4, 5] = np.nan
    words, alive = input_words(case, x, w, target, "blocked")
    y = guarded(new_output(case, "float32", "blocked", 0))
    words |= {Conv.Y: y.ctypes.data, Conv.BATCH: 1, Conv.GROUPS: 1, Conv.LINES: 8, Conv.PIXELS: 9}
    words |= (
        {Conv.CHANNELS: 40, Conv.GROUP_PITCH: 40}
        | output_words(y, "blocked", "Y")
        | finish_words(Conv, "float32", 0.0, 6.0)
    )
    run("sdx_conv", target, "float32", words, Conv.EPILOGUE_WORDS)
    assert alive
    touched = np.zeros((8, 9), bool)
    touched[3:6, 4:7] = True
    assert (np.isnan(unblocked(y, 40)[0, :, :8, :9]) == touched).all()


@pytest.mark.parametrize("shape", [(0, 16, 3, 3), (16, 0, 1, 1), (16, 16, 0, 3), (0, 5, 1, 1), (5, 0, 2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_weights_without_elements_are_laid_out(shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    (target, *_) = runnable_targets()
    assert pack_conv_weights(np.zeros(shape, dtype), 1, Goal(target)).size == 0
