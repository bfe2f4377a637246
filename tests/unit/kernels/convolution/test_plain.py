"""Plain input of few channels on matrix registers against float64; what is beside a window does not count."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.convolution.plain import PlainBandBlock
from sardonyx.kernels.library import plain_matrix_convolutions_ir
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.unit.kernels.convolution.test_band import check, results, target_of

ROUNDED = isa.V4.matrices[0]
FEW = [
    ("pads = [3,3,3,3], strides = [2,2]", (1, 3, 37, 45), (64, 3, 7, 7)),
    ("pads = [1,1,1,1]", (2, 1, 9, 40), (16, 1, 3, 3)),
    ("strides = [4,4]", (1, 3, 43, 151), (33, 3, 11, 11)),
    ("pads = [0,2,0,2]", (1, 6, 4, 33), (24, 6, 1, 5)),
    ("pads = [1,1,1,1], strides = [2,1]", (3, 4, 11, 7), (40, 4, 3, 3)),
    ("pads = [1,1,1,1]", (1, 12, 9, 21), (24, 12, 3, 3)),
    ("group = 1", (1, 2, 5, 16), (20, 2, 1, 1)),
    ("strides = [1,8]", (1, 1, 1, 700), (64, 1, 1, 40)),
]


@pytest.mark.parametrize(("how", "x_shape", "w_shape"), FEW)
@pytest.mark.parametrize("l2_bytes", [64 << 10, 2 << 20])
def test_few_channels_of_plain_input(
    how: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    l2_bytes: int,
    rng: np.random.Generator,
) -> None:
    check(ROUNDED, how, x_shape, w_shape, l2_bytes, rng)


def test_what_is_beside_a_window_does_not_reach_its_output(rng: np.random.Generator) -> None:
    text = "g (float[1,3,8,40] x) => (float[n,c,h,w] y) { y = Conv<pads = [1,1,1,1]>(x, v) }"
    x, v = (rng.uniform(-0.1, 0.1, dims).astype(np.float32) for dims in ((1, 3, 8, 40), (16, 3, 3, 3)))
    x[0, 1, 2, 5], x[0, 2, 6, 35], x[0, 0, 7, 20] = np.inf, np.nan, np.finfo(np.float32).max
    _, got, exact = results(ROUNDED, text, x, need(target_of(ROUNDED)), v=v)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert np.isfinite(got[finite]).all()


def test_texts_compile_everywhere_to_the_same_bytes() -> None:
    goal = Goal(target_of(ROUNDED), Policy("bf16"))
    name = PlainBandBlock(Module(), goal, ROUNDED).f.name
    texts = [plain_matrix_convolutions_ir.__wrapped__(ROUNDED, goal) for _ in range(2)]
    assert f"@{name}(" in texts[0] and texts[0] == texts[1]
    assert engine.compile_object(texts[0], goal.target) == engine.compile_object(texts[1], goal.target)
    assert "define hidden void @matrix_" not in texts[0], "micro-kernels are those of products"
