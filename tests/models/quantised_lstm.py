"""DynamicQuantizeLSTM by its definition: points are chosen in float32, all else is exact, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def dynamic_points(x: Array) -> tuple[Array, np.float32]:
    """What DynamicQuantizeLinear makes of float32 numbers: points less their zero point, and the step."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    step = (high - low) / np.float32(255) if high > low else np.float32(1)
    origin = np.clip(np.rint(-low / step), 0, 255)
    return np.clip(np.rint(x / step) + origin, 0, 255).astype(np.float64) - origin, step


def layer(inputs: Sequence[Array | None], direction: str, made: Array | None = None) -> tuple[Array, ...]:
    """Y [T, D, B, H], Y_h and Y_c [D, B, H] of a plain layer, in float64.

    Inputs are those of the node: x [T, B, I], w [D, I, 4H], r [D, H, 4H], b [D, 8H] ... With the `made` Y of
    an engine each step starts from that, so steps are judged one by one.
    """
    x, w, r, b, lens, h0, c0, peepholes, w_scale, w_zero, r_scale, r_zero = inputs[:12]
    assert lens is None
    assert peepholes is None
    assert x is not None
    assert w is not None
    (steps, batch), count, size = x.shape[:2], len(w), w.shape[2] // 4
    y, y_h, y_c = np.zeros((steps, count, batch, size)), *np.zeros((2, count, batch, size))
    for d in range(count):
        bias = 0 if b is None else b[d].reshape(2, -1).sum(0, dtype=np.float64)
        gates = _product(x, w, w_scale, w_zero, d) + bias
        h = np.zeros((batch, size), np.float32) if h0 is None else h0[d]
        c = np.zeros((batch, size)) if c0 is None else c0[d].astype(np.float64)
        for t in range(steps)[:: -1 if d == 1 or direction == "reverse" else 1]:
            i, o, f, g = np.split(gates[t] + _product(h, r, r_scale, r_zero, d), 4, axis=-1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            y[t, d] = _sigmoid(o) * np.tanh(c)
            h = y[t, d].astype(np.float32) if made is None else made[t, d]
        y_h[d], y_c[d] = h, c
    return y, y_h, y_c


def exact_outputs(node: Any, inputs: Sequence[Array | None], y: Array) -> Array:
    """What the layer of a node gives at each step after the engine's y [T, D, B, H], in the shape of y."""
    others = [attribute for attribute in node.attribute if attribute.name not in ("hidden_size", "direction")]
    assert all(a.name == "input_forget" and not a.i for a in others), "only plain layers are judged"
    directions = [a.s.decode() for a in node.attribute if a.name == "direction"]
    return layer(inputs, directions[0] if directions else "forward", y)[0]


def _product(x: Array, weights: Any, scale: Any, zero: Any, d: int) -> Array:
    """X, quantised as a whole, by weights that are points: an exact sum of integers, scaled."""
    points, step = dynamic_points(x)
    total = points @ (weights[d].astype(np.float64) - zero[d])
    return np.asarray(total * (np.float64(step) * scale[d]))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))
