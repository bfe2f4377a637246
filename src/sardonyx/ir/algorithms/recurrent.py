"""Recurrent layers as numpy algorithms: lstm, lstm_quantized, gru, rnn.

The product of inputs and weights is not part of them: they receive it as `gates`, biases added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sardonyx.ir.meaning import sigmoid
from sardonyx.ir.obligation import Obligation, Operation, alike, same
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]
Activation = tuple[str, float, float]
Step = Callable[[Array, tuple[Array, ...], int], tuple[Array, ...]]

ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "Relu": lambda x, a, b: np.maximum(x, 0),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Sigmoid": lambda x, a, b: sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: np.where(x < 0, a * x, x),
    "ThresholdedRelu": lambda x, a, b: np.where(x > a, x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "Elu": lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "Softplus": lambda x, a, b: np.logaddexp(x, 0),
}
"""The functions an `activations` attribute may name, with alpha and beta."""


def _activate(x: Array, activation: Activation, clip: float | None) -> Array:
    name, alpha, beta = activation
    if clip is not None:
        x = np.clip(x, -clip, clip)
    return ACTIVATIONS[name](x, alpha, beta).astype(x.dtype)


def _directions(direction: str) -> Iterator[tuple[int, bool]]:
    yield 0, direction == "reverse"
    if direction == "bidirectional":
        yield 1, True


def _sweep(
    gates: Array, state: tuple[Array, ...], lens: Array | None, backward: bool, step: Step, index: int
) -> tuple[Array, tuple[Array, ...]]:
    """Run `step` over time; samples stop at their own length, their later outputs are 0.

    gates [T, B, G], state [B, H] each; returns y [T, B, H] and the final state.
    """
    length, batch = gates.shape[:2]
    y = np.zeros((length, *state[0].shape), dtype=state[0].dtype)
    rows = np.arange(batch)
    for t in range(length):
        alive = np.ones(batch, bool) if lens is None else t < lens
        at = (np.full(batch, length) if lens is None else lens) - 1 - t if backward else np.full(batch, t)
        at = np.where(alive, at, 0)
        fresh = step(gates[at, rows], state, index)
        state = tuple(np.where(alive[:, None], new, old) for new, old in zip(fresh, state, strict=True))
        y[at[alive], rows[alive]] = state[0][alive]
    return y, state


def _layer(
    gates: Array, initial: Sequence[Array], lens: Array | None, direction: str, step: Step
) -> tuple[Array, ...]:
    """Y [T, D, B, H] and the final states [D, B, H]; gates [T, B, D, G]."""
    wide = np.promote_types(gates.dtype, np.float32)
    outputs, finals = [], []
    for d, backward in _directions(direction):
        state = tuple(s[d].astype(wide) for s in initial)
        y, state = _sweep(gates[:, :, d].astype(wide), state, lens, backward, step, d)
        outputs.append(y)
        finals.append(state)
    results = [np.stack(outputs, axis=1), *(np.stack(s) for s in zip(*finals, strict=True))]
    return tuple(r.astype(gates.dtype) for r in results)


def _lstm_step(
    product: Callable[[Array, int], Array],
    peepholes: Array | None,
    activations: Sequence[Activation],
    clip: float | None,
    input_forget: bool,
) -> Step:
    def step(gates: Array, state: tuple[Array, ...], d: int) -> tuple[Array, ...]:
        h, c = state
        f, g, last = activations[3 * d : 3 * d + 3]
        i_gate, o_gate, f_gate, c_gate = np.split(gates + product(h, d), 4, axis=-1)
        p_i, p_o, p_f = np.split(peepholes[d], 3) if peepholes is not None else (0, 0, 0)
        i = _activate(i_gate + p_i * c, f, clip)
        forget = 1 - i if input_forget else _activate(f_gate + p_f * c, f, clip)
        c = forget * c + i * _activate(c_gate, g, clip)
        o = _activate(o_gate + p_o * c, f, clip)
        return o * _activate(c, last, None), c

    return step


def _optional(arrays: Sequence[Array], extras: Sequence[str]) -> dict[str, Array]:
    return dict(zip(extras, arrays, strict=True))


def lstm(
    gates: Array,
    r: Array,
    h: Array,
    c: Array,
    *rest: Array,
    extras: Sequence[str],
    direction: str,
    activations: Sequence[Activation],
    clip: float | None,
    input_forget: bool,
) -> tuple[Array, ...]:
    """Gates [T, B, D, 4H] in the order i o f c, r [D, H, 4H], h and c [D, B, H].

    `extras` names the further arguments: lens i32[B], peepholes [D, 3H] in the order i o f. `activations`
    are (name, alpha, beta) of f, g, h for each direction. Results: y [T, D, B, H], h and c [D, B, H].
    """
    given = _optional(rest, extras)
    weights = r.astype(np.promote_types(r.dtype, np.float32))
    step = _lstm_step(lambda x, d: x @ weights[d], given.get("peepholes"), activations, clip, input_forget)
    return _layer(gates, (h, c), given.get("lens"), direction, step)


def lstm_quantized(
    gates: Array,
    r: Array,
    scale: Array,
    zero: Array,
    h: Array,
    c: Array,
    *rest: Array,
    extras: Sequence[str],
    direction: str,
    activations: Sequence[Activation],
    clip: float | None,
    input_forget: bool,
) -> tuple[Array, ...]:
    """`lstm` with weights r (8 bits) = (r - zero) * scale, both [D, 1 or 4H].

    Every step quantises the whole h to uint8 by its own range and multiplies integers.
    """
    given = _optional(rest, extras)
    weights = r.astype(np.int32) - zero.astype(np.int32)[:, None, :]

    def product(x: Array, d: int) -> Array:
        points, step_size, origin = quantize_dynamically(x)
        total = (points.astype(np.int32) - int(origin)) @ weights[d]
        return np.asarray(total.astype(x.dtype) * (step_size * scale[d].astype(x.dtype)))

    step = _lstm_step(product, given.get("peepholes"), activations, clip, input_forget)
    return _layer(gates, (h, c), given.get("lens"), direction, step)


def quantize_dynamically(x: Array) -> tuple[Array, Array, Array]:
    """x as uint8 points, their distance and the point of zero; the range includes zero."""
    low, high = np.min(x, initial=0), np.max(x, initial=0)
    step = (high - low) / x.dtype.type(255) if high != low else x.dtype.type(1)
    origin = np.clip(np.rint(-low / step), 0, 255)
    points = np.clip(np.rint(x / step) + origin, 0, 255)
    return points.astype(np.uint8), step, origin


def gru(
    gates: Array,
    r: Array,
    h: Array,
    *rest: Array,
    extras: Sequence[str],
    direction: str,
    activations: Sequence[Activation],
    clip: float | None,
    linear_before_reset: bool,
) -> tuple[Array, ...]:
    """Gates [T, B, D, 3H] in the order z r h, r [D, H, 3H], h [D, B, H].

    `extras`: lens i32[B]; bias [D, H], added to h @ r of the hidden gate before the reset (only with
    `linear_before_reset`). `activations` are (name, alpha, beta) of f, g.

    Results: y [T, D, B, H], h [D, B, H].
    """
    given = _optional(rest, extras)
    weights = r.astype(np.promote_types(r.dtype, np.float32))
    bias = given.get("bias")
    size = h.shape[-1]

    def step(part: Array, state: tuple[Array, ...], d: int) -> tuple[Array, ...]:
        (old,) = state
        f, g = activations[2 * d : 2 * d + 2]
        if linear_before_reset:
            product = old @ weights[d]
            inner = product[:, 2 * size :] + (0 if bias is None else bias[d])
        else:
            product = old @ weights[d][:, : 2 * size]
        z = _activate(part[:, :size] + product[:, :size], f, clip)
        reset = _activate(part[:, size : 2 * size] + product[:, size : 2 * size], f, clip)
        hidden = reset * inner if linear_before_reset else (reset * old) @ weights[d][:, 2 * size :]
        return ((1 - z) * _activate(part[:, 2 * size :] + hidden, g, clip) + z * old,)

    return _layer(gates, (h,), given.get("lens"), direction, step)


def rnn(
    gates: Array,
    r: Array,
    h: Array,
    *rest: Array,
    extras: Sequence[str],
    direction: str,
    activations: Sequence[Activation],
    clip: float | None,
) -> tuple[Array, ...]:
    """Gates [T, B, D, H], r [D, H, H], h [D, B, H]; `extras`: lens. Results: y [T, D, B, H], h [D, B, H]."""
    given = _optional(rest, extras)
    weights = r.astype(np.promote_types(r.dtype, np.float32))

    def step(part: Array, state: tuple[Array, ...], d: int) -> tuple[Array, ...]:
        return (_activate(part + state[0] @ weights[d], activations[d], clip),)

    return _layer(gates, (h,), given.get("lens"), direction, step)


def _recurrent(value: Operation, where: str) -> Iterator[Obligation]:
    gates, r, *rest = value.args
    _, batch, directions, size = gates.shape
    extras = dict(zip(reversed(value.attrs["extras"]), reversed(rest), strict=False))
    states = rest[: len(rest) - len(extras)]
    units = states[-1].shape[2]
    message = f"{where}: the weights W and R do not fit each other"
    yield from alike(r, (directions, units, size), message)
    yield from same(units * _GATES[value.prim], size, message)
    for state in states if value.prim != "lstm_quantized" else states[2:]:
        yield from alike(state, (directions, batch, units), f"{where}: an initial state has a wrong size")
    wanted = {"lens": (batch,), "peepholes": (directions, units * 3), "bias": (directions, units)}
    for name, given in extras.items():
        yield from alike(given, wanted[name], f"{where}: the {name} have a wrong size")


_GATES = {"lstm": 4, "lstm_quantized": 4, "gru": 3, "rnn": 1}

register("lstm", "opaque", lstm, conditions=_recurrent, rows=(0, 4, 5))
register(
    "lstm_quantized", "opaque", lstm_quantized, conditions=_recurrent, rows=(0, 6, 7), constant=(1, 2, 3)
)
register("gru", "opaque", gru, conditions=_recurrent, rows=(0, 3, 4))
register("rnn", "opaque", rnn, conditions=_recurrent, rows=(0, 3))
