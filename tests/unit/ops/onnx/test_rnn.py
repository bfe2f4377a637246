"""Recurrent layers: their product of inputs apart, and agreement with a loop written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from sardonyx.frontend import load
from tests.unit.frontend.models import outputs, parsed
from tests.unit.ops.peer import assert_agree, both

RNG = np.random.default_rng(0)
T, B, F, H = 5, 3, 4, 6


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def lstm(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray) -> np.ndarray:
    h = c = np.zeros((x.shape[1], H), np.float32)
    steps = []
    for t in range(len(x)):
        i, o, f, g = np.split(x[t] @ w.T + h @ r.T + b[: 4 * H] + b[4 * H :], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.stack(steps)


def test_lstm_of_both_directions() -> None:
    x, w, r, b = numbers(T, B, F), numbers(2, 4 * H, F), numbers(2, 4 * H, H), numbers(2, 8 * H)
    inputs = f"float[T,B,{F}] x, float[2,{4 * H},{F}] w, float[2,{4 * H},{H}] r, float[2,{8 * H}] b"
    call = f'LSTM<direction = "bidirectional", hidden_size = {H}>(x, w, r, b)'
    model = parsed(f"g ({inputs}) => (float[?] y, float[?] h) {{ y, h = {call} }}")
    y, h = outputs(model, x, w, r, b)
    forward, backward = lstm(x, w[0], r[0], b[0]), lstm(x[::-1], w[1], r[1], b[1])
    np.testing.assert_allclose(y[:, 0], forward, atol=1e-6)
    np.testing.assert_allclose(y[:, 1], backward[::-1], atol=1e-6)
    np.testing.assert_allclose(h, np.stack([forward[-1], backward[-1]]), atol=1e-6)
    prims = [v.prim for v in load(model).graph.order()]
    assert prims.count("dot") == 1
    assert prims.count("lstm") == 1


def test_samples_stop_at_their_own_length() -> None:
    x, w, r = numbers(T, B, F), numbers(1, 4 * H, F), numbers(1, 4 * H, H)
    inputs = f"float[T,B,{F}] x, float[1,{4 * H},{F}] w, float[1,{4 * H},{H}] r, int32[B] n"
    call = f'LSTM<direction = "reverse", hidden_size = {H}>(x, w, r, , n)'
    text = f"g ({inputs}) => (float[?] y, float[?] h) {{ y, h = {call} }}"
    y, h = outputs(parsed(text), x, w, r, np.array([5, 2, 1], np.int32))
    zeros = np.zeros(8 * H, np.float32)
    for sample, length in enumerate((5, 2, 1)):
        alone = lstm(x[:length, sample : sample + 1][::-1], w[0], r[0], zeros)[::-1]
        np.testing.assert_allclose(y[:length, 0, sample], alone[:, 0], atol=1e-6)
        assert not y[length:, 0, sample].any()
        np.testing.assert_allclose(h[0, sample], alone[0, 0], atol=1e-6)


@pytest.mark.parametrize("before", [0, 1])
def test_gru_resets_before_or_after_the_product(before: int) -> None:
    x, w, r, b = numbers(1, B, F), numbers(1, 3 * H, F), numbers(1, 3 * H, H), numbers(1, 6 * H)
    start = numbers(1, B, H)
    weights = f"float[1,{3 * H},{F}] w, float[1,{3 * H},{H}] r, float[1,{6 * H}] b"
    call = f"GRU<hidden_size = {H}, linear_before_reset = {before}>(x, w, r, b, , s)"
    text = f"g (float[T,B,{F}] x, {weights}, float[1,B,{H}] s) => (float[?] y) {{ y = {call} }}"
    (y,) = outputs(parsed(text), x, w, r, b, start)
    h = start[0]
    of_input = x[0] @ w[0].T + b[0, : 3 * H]
    of_state = h @ r[0].T + b[0, 3 * H :]
    z, reset = (sigmoid((of_input + of_state)[:, k * H : (k + 1) * H]) for k in (0, 1))
    inner = reset * of_state[:, 2 * H :] if before else (reset * h) @ r[0, 2 * H :].T + b[0, 5 * H :]
    new = np.tanh(of_input[:, 2 * H :] + inner)
    np.testing.assert_allclose(y[0, 0], (1 - z) * new + z * h, atol=1e-6)


def test_batch_first_only_moves_axes() -> None:
    x, w, r = numbers(T, B, F), numbers(1, H, F), numbers(1, H, H)
    head = f"float[1,{H},{F}] w, float[1,{H},{H}] r"
    (y,) = outputs(parsed(f"g (float[T,B,{F}] x, {head}) => (float[?] y) {{ y = RNN(x, w, r) }}"), x, w, r)
    first = parsed(f"g (float[B,T,{F}] x, {head}) => (float[?] y) {{ y = RNN<layout = 1>(x, w, r) }}")
    (z,) = outputs(first, x.swapaxes(0, 1), w, r)
    np.testing.assert_allclose(z, y.transpose(2, 0, 1, 3), atol=1e-6)


def test_a_layer_of_which_no_size_is_known() -> None:
    inputs = "float[A,B,C] x, float[D,E,F] w, float[G,H,I] r, float[J,K] b, int32[L] n, float[M,N,O] h"
    text = f"g ({inputs}) => (float[?,?,?,?] y) {{ y = GRU(x, w, r, b, n, h) }}"
    session = sardonyx.InferenceSession(parsed(text).SerializeToString())
    feeds = {"x": numbers(T, B, F), "w": numbers(1, 3 * H, F), "r": numbers(1, 3 * H, H)}
    feeds |= {"b": numbers(1, 6 * H), "n": np.full(B, T, np.int32), "h": numbers(1, B, H)}
    (y,) = session.run(None, feeds)
    np.testing.assert_allclose(y, outputs(parsed(text), *feeds.values())[0], atol=1e-6)
    for name, wrong, what in (
        ("w", numbers(1, 9, F), "the weights W"),
        ("b", numbers(1, 7), "the bias B"),
        ("h", numbers(1, B, 3), "an initial state"),
    ):
        with pytest.raises(Exception, match=f"{what}.* has the shape"):
            session.run(None, feeds | {name: wrong})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_a_sample_without_steps_ends_in_zeros(layer: str, known: bool) -> None:
    gates, states = {"LSTM": (4, "hc"), "GRU": (3, "h"), "RNN": (1, "h")}[layer]
    feeds = {"x": numbers(T, B, F), "w": numbers(2, gates * H, F), "r": numbers(2, gates * H, H), "b": None}
    feeds |= {"n": np.array([5, 0, 1], np.int32), **{state: numbers(2, B, H) for state in states}}
    attributes = {"direction": "bidirectional", "hidden_size": H}
    results = ("y", *(f"last_{state}" for state in states))
    ours, theirs = both(layer, "", feeds, attributes, results, ("n",) if known else ())
    assert_agree(ours, theirs)
    assert all(last[:, [0, 2]].all() and not last[:, 1].any() for last in ours[1:])
