"""Calls of steps of optimisers, and of losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

TRAINING = "ai.onnx.preview.training"


@recipe("Adagrad", "Adam", "Momentum", domain=TRAINING, types="f32 f64")
def step(d: Draw) -> Call:
    count, kinds = d.integer(1, 2), {"Adagrad": 2, "Adam": 3, "Momentum": 2}[d.operator]
    shapes = [d.shape(0, 2, 0, 17) for _ in range(count)]
    states = 1 if d.operator == "Momentum" else 0
    groups = [[d.within(shape, -2, 2) for shape in shapes] for _ in range(2 + states)]
    if d.operator != "Momentum":
        groups += [[d.within(shape, -2, 2) for shape in shapes]] * (kinds - 2)
        groups.append([d.within(shape, 0.5, 2) for shape in shapes])
    rate, number = d.one_of(0.25, 0.125), d.integer(0, 5)
    norm = d.one_of(0.0, 0.25)
    attributes: dict[str, Any] = {"norm_coefficient": norm}
    if d.operator == "Adagrad":
        attributes |= {"decay_factor": d.one_of(0.0, 0.5), "epsilon": 2.0**-10}
    elif d.operator == "Adam":
        attributes |= {"alpha": 0.75, "beta": 0.875, "epsilon": 2.0**-10, "norm_coefficient_post": norm}
    else:
        attributes |= {"alpha": 0.75, "beta": 0.875, "mode": d.one_of("standard", "nesterov")}

    def judge(rate: Array, number: Array, *values: Array) -> Any:
        parts = [values[n : n + count] for n in range(0, len(values), count)]
        steps = [
            _step(d.operator, attributes, float(rate), int(number), *[part[n] for part in parts])
            for n in range(count)
        ]
        return tuple(y for kind in zip(*steps, strict=True) for y in kind)

    inputs = [np.asarray(rate, d.element), np.asarray(number, np.int64)]
    values = [v for group in groups for v in group]
    return Call([*inputs, *values], (len(groups) - 1) * count, formula(judge), 4, 10.0, **attributes)


def _step(kind: str, at: dict[str, Any], rate: float, number: int, *given: Array) -> tuple[Array, ...]:
    x, g = given[:2]
    g = at["norm_coefficient"] * x + g
    if kind == "Adagrad":
        h = given[2] + g * g
        return x - rate / (1 + number * at["decay_factor"]) * g / (np.sqrt(h) + at["epsilon"]), h
    if kind == "Momentum":
        v = at["alpha"] * given[2] + (at["beta"] if number else 1) * g
        return x - rate * (g + at["alpha"] * v if at["mode"] == "nesterov" else v), v
    v, h = at["alpha"] * given[2] + (1 - at["alpha"]) * g, at["beta"] * given[3] + (1 - at["beta"]) * g * g
    if number:
        rate = rate * np.sqrt(1 - at["beta"] ** number) / (1 - at["alpha"] ** number)
    y = x - rate * v / (np.sqrt(h) + at["epsilon"])
    return (1 - at["norm_coefficient_post"]) * y, v, h


@recipe("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(d: Draw) -> Call:
    classes = d.one_of(1, 3, 17)
    batch, rest = d.integer(1, 4), d.shape(0, 2, 1, 3)
    x = d.within((batch, classes, *rest), -3, 3)
    target = d.within((batch, *rest), 0, classes - 1, np.int64)
    weights = d.maybe(d.within((classes,), 0.5, 2))
    ignored, reduction = d.maybe(d.one_of(0, -1)), d.one_of("mean", "sum", "none")
    if ignored == -1:
        target.reshape(-1)[: target.size // 2] = -1
    softened = d.operator == "SoftmaxCrossEntropyLoss"
    asked = softened and d.flag()

    def judge(x: Array, target: Array, weights: Array | None = None) -> Any:
        logs = x - np.log(np.exp(x).sum(1, keepdims=True)) if softened else x
        kept = np.ones(target.shape, bool) if ignored is None else target != ignored
        index = np.where(kept, target, 0)
        picked = np.take_along_axis(logs, index[:, None], 1)[:, 0]
        weight = kept * (1.0 if weights is None else weights[index])
        each = -picked * weight
        y = {"none": each, "sum": each.sum(), "mean": each.sum() / weight.sum()}[reduction]
        return (np.asarray(y), logs) if asked else np.asarray(y)

    call: dict[str, Any] = {"reduction": reduction, "ignore_index": ignored}
    return Call([x, target, weights], 1 + asked, formula(judge), x.size, 10.0 * x.size, zeros=False, **call)
