"""Convolutions of groups with few channels against float64, on guarded memory, and what keeps them fast."""

from __future__ import annotations

import ctypes
import re
from functools import cache, reduce

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.run import run
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.grouped import Few
from sardonyx.kernels.convolution.pack import pack_grouped_weights
from sardonyx.kernels.library import grouped_ir
from sardonyx.kernels.scratch import convolution_bytes
from sardonyx.passes import PIPELINE
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close
from tests.unit.kernels.compiled import native
from tests.unit.kernels.convolution.test_conv import (
    Case,
    blocked,
    new_output,
    output_words,
    store_tile,
    unblocked,
)
from tests.unit.kernels.native import Array, Epilogue, execute, finish_words, guarded, strides
from tests.unit.objects import assembled, compiled_alone, contractions, loaded
from tests.unit.passes.graphs import parse

TARGETS = pytest.mark.parametrize("target", runnable_targets(), ids=lambda t: t.name)
CASES = (
    Case(16, 16, (5, 8), group=4, pad=1),
    Case(32, 32, (6, 7), group=4, pad=1, images=2),
    Case(40, 40, (4, 30), group=10, pad=1),
    Case(24, 24, (9, 9), kernel=(5, 5), group=12, pad=2),
    Case(48, 48, (15, 23), stride=(2, 2), group=6, pad=1),
    Case(16, 16, (3, 3), kernel=(3, 1), dilation=(2, 1), group=4, pad=2),
    Case(16, 16, (1, 33), kernel=(1, 4), stride=(1, 2), group=4),
    Case(32, 32, (2, 3), kernel=(1, 1), group=8),
    Case(16, 16, (1, 58), kernel=(1, 2), group=4),
)


@cache
def image(target: Target, few: Few) -> LoadedImage:
    goal = Goal(target)
    return loaded([*contractions(goal), compiled_alone(grouped_ir(few, goal), target)], target)


