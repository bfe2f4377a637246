"""Convolutions of what is stored in bfloat16 on matrix registers, and of single channels on vectors."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.convolution.halves import HalvesBandBlock
from sardonyx.kernels.library import halves_matrix_convolutions_ir
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.convolution.test_band import error, results, target_of
from tests.unit.kernels.native import Array

TILE = isa.V4.matrices[0]
CASES = [
    ("pads = [1,1,1,1]", (1, 40, 9, 37), (72, 40, 3, 3)),
    ("strides = [2,2]", (2, 48, 15, 13), (33, 48, 1, 1)),
    ("pads = [0,2,0,2], dilations = [1,2]", (1, 33, 6, 50), (64, 33, 1, 3)),
    ("group = 1", (3, 100, 7, 7), (130, 100, 1, 1)),
    ("pads = [2,2,2,2], strides = [1,2]", (1, 64, 7, 31), (32, 64, 5, 5)),
]
ENDS = {
    "bounds": "b = Relu(a)",
    "bias and bounds": "c = Add(a, m) b = Relu(c)",
    "a function": "b = Sigmoid(a)",
}


def text_of(how: str, end: str, x_shape: tuple[int, ...]) -> str:
    shape = ",".join(map(str, x_shape))
    return f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ a = Conv(x, u) {end} y = Conv<{how}>(b, v) }}"


def drawn(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))


@pytest.mark.parametrize(("how", "x_shape", "w_shape"), CASES)
@pytest.mark.parametrize("end", ENDS)
def test_convolutions(
    how: str, end: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    channels = x_shape[1]
    weights = {"u": drawn(rng, channels, channels, 1, 1), "v": drawn(rng, *w_shape)}
    if "m" in ENDS[end].split("Add")[-1]:
        weights["m"] = drawn(rng, channels, 1, 1)
    x = rng.standard_normal(x_shape).astype(np.float32)
    target = replace(need(target_of(TILE)), l2_bytes=64 << 10)
    for threads in (1, 2):
        kernels, got, exact = results(TILE, text_of(how, ENDS[end], x_shape), x, target, threads, **weights)
        assert sum(str(TILE) == kernel for kernel in kernels) == 2
        assert error(got, exact) < 2 * MATRIX_BOUNDS[TILE.name]


@pytest.mark.parametrize("window", [(3, 3), (1, 5)])
def test_single_channels(window: tuple[int, int], rng: np.random.Generator) -> None:
    rows, columns = (n // 2 for n in window)
    how = f"group = 40, pads = [{rows},{columns},{rows},{columns}]"
    x = rng.standard_normal((2, 40, 9, 21)).astype(np.float32)
    weights = {"u": drawn(rng, 40, 40, 1, 1), "v": drawn(rng, 40, 1, *window)}
    target = replace(need(target_of(TILE)), l2_bytes=8 << 10)
    _, got, exact = results(TILE, text_of(how, "b = Relu(a)", x.shape), x, target, **weights)
    assert error(got, exact) < 2 * MATRIX_BOUNDS[TILE.name]


def test_a_sum_widens_what_a_convolution_reads(rng: np.random.Generator) -> None:
    text = (
        "g (float[2,40,9,21] x) => (float[n,c,h,w] y) { a = Conv(x, u) b = Relu(a)"
        " c = Conv<pads = [1,1,1,1]>(b, v) d = Add(c, b) e = Relu(d)"
        " f = Conv(e, u) g = Add(e, f) y = Relu(g) }"
    )
    weights = {"u": drawn(rng, 40, 40, 1, 1), "v": drawn(rng, 40, 40, 3, 3)}
    x = rng.standard_normal((2, 40, 9, 21)).astype(np.float32)
    target = replace(need(target_of(TILE)), l2_bytes=64 << 10)
    for threads in (1, 2):
        kernels, got, exact = results(TILE, text, x, target, threads, **weights)
        assert sum(str(TILE) == kernel for kernel in kernels) == 3
        assert error(got, exact) < 2 * MATRIX_BOUNDS[TILE.name]


def test_infinity_and_nan_reach_the_outputs_that_read_them(rng: np.random.Generator) -> None:
    text = text_of("pads = [0,1,0,1]", "b = Relu(a)", (1, 32, 8, 20))
    x = rng.standard_normal((1, 32, 8, 20)).astype(np.float32)
    x[0, 3, 2, 5], x[0, 20, 6, 15] = np.inf, np.nan
    weights = {"u": np.abs(drawn(rng, 32, 32, 1, 1)), "v": np.abs(drawn(rng, 32, 32, 1, 3))}
    target = replace(need(target_of(TILE)), l2_bytes=8 << 10)
    _, got, exact = results(TILE, text, x, target, **weights)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], exact[finite]) < 2 * MATRIX_BOUNDS[TILE.name]


def test_texts_compile_everywhere_to_the_same_bytes() -> None:
    goal = Goal(target_of(TILE), Policy("bf16"))
    name = HalvesBandBlock(Module(), goal, TILE).f.name
    texts = [halves_matrix_convolutions_ir.__wrapped__(TILE, goal) for _ in range(2)]
    assert f"@{name}(" in texts[0] and texts[0] == texts[1]
    assert engine.compile_object(texts[0], goal.target) == engine.compile_object(texts[1], goal.target)
