"""Convolutions of single channels in bytes: exact sums on guarded memory, and what keeps them fast."""

from __future__ import annotations

import ctypes
import re
from functools import cache

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Conv
from sardonyx.kernels.convolution.taps import TOGETHER, Taps, pack_taps
from sardonyx.kernels.library import library_ir, single_ir
from sardonyx.kernels.scratch import convolution_bytes
from sardonyx.object import executor
from sardonyx.passes.narrow import BYTES_ANYWHERE
from sardonyx.runtime.image import LoadedImage
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.convolution.test_conv import Case, new_output, output_words, store_tile, unblocked
from tests.unit.kernels.convolution.test_integers import blocked
from tests.unit.kernels.native import Array, Epilogue, execute, finish_words, guarded, strides
from tests.unit.kernels.product.test_contract import innermost_loops
from tests.unit.objects import assembled, compiled, compiled_alone, loaded

TARGET = isa.with_features(isa.V4, ["avx512vnni", BYTES_ANYWHERE])
HERE = pytest.mark.skipif(
    not set(TARGET.features) <= set(targets.detect().features), reason=f"needs {BYTES_ANYWHERE}"
)
CASES = (
    Case(16, 16, (5, 8), group=16, pad=1),
    Case(40, 40, (6, 30), stride=(2, 2), group=40, pad=1, images=2),
    Case(24, 24, (9, 15), kernel=(5, 5), group=24, pad=2),
    Case(32, 32, (7, 9), kernel=(5, 5), stride=(2, 2), group=32, pad=2),
    Case(16, 16, (3, 3), kernel=(3, 1), dilation=(2, 1), group=16, pad=2),
    Case(17, 17, (1, 33), kernel=(1, 4), stride=(1, 2), group=17),
    Case(16, 16, (7, 7), kernel=(7, 7), group=16, pad=3),
    Case(16, 16, (2, 40), kernel=(1, 8), group=16),
    Case(16, 16, (2, 75), group=16, pad=1),
    Case(16, 16, (2, 58), kernel=(1, 2), group=16),
)


def taps_of(case: Case, *, dense: bool = True) -> Taps:
    return Taps(1, case.kernel[1], case.stride[1], dense)


@cache
def image(taps: Taps) -> LoadedImage:
    goal = Goal(TARGET)
    shared = [compiled(text, TARGET) for text in (executor.ir(TARGET), *library_ir(goal, "i8"))]
    return loaded([*shared, compiled_alone(single_ir(taps, goal), TARGET)], TARGET)


def convolved(case: Case, x: Array, w: Array, end: str, threads: int, *, dense: bool = True) -> Array:
    """What the kernel writes; pixels lie apart, and run backwards, if they are not `dense`."""
    taps, data = taps_of(case, dense=dense), blocked(x, case.pad)
    if not dense:
        wide = np.full((*data.shape[:3], 2 * data.shape[3] - 1, 16), 99, np.uint8)
        wide[:, :, :, ::2] = data[:, :, :, ::-1]
        held = guarded(wide)
        data = held[:, :, :, ::-2]
    else:
        data = guarded(data)
    weights = guarded(pack_taps(w, taps, 16), align=64)
    y = guarded(new_output(case, "int32", "blocked", 77))
    at, (lines, pixels) = strides(data), case.extent
    words: dict[int, int] = {Conv.X: data.ctypes.data, Conv.W: weights.ctypes.data, Conv.Y: y.ctypes.data}
    words |= {Conv.BATCH: case.images, Conv.GROUPS: case.group, Conv.LINES: lines, Conv.PIXELS: pixels}
    words |= {Conv.X_BATCH: at[0], Conv.X_CHANNEL: at[1], Conv.TAPS2: case.kernel[0], Conv.X_TAP3: at[3]}
    words |= {Conv.X_LINE: case.stride[0] * at[2], Conv.X_PIXEL: case.stride[1] * at[3]}
    words |= {Conv.X_TAP2: case.dilation[0] * at[2]} | output_words(y, "blocked", "Y")
    callback = Epilogue(lambda *args: store_tile(y, "blocked", "int32", *args))
    if end == "epilogue":
        words[Conv.EPILOGUE] = ctypes.cast(callback, ctypes.c_void_p).value or 0
    if end == "finish":
        words |= finish_words(Conv, "int32", low=-1000, high=1000)
    args = np.zeros(Conv.EPILOGUE_WORDS, np.int64)
    for word, value in words.items():
        args[word] = value
    scratch = guarded(np.zeros(convolution_bytes(), np.uint8), align=64)
    execute(image(taps).address(f"sdx_conv_{taps.name}_i8"), args, scratch, threads)
    whole = unblocked(y, case.outputs)
    assert (whole[:, :, lines:] == 77).all(), "lines beyond Y were written"
    assert (whole[..., pixels:] == 77).all(), "pixels beyond Y were written"
    return whole[:, :, :lines, :pixels]


@HERE
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums(case: Case, rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (case.images, case.channels, *case.size)).astype(np.uint8)
    w = rng.integers(-128, 128, (case.outputs, 1, *case.kernel)).astype(np.int8)
    expected = case.exact(x, w).astype(np.int32)
    for end, threads in (("store", 1), ("epilogue", 3), ("finish", 2)):
        meant = expected.clip(-1000, 1000) if end == "finish" else expected
        assert np.array_equal(convolved(case, x, w, end, threads), meant), end


@HERE
def test_pixels_may_lie_apart(rng: np.random.Generator) -> None:
    case = CASES[0]
    x = rng.integers(0, 256, (1, 16, *case.size)).astype(np.uint8)
    w = rng.integers(-128, 128, (16, 1, 3, 3)).astype(np.int8)
    assert np.array_equal(convolved(case, x, w, "store", 1, dense=False), case.exact(x, w).astype(np.int32))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("columns", range(1, 9))
def test_each_tap_of_each_window_counts_once(columns: int, stride: int) -> None:
    taps = Taps(1, columns, stride, dense=True)
    w = np.arange(1, columns + 1, dtype=np.int8).reshape(1, 1, 1, columns)
    vectors = pack_taps(w, taps, 16)[0, 0, :, 0]
    found = np.zeros((7, 6 * stride + columns + TOGETHER), np.int64)
    for first, uses in taps.uses(7):
        for window, number in uses:
            found[window, first : first + TOGETHER] += vectors[number]
    for window in range(7):
        begin = window * stride
        assert found[window, begin : begin + columns].tolist() == w.ravel().tolist()
        assert found[window].sum() == w.sum()


@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_a_step_is_one_load_and_one_shuffle(case: Case) -> None:
    taps = taps_of(case)
    loops = innermost_loops(assembled(single_ir(taps, Goal(TARGET)), TARGET))
    found = [loop for loop in loops if any("vpdpbusd" in line for line in loop)]
    assert len(found) == len({8, 7, 4, 2, 1})
    for width in (8, 7, 4, 2, 1):
        steps = list(taps.uses(width))
        shuffles, products = len(steps), sum(len(uses) for _, uses in steps)
        counts = [
            tuple(sum(name in line for line in loop) for name in ("vpermb", "vpdpbusd")) for loop in found
        ]
        assert (shuffles, products) in counts
    assert not any("rsp" in line and re.search("zmm", line) for loop in found for line in loop)
