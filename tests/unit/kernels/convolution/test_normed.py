"""Convolutions by digits norm what they read, against float64; others read what is stored."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.norm import Norm
from sardonyx.ir.value import placeholder
from sardonyx.kernels.convolution import choose
from sardonyx.kernels.convolution.normed import table_of
from sardonyx.targets.x86_64 import isa
from tests.runnable import need
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.kernels.convolution.test_band import error, results, target_of
from tests.unit.kernels.native import Array

(TILE,) = (tile for tile in isa.V4.matrices if tile.operand == "fixed24")


def normed(x: Array, rng: np.random.Generator, how: str, *, uneven: bool = False) -> tuple[int, Array, Array]:
    """How many kernels compute convolutions of a value and of its norm; the result, and the exact one."""
    channels, shape = 70, ",".join(map(str, x.shape))
    sizes = {"u": (channels, x.shape[1], 1, 1), "s": (channels, 1, 1), "t": (channels, 1, 1)}
    sizes["v"] = (40, channels, 1, 1)
    weights = {name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    if uneven:
        weights["v"][:, ::3] /= 1000
        weights["s"][::3] *= 1000
    nodes = "p = Conv(x, u) m = Mul(p, s) n = Add(m, t) r = Relu(n)"
    nodes += f" c = Conv<{how}>(r, v) e = Conv<{how}>(p, v) y = Sub(c, e)"
    text = f"g (float[{shape}] x) => (float[n,c,h,w] y) {{ {nodes} }}"
    kernels, got, exact = results(TILE, text, x, need(target_of(TILE)), **weights)
    return len(kernels), got, exact


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize(
    ("shape", "how"), [((2, 64, 6, 21), "strides = [1,2]"), ((1, 64, 9, 40), "group = 1")], ids=str
)
def test_channels_are_normed_as_they_are_cut(
    shape: tuple[int, ...], how: str, uneven: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng.standard_normal(shape).astype(np.float32)
    monkeypatch.setattr(choose, "_GAIN", np.inf)
    apart, *_ = normed(x, rng, how)
    monkeypatch.setattr(choose, "_GAIN", 0)
    together, got, exact = normed(x, rng, how, uneven=uneven)
    assert together == apart - 1
    assert error(got, exact) < MATRIX_BOUNDS[TILE.name]


def test_infinity_and_nan_pass_the_norm(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_GAIN", 0)
    x = rng.standard_normal((1, 64, 6, 20)).astype(np.float32)
    x[0, 3, 2, 5], x[0, 20, 5, 15] = np.inf, np.nan
    _, got, exact = normed(x, rng, "group = 1")
    finite = np.isfinite(exact)
    assert np.array_equal(got[~finite], exact[~finite].astype(np.float32), equal_nan=True)
    assert error(got[finite], exact[finite]) < MATRIX_BOUNDS[TILE.name]


def test_tables_have_scales_and_shifts_of_a_block_behind_each_other() -> None:
    scale = np.arange(32, dtype=np.float32).reshape(2, 16)
    norm = Norm(placeholder("x", dt.F32, (1, 2, 1, 1, 16)), scale, scale + 100, 0)
    assert np.array_equal(table_of(norm).reshape(2, 2, 16)[1], [scale[1], scale[1] + 100])
