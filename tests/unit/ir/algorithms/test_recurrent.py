"""Recurrent layers are their equations, written out for one sample, one direction and one step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.ir.algorithms.recurrent import ACTIVATIONS, gru, lstm, lstm_quantized, quantize_dynamically, rnn

T, B, H = 4, 3, 2
RNG = np.random.default_rng(5)
LENS = np.array([4, 2, 0], np.int32)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


S, TANH = ("Sigmoid", 0.0, 0.0), ("Tanh", 0.0, 0.0)


def steps(step: Any, gates: Any, states: list[Any], direction: str, lens: Any) -> tuple[Any, list[Any]]:
    """Y and final states of one sample after the other."""
    ways = [direction == "reverse"] + [True] * (direction == "bidirectional")
    y = np.zeros((T, len(ways), B, H))
    finals = [np.zeros((len(ways), B, H)) for _ in states]
    for d, backward in enumerate(ways):
        for b in range(B):
            state = [s[d, b] for s in states]
            order = range(lens[b])
            for t in reversed(order) if backward else order:
                state = step(gates[t, b, d], state, d)
                y[t, d, b] = state[0]
            for final, s in zip(finals, state, strict=True):
                final[d, b] = s
    return y, finals


def drawn(count: int, direction: str) -> tuple[Any, ...]:
    ways = 2 if direction == "bidirectional" else 1
    return ways, *(
        RNG.standard_normal(s)
        for s in ((T, B, ways, count * H), (ways, H, count * H), (ways, B, H), (ways, B, H))
    )


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("input_forget", [False, True])
def test_lstm(direction: str, input_forget: bool) -> None:
    ways, gates, r, h, c = drawn(4, direction)
    p = RNG.standard_normal((ways, 3 * H))

    def step(gate: Any, state: list[Any], d: int) -> list[Any]:
        gi, go, gf, gc = np.split(gate + state[0] @ r[d], 4)
        pi, po, pf = np.split(p[d], 3)
        i = sigmoid(gi + pi * state[1])
        f = 1 - i if input_forget else sigmoid(gf + pf * state[1])
        new = f * state[1] + i * np.tanh(gc)
        return [sigmoid(go + po * new) * np.tanh(new), new]

    y, finals = steps(step, gates, [h, c], direction, LENS)
    got = lstm(
        gates,
        r,
        h,
        c,
        LENS,
        p,
        extras=("lens", "peepholes"),
        direction=direction,
        activations=[S, TANH, TANH] * 2,
        clip=None,
        input_forget=input_forget,
    )
    for a, b in zip(got, [y, *finals], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("before", [False, True])
def test_gru(direction: str, before: bool) -> None:
    ways, gates, r, h, _ = drawn(3, direction)
    bias = RNG.standard_normal((ways, H))

    def step(gate: Any, state: list[Any], d: int) -> list[Any]:
        (old,) = state
        wz, wr, wh = np.split(r[d], 3, 1)
        gz, gr, gh = np.split(gate, 3)
        z, reset = sigmoid(gz + old @ wz), sigmoid(gr + old @ wr)
        inner = reset * (old @ wh + bias[d]) if before else (reset * old) @ wh
        return [(1 - z) * np.tanh(gh + inner) + z * old]

    y, (final,) = steps(step, gates, [h], direction, LENS)
    extras, rest = (("lens", "bias"), [LENS, bias]) if before else (("lens",), [LENS])
    got = gru(
        gates,
        r,
        h,
        *rest,
        extras=extras,
        direction=direction,
        activations=[S, TANH] * 2,
        clip=None,
        linear_before_reset=before,
    )
    np.testing.assert_allclose(got[0], y, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got[1], final, rtol=1e-12, atol=1e-14)


def test_rnn_with_a_clip() -> None:
    _, gates, r, h, _ = drawn(1, "reverse")

    def step(gate: Any, state: list[Any], d: int) -> list[Any]:
        return [np.tanh(np.clip(gate + state[0] @ r[d], -0.5, 0.5))]

    y, (final,) = steps(step, gates, [h], "reverse", [T] * B)
    got = rnn(gates, r, h, extras=(), direction="reverse", activations=[TANH], clip=0.5)
    np.testing.assert_allclose(got[0], y, rtol=1e-12)
    np.testing.assert_allclose(got[1], final, rtol=1e-12)


def test_quantised_points_include_zero_exactly() -> None:
    for x in (np.float32([0.5, 2]), np.float32([-3, -1]), np.float32([-1, 1]), np.zeros(2, np.float32)):
        points, step, origin = quantize_dynamically(x)
        assert points.dtype == np.uint8
        np.testing.assert_allclose((points - origin) * step, x, atol=float(step) / 2 * 1.001)
        assert origin == np.rint(origin)


def test_a_quantised_layer_is_near_the_layer_of_its_weights() -> None:
    _, gates, r, h, c = (np.float32(a) if isinstance(a, np.ndarray) else a for a in drawn(4, "forward"))
    scale, zero = np.full((1, 1), 0.03, np.float32), np.full((1, 1), 120, np.uint8)
    points = np.clip(np.rint(r / 0.03) + 120, 0, 255).astype(np.uint8)
    attrs: dict[str, Any] = {
        "extras": (),
        "direction": "forward",
        "activations": [S, TANH, TANH],
        "clip": None,
        "input_forget": False,
    }
    exact = lstm(gates, (points.astype(np.float32) - 120) * np.float32(0.03), h, c, **attrs)
    got = lstm_quantized(gates, points, scale, zero, h, c, **attrs)
    for a, b in zip(got, exact, strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Relu", [0, 0, 3]),
        ("Affine", [-3, 0.5, 6.5]),
        ("LeakyRelu", [-3.5, 0, 3]),
        ("ThresholdedRelu", [0, 0, 3]),
        ("ScaledTanh", [2 * np.tanh(-0.875), 0, 2 * np.tanh(1.5)]),
        ("HardSigmoid", [0, 0.5, 1]),
        ("Elu", [2 * np.expm1(-1.75), 0, 3]),
        ("Softsign", [-1.75 / 2.75, 0, 0.75]),
        ("Softplus", [np.log1p(np.exp(-1.75)), np.log(2), 3 + np.log1p(np.exp(-3))]),
    ],
)
def test_activations(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(ACTIVATIONS[name](np.array([-1.75, 0, 3]), 2.0, 0.5), expected, rtol=1e-12)
