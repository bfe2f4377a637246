"""DynamicQuantizeLSTM in float64, each step from the outputs that an engine gave for the step before."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def exact_outputs(node: Any, inputs: list[Array | None], y: Array) -> Array:
    """What the layer gives at each step after the engine's y [T, D, B, H], in the shape of y.

    Inputs are those of the node: x [T, B, I], w [D, I, 4H], r [D, H, 4H], b [D, 8H] ... The points of x and
    of each step's h are chosen in float32, as both are known in it; everything else is exact.
    """
    others = [attribute for attribute in node.attribute if attribute.name not in ("hidden_size", "direction")]
    assert all(a.name == "input_forget" and not a.i for a in others), "only plain layers are judged"
    x, w, r, b, lens, h0, c0, peepholes, w_scale, w_zero, r_scale, r_zero = inputs[:12]
    assert lens is None
    assert peepholes is None
    assert x is not None
    exact = np.zeros(y.shape)
    for d in range(y.shape[1]):
        backward = d == 1 or any(attribute.s == b"reverse" for attribute in node.attribute)
        bias = 0 if b is None else b[d].reshape(2, -1).sum(0, dtype=np.float64)
        gates = _product(x, w, w_scale, w_zero, d) + bias
        h = np.zeros(y.shape[2:], np.float32) if h0 is None else h0[d]
        c = np.zeros(y.shape[2:]) if c0 is None else c0[d].astype(np.float64)
        for t in range(len(y))[:: -1 if backward else 1]:
            i, o, f, g = np.split(gates[t] + _product(h, r, r_scale, r_zero, d), 4, axis=-1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            exact[t, d] = _sigmoid(o) * np.tanh(c)
            h = y[t, d]
    return exact


def _product(x: Array, weights: Any, scale: Any, zero: Any, d: int) -> Array:
    """X, quantised as a whole, by weights that are points: an exact sum of integers, scaled."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    step = (high - low) / np.float32(255) if high > low else np.float32(1)
    origin = np.rint(-low / step)
    points = np.clip(np.rint(x / step) + origin, 0, 255).astype(np.float64) - origin
    total = points @ (weights[d].astype(np.float64) - zero[d])
    return np.asarray(total * (np.float64(step) * scale[d]))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))
