"""What one step of an LSTM, GRU or plain recurrent layer does to a vector of units.

Decides formulas; must not know memory, rows or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sardonyx.base.target import Target
from sardonyx.llvm import mathfn
from sardonyx.llvm.lanes import Lanes

Activation = tuple[str, float, float]
"""Name, alpha and beta."""

_Function = Callable[[Lanes, float, float, Target], Lanes]

_FUNCTIONS: Mapping[str, _Function] = {
    "Relu": lambda x, a, b, t: x.at_least(0.0),
    "Tanh": lambda x, a, b, t: mathfn.tanh(x, t),
    "Sigmoid": lambda x, a, b, t: mathfn.sigmoid(x, t),
    "Affine": lambda x, a, b, t: x * a + b,
    "LeakyRelu": lambda x, a, b, t: (x < 0.0).choose(x * a, x),
    "ThresholdedRelu": lambda x, a, b, t: (x > a).choose(x, 0.0),
    "ScaledTanh": lambda x, a, b, t: mathfn.tanh(x * b, t) * a,
    "HardSigmoid": lambda x, a, b, t: (x * a + b).at_least(0.0).at_most(1.0),
    "Elu": lambda x, a, b, t: (x < 0.0).choose(_expm1_below_zero(x, t) * a, x),
    "Softsign": lambda x, a, b, t: x / (x.abs() + 1.0),
    "Softplus": lambda x, a, b, t: x.at_least(0.0) + mathfn.log1p(mathfn.exp(-x.abs(), t), t),
}


def _expm1_below_zero(x: Lanes, target: Target) -> Lanes:
    """e^x - 1 for x < 0: 2 t / (1 - t) with t = tanh(x / 2)."""
    t = mathfn.tanh(x * 0.5, target)
    return (t + t) / (1.0 - t)


class Cell:
    """The activations of one direction and the clip before the gates' ones."""

    def __init__(self, activations: Sequence[Activation], clip: float | None, target: Target) -> None:
        self.activations = activations
        self.clip = clip
        self.target = target

    def gate(self, number: int, x: Lanes) -> Lanes:
        """Activation `number` of a gate, clipped first."""
        if self.clip is not None:
            x = x.at_least(-self.clip).at_most(self.clip)
        return self.plain(number, x)

    def plain(self, number: int, x: Lanes) -> Lanes:
        """Activation `number`."""
        name, alpha, beta = self.activations[number]
        return _FUNCTIONS[name](x, alpha, beta, self.target)

    def lstm(
        self, gates: Sequence[Lanes], c: Lanes, peepholes: Sequence[Lanes], *, input_forget: bool
    ) -> tuple[Lanes, Lanes]:
        """(h, c) after a step; the gates are i, o, f, c, the peepholes, if any, i, o, f."""
        i_gate, o_gate, f_gate, c_gate = gates
        if peepholes:
            i_gate, f_gate = i_gate + peepholes[0] * c, f_gate + peepholes[2] * c
        i = self.gate(0, i_gate)
        forget = 1.0 - i if input_forget else self.gate(0, f_gate)
        c = forget * c + i * self.gate(1, c_gate)
        o = self.gate(0, o_gate + peepholes[1] * c if peepholes else o_gate)
        return o * self.plain(2, c), c

    def reset(self, z_gate: Lanes, r_gate: Lanes, h: Lanes) -> tuple[Lanes, Lanes]:
        """(z, r * h) of a GRU."""
        return self.gate(0, z_gate), self.gate(0, r_gate) * h

    def blend(self, z: Lanes, h_gate: Lanes, h: Lanes) -> Lanes:
        """The state of a GRU after a step, from its hidden gate."""
        return (1.0 - z) * self.gate(1, h_gate) + z * h

    def gru(self, gates: Sequence[Lanes], inner: Lanes, h: Lanes) -> Lanes:
        """The state of a GRU whose reset acts on `inner`, the product of state and weights.

        The gates are z, r and the input's part of the hidden gate.
        """
        z, r, x = gates
        return self.blend(self.gate(0, z), x + self.gate(0, r) * inner, h)
