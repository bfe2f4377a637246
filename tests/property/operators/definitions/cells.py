"""Recurrent layers by their definition, in float64: one step after the other, one direction at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.property.operators.draw import Array

Function = Callable[[Array], Array]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
PARAMETERS = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "Softsign": (),
    "Softplus": (),
    "Affine": (0.5, 0.25),
    "LeakyRelu": (0.25,),
    "ThresholdedRelu": (0.5,),
    "ScaledTanh": (0.5, 2.0),
    "HardSigmoid": (0.25, 0.5),
    "Elu": (0.5,),
}
"""The alpha and beta with which activations are drawn."""


def activation(name: str) -> Function:
    """A function with its drawn parameters."""
    a, b = (*PARAMETERS[name], 0.0, 0.0)[:2]
    table: dict[str, Function] = {
        "Relu": lambda x: np.maximum(x, 0),
        "Tanh": np.tanh,
        "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "Softsign": lambda x: x / (1 + np.abs(x)),
        "Softplus": lambda x: np.logaddexp(0, x),
        "Affine": lambda x: a * x + b,
        "LeakyRelu": lambda x: np.where(x < 0, a * x, x),
        "ThresholdedRelu": lambda x: np.where(x > a, x, 0),
        "ScaledTanh": lambda x: a * np.tanh(b * x),
        "HardSigmoid": lambda x: np.clip(a * x + b, 0, 1),
        "Elu": lambda x: np.where(x < 0, a * np.expm1(x), x),
    }
    return table[name]


@dataclass
class Cell:
    """What one direction of a layer computes."""

    kind: str
    functions: list[Function]
    clip: float = np.inf
    input_forget: bool = False
    reset_after: bool = False
    peepholes: Array | None = field(default=None)

    def step(self, x: Array, h: Array, c: Array, w: Array, r: Array, b: Array) -> tuple[Array, Array]:
        """The next state; w [G * H, I], r [G * H, H], b [2 * G * H] have all gates in ONNX's order."""
        size, gates = h.shape[1], GATES[self.kind]
        bias_w, bias_r = (v.reshape(gates, size) for v in np.split(b, 2))
        from_x = (x @ w.T).reshape(len(x), gates, size) + bias_w
        from_h = (h @ r.T).reshape(len(x), gates, size)
        if self.kind == "RNN":
            return self.apply(0, from_x[:, 0] + from_h[:, 0] + bias_r[0]), c
        if self.kind == "GRU":
            return self._gru(from_x, from_h, bias_r, h, r), c
        return self._lstm(from_x + from_h + bias_r, c)

    def apply(self, number: int, x: Array) -> Array:
        """An activation of a clipped value."""
        return np.asarray(self.functions[number](np.clip(x, -self.clip, self.clip)))

    def _gru(self, from_x: Array, from_h: Array, bias: Array, h: Array, r: Array) -> Array:
        z, reset = (self.apply(0, from_x[:, g] + from_h[:, g] + bias[g]) for g in (0, 1))
        if self.reset_after:
            inner = reset * (from_h[:, 2] + bias[2])
        else:
            inner = (reset * h) @ r[2 * h.shape[1] :].T + bias[2]
        return (1 - z) * self.apply(1, from_x[:, 2] + inner) + z * h

    def _lstm(self, total: Array, c: Array) -> tuple[Array, Array]:
        p = np.zeros((3, c.shape[1])) if self.peepholes is None else self.peepholes.reshape(3, -1)
        i = self.apply(0, total[:, 0] + p[0] * c)
        f = 1 - i if self.input_forget else self.apply(0, total[:, 2] + p[2] * c)
        c = f * c + i * self.apply(1, total[:, 3])
        return self.apply(0, total[:, 1] + p[1] * c) * self.functions[2](c), c


def layer(
    x: Array,
    cells: Sequence[Cell],
    parameters: Sequence[tuple[Array, Array, Array]],
    states: Sequence[tuple[Array, Array]],
    lengths: Sequence[int],
    backwards: Sequence[bool],
) -> tuple[Array, Array, Array]:
    """Y [T, D, B, H], Y_h and Y_c [D, B, H] of x [T, B, I]; every sample has its own number of steps."""
    steps, batch = x.shape[:2]
    size = states[0][0].shape[1]
    y = np.zeros((steps, len(cells), batch, size))
    last, memory = (np.stack([s[n] for s in states]).astype(np.float64) for n in (0, 1))
    for d, cell in enumerate(cells):
        w, r, b = (np.asarray(v, np.float64) for v in parameters[d])
        for sample in range(batch):
            h, c = last[d, sample : sample + 1], memory[d, sample : sample + 1]
            times: Any = range(lengths[sample])
            for t in reversed(times) if backwards[d] else times:
                h, c = cell.step(x[t, sample : sample + 1].astype(np.float64), h, c, w, r, b)
                y[t, d, sample] = h[0]
            last[d, sample], memory[d, sample] = h[0], c[0]
    return y, last, memory
