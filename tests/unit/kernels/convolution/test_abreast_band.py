"""Plain input of a few channels in digits against float64, on any number of threads with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.kernels.convolution import abreast
from sardonyx.kernels.convolution.abreast_band import AbreastBandBlock
from sardonyx.kernels.library import plain_matrix_convolutions_ir
from sardonyx.llvm.vec import Module
from sardonyx.object import engine
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.convolution.test_band import error, results, target_of

TILE = next(tile for tile in isa.V4.matrices if tile.operand == "fixed24")
FEW = [
    ("pads = [3,3,3,3], strides = [2,2]", (2, 3, 67, 100), (64, 3, 7, 7)),
    ("strides = [4,4]", (1, 3, 43, 151), (33, 3, 11, 11)),
    ("pads = [0,2,0,2]", (1, 6, 5, 33), (24, 6, 2, 5)),
    ("pads = [1,1,1,1], strides = [2,1]", (3, 4, 11, 7), (40, 4, 3, 3)),
    ("pads = [1,1,1,1]", (1, 12, 9, 21), (24, 12, 3, 3)),
    ("pads = [2,2,2,2], strides = [3,1]", (1, 1, 32, 70), (16, 1, 5, 5)),
    ("strides = [1,8]", (1, 1, 3, 1400), (64, 1, 3, 40)),
]


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sizes are."""
    monkeypatch.setattr(abreast, "_END_CYCLES", -1e9)


@pytest.mark.parametrize(("how", "x_shape", "w_shape"), FEW)
def test_few_channels(
    how: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    shape = ",".join(map(str, x_shape))
    text = f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ a = Conv<{how}>(x, v) y = Relu(a) }}"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in (x_shape, w_shape))
    for l2_bytes in (256 << 10, 2 << 20):
        target = replace(need(target_of(TILE)), l2_bytes=l2_bytes)
        kernels, got, exact = results(TILE, text, x, target, 1, v=v)
        assert any(TILE.name in kernel.split() for kernel in kernels)
        assert error(got, exact) < MATRIX_BOUNDS[TILE.name]
        assert np.array_equal(got, results(TILE, text, x, target, 3, v=v)[1])


@pytest.mark.parametrize("v_shape", [(16, 3, 7, 7), (16, 12, 3, 3)])
def test_infinity_and_nan_reach_the_outputs_that_read_them(
    v_shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    channels = v_shape[1]
    text = f"g (float[1,{channels},18,41] x) => (float[n,c,h,w] y) {{ y = Conv<strides = [2,2]>(x, v) }}"
    x, v = (rng.standard_normal(dims).astype(np.float32) for dims in ((1, channels, 18, 41), v_shape))
    v[:, 1, 0] = 0
    x[0, 1, 2, 5], x[0, 2, 8, 35], x[0, 0, 17, 20] = np.inf, np.nan, -np.inf
    _, got, exact = results(TILE, text, x, need(target_of(TILE)), v=v)
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], exact[finite]) < MATRIX_BOUNDS[TILE.name]


def test_texts_compile_everywhere_to_the_same_bytes() -> None:
    goal = Goal(target_of(TILE), Policy("fp32"))
    name = AbreastBandBlock(Module(), goal, TILE).f.name
    texts = [plain_matrix_convolutions_ir.__wrapped__(TILE, goal) for _ in range(2)]
    assert f"@{name}(" in texts[0]
    assert texts[0] == texts[1]
    assert engine.compile_object(texts[0], goal.target) == engine.compile_object(texts[1], goal.target)
    assert "define hidden void @digits_" not in texts[0], "micro-kernels are those of other bands"