def convolved(case: Case, x: Array, w: Array, target: Target, end: str, threads: int) -> tuple[Array, Array]:
    """What the kernel writes, and the exact result with the same end."""
    few = Few(case.channels // case.group, case.kernel[1], case.stride[1])
    data = guarded(blocked(x, case.pad))
    weights = guarded(pack_grouped_weights(w, Goal(target)), align=64)
    y = guarded(new_output(case, "float32", "blocked", np.nan))
    lines, pixels = case.extent
    at = strides(data)
    words: dict[int, int] = {Conv.X: data.ctypes.data, Conv.W: weights.ctypes.data, Conv.Y: y.ctypes.data}
    words |= {Conv.BATCH: case.images, Conv.GROUPS: case.group, Conv.LINES: lines, Conv.PIXELS: pixels}
    words |= {Conv.X_BATCH: at[0], Conv.X_CHANNEL: at[1], Conv.TAPS2: case.kernel[0]}
    words |= {Conv.X_LINE: case.stride[0] * at[2], Conv.X_PIXEL: case.stride[1] * 16}
    words |= {Conv.X_TAP2: case.dilation[0] * at[2]} | output_words(y, "blocked", "Y")
    expected = case.exact(x, w)
    rng = np.random.default_rng(0)
    residual = rng.standard_normal(y.shape).astype(np.float32)
    bias = guarded(rng.standard_normal(y.shape[1] * 16).astype(np.float32))
    if end == "finish":
        words |= finish_words(Conv, "float32", low=-1.0) | output_words(residual, "blocked", "R")
        words |= {Conv.BIAS: bias.ctypes.data, Conv.RESIDUAL: residual.ctypes.data}
        expected += bias[: case.outputs, None, None]
        expected = np.maximum(expected + unblocked(residual, case.outputs)[:, :, :lines, :pixels], -1)
    callback = Epilogue(lambda *args: store_tile(y, "blocked", "float32", *args))
    if end == "epilogue":
        words[Conv.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
    args = np.zeros(Conv.EPILOGUE_WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    scratch = guarded(np.zeros(convolution_bytes(), np.uint8), align=64)
    execute(image(target, few).address(f"sdx_conv_{few.name}_f32"), args, scratch, threads)
    whole = unblocked(y, case.outputs)
    assert np.isnan(whole[:, :, lines:]).all(), "lines beyond Y were written"
    assert np.isnan(whole[..., pixels:]).all(), "pixels beyond Y were written"
    return whole[:, :, :lines, :pixels], expected


@TARGETS
@pytest.mark.parametrize(
    ("end", "threads"),
    [
        *(("store", 1), ("finish", 3), ("epilogue", 3)),
        *(
            pytest.param(*way, marks=pytest.mark.slow)
            for way in (("store", 3), ("finish", 1), ("epilogue", 1))
        ),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums(case: Case, target: Target, end: str, threads: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((case.images, case.channels, *case.size)).astype(np.float32)
    w = rng.standard_normal((case.outputs, case.channels // case.group, *case.kernel)).astype(np.float32)
    found, expected = convolved(case, x, w, target, end, threads)
    assert_close(found, expected.astype(np.float32), case.length)


@TARGETS
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_group_hears_nothing_of_the_others(target: Target, bad: float, rng: np.random.Generator) -> None:
    case = CASES[0]
    x = rng.standard_normal((1, 16, *case.size)).astype(np.float32)
    w = rng.standard_normal((16, 4, 3, 3)).astype(np.float32)
    x[0, 5] = bad
    with np.errstate(invalid="ignore"):
        found, _ = convolved(case, x, w, target, "store", 1)
    finite = np.isfinite(found).all(axis=(0, 2, 3))
    assert finite.tolist() == [not 4 <= channel < 8 for channel in range(16)]


@TARGETS
@pytest.mark.parametrize(
    ("channels", "per", "size", "step"),
    [(32, 4, 9, 1), (40, 8, 7, 2), (24, 2, 5, 1), (48, 16, 6, 1), (12, 3, 6, 1)],
)
def test_graphs(
    channels: int, per: int, size: int, step: int, target: Target, rng: np.random.Generator
) -> None:
    shape = (2, channels, size, size)
    graph = parse(
        f"g (float[2,{channels},{size},{size}] x) => (float[2,{channels},P,Q] y)"
        f" {{ c = Conv <group = {channels // per}, pads = [1,1,1,1], strides = [{step},{step}]> (x, w, b)"
        " r = Relu(c) d = Conv(r, v) t = Tanh(d)"
        f" y = Conv <group = {channels // per}, pads = [1,1,1,1], dilations = [1,1]> (t, w, b) }}",
        w=rng.standard_normal((channels, per, 3, 3)).astype(np.float32),
        v=(rng.standard_normal((channels, channels, 1, 1)) / 9).astype(np.float32),
        b=rng.standard_normal(channels).astype(np.float32),
    )
    feed = rng.standard_normal(shape).astype(np.float32)
    changed = reduce(lambda g, change: change(g, Goal(target)), PIPELINE, graph)
    for one, other in zip(native(changed, target, [feed]), run(graph, [feed]), strict=True):
        assert_close(one, other, 9 * channels)


@pytest.mark.parametrize("level", isa.TARGETS, ids=lambda level: level.name)
@pytest.mark.parametrize(
    "few",
    [
        *(Few(8, 5, 2), Few(4, 3, 1)),
        *(pytest.param(few, marks=pytest.mark.slow) for few in (Few(8, 3, 1), Few(4, 3, 2))),
    ],
    ids=str,
)
def test_inner_loops_keep_everything_in_registers(few: Few, level: Target) -> None:
    text = assembled(grouped_ir(few, Goal(level)), level)
    body = text[text.index(f"\n{few.name}_lines_f32:") :]
    loops = 0
    for block in re.split(r"\n(?=\.LBB\d+_\d+:)", body):
        label = re.escape(block.partition(":")[0])
        products = block.count("vfmadd")
        if products and re.search(rf"\tj\w+\t{label}\b", block):
            loops += 1
            assert not [line for line in block.splitlines() if "rsp" in line and "mm" in line]
            assert products % (few.channels * few.columns) == 0, "each tap of each channel once for a pixel"
    assert loops == 5 * 16 // level.lanes, "one for each width of a tile and vector of a block"
