"""Steps of optimisers (ai.onnx.preview.training), as formulas: Adagrad, Adam, Momentum.

Inputs are the rate r, the count of steps t, and for each of several tensors its values, gradients and states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Value, scalar
from sardonyx.ops.table import op

DOMAIN = "ai.onnx.preview.training"


def _each(tensors: Sequence[Value], kinds: int, step: Callable[..., tuple[Value, ...]]) -> tuple[Value, ...]:
    """The results of `step` for each tensor and its companions, ordered by kind."""
    if len(tensors) % kinds:
        raise ShapeError(f"{len(tensors)} tensors do not come in groups of {kinds}")
    count = len(tensors) // kinds
    results = [step(*tensors[i::count]) for i in range(count)]
    return tuple(value for kind in zip(*results, strict=True) for value in kind)


def _rate(r: Value, like: Value) -> Value:
    return r.reshape(()).cast(like.dtype)


@op("Adagrad", domain=DOMAIN)
def adagrad(
    r: Value,
    t: Value,
    *inputs: Value,
    decay_factor: float = 0.0,
    epsilon: float = 1e-6,
    norm_coefficient: float = 0.0,
) -> tuple[Value, ...]:
    """x - rate * g / (sqrt(h) + epsilon), where h sums the squares of all gradients."""

    def step(x: Value, g: Value, h: Value) -> tuple[Value, ...]:
        rate = _rate(r, x) / (_rate(t, x) * decay_factor + 1.0)
        gradient = x * norm_coefficient + g
        squares = h + gradient * gradient
        return x - rate * gradient / (squares.sqrt() + epsilon), squares

    return _each(inputs, 3, step)


@op("Adam", domain=DOMAIN)
def adam(
    r: Value,
    t: Value,
    *inputs: Value,
    alpha: float = 0.9,
    beta: float = 0.999,
    epsilon: float = 1e-6,
    norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> tuple[Value, ...]:
    """x - rate * v / (sqrt(h) + epsilon), where v and h follow the gradients and their squares."""

    def step(x: Value, g: Value, v: Value, h: Value) -> tuple[Value, ...]:
        count, one = t.reshape(()).cast(dt.F64), scalar(1, dt.F64)
        bias = (one - scalar(beta, dt.F64).pow(count)).sqrt() / (one - scalar(alpha, dt.F64).pow(count))
        factor = scalar(0, dt.F64).lt(count).where(bias, 1.0).cast(x.dtype)
        gradient = x * norm_coefficient + g
        speed = v * alpha + gradient * (1 - alpha)
        squares = h * beta + gradient * gradient * (1 - beta)
        moved = x - _rate(r, x) * factor * speed / (squares.sqrt() + epsilon)
        return moved * (1 - norm_coefficient_post), speed, squares

    return _each(inputs, 4, step)


@op("Momentum", domain=DOMAIN)
def momentum(
    r: Value,
    t: Value,
    *inputs: Value,
    alpha: float,
    beta: float,
    mode: str,
    norm_coefficient: float,
) -> tuple[Value, ...]:
    """x - rate * v, where v follows the gradients; in mode nesterov it looks one step ahead."""

    def step(x: Value, g: Value, v: Value) -> tuple[Value, ...]:
        share = scalar(0, t.dtype).lt(t.reshape(())).where(scalar(beta, x.dtype), 1.0)
        gradient = x * norm_coefficient + g
        speed = v * alpha + share * gradient
        return x - _rate(r, x) * (gradient + speed * alpha if mode == "nesterov" else speed), speed

    return _each(inputs, 3, step)
