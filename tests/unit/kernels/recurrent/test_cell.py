"""One step of a cell in registers is its equations in numpy, for every activation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.ir.algorithms.recurrent import ACTIVATIONS
from sardonyx.kernels.recurrent.cell import Cell
from sardonyx.llvm.lanes import Lanes
from tests.unit.llvm.written import formula, run

TARGET = targets.detect()
RNG = np.random.default_rng(1)
SIGMOID, TANH = ("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    x = np.concatenate([RNG.standard_normal(12) * 3, [0, -30, 30, 0.5]])
    cell = Cell([(name, 0.4, 1.7)], None, TARGET)
    got = formula(lambda v: cell.gate(0, v), x)
    np.testing.assert_allclose(got, ACTIVATIONS[name](x, 0.4, 1.7), rtol=1e-13, atol=1e-15)


def test_a_clip_bounds_gates_but_not_states() -> None:
    x = np.array([-5.0, -1, 0.5, 5])
    cell = Cell([("Affine", 2.0, 0.0)], 1.5, TARGET)
    assert formula(lambda v: cell.gate(0, v), x).tolist() == [-3, -2, 1, 3]
    assert formula(lambda v: cell.plain(0, v), x).tolist() == [-10, -2, 1, 10]


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("forget", [False, True])
def test_lstm(peepholes: bool, forget: bool) -> None:
    arrays = [RNG.standard_normal(8) for _ in range(8 if peepholes else 5)]
    cell = Cell([SIGMOID, TANH, TANH], None, TARGET)

    def write(f: Any, *v: Any) -> Any:
        x = [Lanes(f, a) for a in v]
        return [y.v for y in cell.lstm(x[:4], x[4], x[5:], input_forget=forget)]

    h, c = run(write, *arrays)
    gi, go, gf, gc, old, *p = arrays
    pi, po, pf = p or (0, 0, 0)
    i = sigmoid(gi + pi * old)
    new = (1 - i if forget else sigmoid(gf + pf * old)) * old + i * np.tanh(gc)
    np.testing.assert_allclose(c, new, rtol=1e-13)
    np.testing.assert_allclose(h, sigmoid(go + po * new) * np.tanh(new), rtol=1e-13)


def test_gru_with_the_reset_before_and_after_the_product() -> None:
    z, r, x, inner, h = (RNG.standard_normal(8) for _ in range(5))
    cell = Cell([SIGMOID, TANH], None, TARGET)
    got = formula(lambda a, b, c, d, e: cell.gru([a, b, c], d, e), z, r, x, inner, h)
    exact = (1 - sigmoid(z)) * np.tanh(x + sigmoid(r) * inner) + sigmoid(z) * h
    np.testing.assert_allclose(got, exact, rtol=1e-13)

    def write(f: Any, *v: Any) -> Any:
        a, b, c, d = (Lanes(f, n) for n in v)
        update, reset = cell.reset(a, b, c)
        return [reset.v, cell.blend(update, d, c).v]

    reset, state = run(write, z, r, h, x)
    np.testing.assert_allclose(reset, sigmoid(r) * h, rtol=1e-13)
    np.testing.assert_allclose(state, (1 - sigmoid(z)) * np.tanh(x) + sigmoid(z) * h, rtol=1e-13)
