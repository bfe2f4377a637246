"""Convolutions by cosines and sines of all bins become spectra, others stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sardonyx.base.policy import Goal, Policy
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, const, make
from sardonyx.passes.spectra import spectra
from tests.unit.kernels.compiled import Array, graph_of
from tests.unit.passes.graphs import GOAL

HANN = np.hanning(129)[:-1]


def rows(sign: int, window: Array = HANN) -> tuple[Array, Array]:
    """Cosines, and sines times a sign, of all bins times a window."""
    n = len(window)
    turn = np.outer(np.arange(n // 2 + 1), np.arange(n)) * (2 * np.pi / n)
    return np.cos(turn) * window, sign * np.sin(turn) * window


def convolved(x: Value, w: Array, **attributes: Sequence[int]) -> Value:
    attrs = {"strides": (40,), "dilations": (1,), "low": (0,), "high": (0,), **attributes}
    (stride,), (dilation,), (low,), (high,) = (attrs[n] for n in ("strides", "dilations", "low", "high"))
    count, length = x.shape[2], w.shape[-1]
    assert isinstance(count, int)
    positions = (count + low + high - dilation * (length - 1) - 1) // stride + 1
    weights = const(w.astype(np.float32)[:, None])
    return make("conv", (x, weights), {**attrs, "group": 1}, x.dtype, (x.shape[0], len(w), positions))


def graph(*weights: Array, **attributes: Sequence[int]) -> Graph:
    x = np.random.default_rng(0).standard_normal((2, 1, 500)).astype(np.float32)
    return graph_of(lambda v: [convolved(v, w, **attributes) for w in weights], [x])


def check(*weights: Array, spectra_of: int) -> None:
    """So many spectra take the place of the convolutions, with the same results."""
    before = graph(*weights)
    after = spectra(before, GOAL)
    assert [v.prim for v in after.order()].count("spectra") == spectra_of
    assert ("conv" in after.primitives) == (not spectra_of)
    x = np.random.default_rng(1).standard_normal((2, 1, 500)).astype(np.float32)
    for got, expected in zip(run(after, [x]), run(before, [x]), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_parts_beside_each_other_share_a_spectrum(sign: int) -> None:
    cosines, sines = rows(sign)
    check(cosines, sines, spectra_of=1)
    check(sines, cosines, spectra_of=1)
    check(cosines, spectra_of=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_parts_behind_each_other(sign: int) -> None:
    cosines, sines = rows(sign)
    check(np.concatenate([cosines, sines]), spectra_of=1)
    check(np.concatenate([sines, cosines]), spectra_of=1)


def test_any_window_and_its_sign() -> None:
    check(*rows(1, np.random.default_rng(3).standard_normal(64)), spectra_of=1)
    check(*rows(1, np.ones(256)), spectra_of=1)
    check(*rows(1, -HANN), spectra_of=1)
    check(rows(1)[0][::-1], spectra_of=1)


def test_two_windows_are_two_spectra() -> None:
    check(*rows(1), rows(1, HANN**2)[0], spectra_of=2)


def test_sines_alone_do_not_tell_their_window() -> None:
    check(rows(1)[1], spectra_of=0)


def test_what_is_near_is_not_enough() -> None:
    cosines = rows(1)[0]
    check(cosines * (1 + 1e-5 * np.random.default_rng(0).standard_normal(cosines.shape)), spectra_of=0)
    check(cosines[:-1], spectra_of=0)
    check(np.zeros_like(cosines), spectra_of=0)
    cosines[3, 5] = np.nan
    assert spectra(graph(cosines), GOAL).primitives >= {"conv"}


def test_frames_of_other_lengths_are_convolved() -> None:
    check(*rows(1, np.hanning(100)), spectra_of=0)
    check(*rows(1, np.hanning(32)), spectra_of=0)


@pytest.mark.parametrize("other", [{"dilations": (2,)}, {"low": (3,)}, {"high": (1,)}])
def test_gaps_and_borders_are_convolved(other: dict[str, Sequence[int]]) -> None:
    made = graph(*rows(1), **other)
    assert spectra(made, GOAL) is made


def test_strict_keeps_the_sums_that_are_asked_for() -> None:
    made = graph(*rows(1))
    assert spectra(made, Goal(GOAL.target, Policy("strict"))) is made
