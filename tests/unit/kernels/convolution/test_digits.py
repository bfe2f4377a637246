"""Convolutions by digits against float64: any step, width and channels, inf and NaN."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from sardonyx.base.policy import Goal
from sardonyx.kernels.convolution import choose, cost
from sardonyx.kernels.convolution.digits import DigitsBandBlock
from sardonyx.kernels.library import digits_ir, matrix_convolutions_ir
from sardonyx.kernels.winograd import choose as transforming
from sardonyx.llvm.vec import Module
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS, TRANSFORMED_BOUNDS
from tests.unit.kernels.convolution.test_band import check, error, results, target_of

(TILE,) = (tile for tile in isa.V4.matrices if tile.operand == "fixed24")


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sizes are."""
    monkeypatch.setattr(choose, "_GAIN", 0)


@pytest.mark.parametrize(
    ("how", "x_shape", "w_shape"),
    [
        ("strides = [1,2]", (1, 24, 6, 70), (33, 24, 1, 1)),
        ("strides = [2,2]", (1, 130, 13, 13), (40, 130, 1, 1)),
        ("group = 1", (3, 100, 7, 7), (130, 100, 1, 1)),
        ("group = 3", (1, 96, 5, 20), (75, 32, 1, 1)),
        ("group = 1", (1, 128, 40, 40), (40, 128, 1, 1)),
        ("pads = [1,1,1,1]", (2, 72, 15, 13), (72, 72, 3, 3)),
        ("pads = [1,1,1,1], strides = [2,2]", (1, 64, 17, 33), (32, 64, 3, 3)),
        ("pads = [0,3,0,3], dilations = [1,3]", (1, 130, 4, 50), (25, 130, 1, 3)),
        ("group = 2, pads = [1,1,1,1]", (2, 96, 7, 9), (80, 48, 3, 3)),
        ("strides = [3,3]", (1, 33, 7, 9), (24, 33, 2, 2)),
    ],
)
@pytest.mark.parametrize("l2_bytes", [256 << 10, 2 << 20])
def test_convolutions(
    how: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    l2_bytes: int,
    rng: np.random.Generator,
) -> None:
    check(TILE, how, x_shape, w_shape, l2_bytes, rng)


@pytest.mark.parametrize(
    ("how", "x_shape", "w_shape"),
    [
        ("pads = [1,1,1,1]", (2, 72, 7, 7), (72, 72, 3, 3)),
        ("group = 2, pads = [2,1,0,1]", (1, 96, 9, 21), (80, 48, 3, 3)),
        ("pads = [0,2,0,2], dilations = [1,2]", (1, 130, 6, 60), (24, 130, 2, 3)),
        ("group = 1", (1, 40, 9, 17), (40, 40, 3, 1)),
    ],
)
@pytest.mark.parametrize("l2_bytes", [256 << 10, 2 << 20])
def test_lines_that_run_on(
    how: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    l2_bytes: int,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "run_on", lambda *_: True)
    check(TILE, how, x_shape, w_shape, l2_bytes, rng)


@pytest.mark.parametrize("window", [(1, 1), (2, 3)])
def test_infinity_and_nan_reach_the_outputs_that_read_them(
    window: tuple[int, int], rng: np.random.Generator
) -> None:
    text = "g (float[1,80,8,20] x) => (float[n,c,h,w] y) { y = Conv(x, v) }"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in ((1, 80, 8, 20), (32, 80, *window)))
    v[5, 3] = 0
    x[0, 3, 2, 5], x[0, 20, 6, 15], x[0, 79, 7, 19] = np.inf, np.nan, -np.inf
    _, got, exact = results(TILE, text, x, need(target_of(TILE)), v=v)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], exact[finite]) < MATRIX_BOUNDS[TILE.name]


def test_a_pixel_has_a_scale_of_its_own(rng: np.random.Generator) -> None:
    text = "g (float[1,64,6,20] x) => (float[n,c,h,w] y) { y = Conv(x, v) }"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in ((1, 64, 6, 20), (32, 64, 1, 1)))
    x *= 10.0 ** rng.integers(-20, 20, (6, 20))
    _, got, exact = results(TILE, text, x.astype(np.float32), need(target_of(TILE)), v=v)
    size = np.sqrt(np.mean(exact**2, 1, keepdims=True))
    assert error(got / size, exact / size) < MATRIX_BOUNDS[TILE.name]


@pytest.mark.parametrize(("window", "transforms"), [((1, 1), "off"), ((2, 3), "off"), ((3, 3), "f4")])
def test_a_large_channel_of_small_weights_costs_the_others_nothing(
    window: tuple[int, int],
    transforms: Literal["off", "f4"],
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its numbers count for as much as those of any other, and a channel that nothing reads for nothing."""
    text = "g (float[1,70,13,40] x) => (float[n,c,h,w] y) { y = Conv(x, v) }"
    x, v = (rng.standard_normal(dims) for dims in ((1, 70, 13, 40), (40, 70, *window)))
    sizes = 10.0 ** rng.uniform(-4, 4, (70, 1, 1))
    x, v = (x * sizes).astype(np.float32), (v / sizes).astype(np.float32)
    v[:, 7] = 0
    x[0, 7] = 1e30
    target = need(target_of(TILE))
    for cycles in ("_ROW_CYCLES", "_CALL_CYCLES", "_DIGIT_CYCLES"):
        monkeypatch.setattr(transforming, cycles, 0)
    kernels, got, exact = results(TILE, text, x, target, transforms=transforms, v=v)
    assert any(TILE.name in kernel.split() for kernel in kernels)
    assert error(got, exact) < (MATRIX_BOUNDS[TILE.name] if transforms == "off" else TRANSFORMED_BOUNDS[36])
    x[0, 5, 2, 9] = np.inf
    _, got, exact = results(TILE, text, x, target, transforms=transforms, v=v)
    assert not np.isfinite(got[~np.isfinite(exact)]).any()
    assert np.isfinite(got[..., 20:]).all()


@pytest.mark.parametrize("repeated", [(2,), (3,), (2, 3), (1,)], ids=str)
def test_input_that_is_repeated_along_axes(repeated: tuple[int, ...], rng: np.random.Generator) -> None:
    whole = (2, 64, 9, 40)
    x = rng.standard_normal([1 if a in repeated else n for a, n in enumerate(whole)]).astype(np.float32)
    v = rng.standard_normal((32, 64, 1, 1)).astype(np.float32)
    shape = ",".join(map(str, x.shape))
    text = f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ e = Expand(x, s) y = Conv(e, v) }}"
    _, got, exact = results(TILE, text, x, need(target_of(TILE)), s=np.array(whole), v=v)
    assert error(got, exact) < MATRIX_BOUNDS[TILE.name]


def test_texts_leave_micro_kernels_to_their_module() -> None:
    goal = Goal(target_of(TILE))
    name = DigitsBandBlock(Module(), goal, TILE).f.name
    text, shared = matrix_convolutions_ir(TILE, goal), digits_ir(TILE, goal)
    assert f"@{name}(" in text
    assert "define hidden void @digits_" not in text
    assert "define hidden void @digits_" in shared
