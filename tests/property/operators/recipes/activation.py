"""Calls of activations and of what normalises along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.property.operators.draw import Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

Array = np.ndarray[Any, Any]
PARAMETERS = {
    "Celu": ("alpha",),
    "Elu": ("alpha",),
    "LeakyRelu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "Swish": ("alpha",),
    "Selu": ("alpha", "gamma"),
    "HardSigmoid": ("alpha", "beta"),
    "Shrink": ("lambd", "bias"),
}


@recipe("Relu", "Sigmoid", "Tanh", "Softplus", "Mish", *PARAMETERS)
def activation(d: Draw) -> Call:
    given = {name: d.maybe(d.one_of(0.5, 1.0, 1.5, 0.125)) for name in PARAMETERS.get(d.operator, ())}
    if d.operator == "Selu" and d.opset < 6:  # the reference has the defaults of later opsets
        given = {name: value or 1.25 for name, value in given.items()}
    if d.operator in ("Elu", "Celu", "Selu", "HardSigmoid"):
        return Call([d.array(d.shape(), specials="nonfinite")], length=1, **given)
    return Call([d.array(d.shape())], zeros=False, **given)


@recipe("HardSwish")
def hard_swish(d: Draw) -> Call:
    x = d.array(d.shape(), specials="nonfinite")
    return Call([x], judge=formula(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)), length=1)


@recipe("Softsign")
def softsign(d: Draw) -> Call:
    return Call([d.array(d.shape())], judge=formula(lambda x: x / (1 + np.abs(x))))


@recipe("Gelu")
def gelu(d: Draw) -> Call:
    approximate = d.maybe(d.one_of("none", "tanh"))
    judge = formula(_gelu_tanh if approximate == "tanh" else _gelu)
    return Call([d.array(d.shape(), specials="nonfinite")], judge=judge, length=1, approximate=approximate)


def _gelu(x: Array) -> Array:
    return x * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2))) / 2


def _gelu_tanh(x: Array) -> Array:
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


@recipe("PRelu")
def prelu(d: Draw) -> Call:
    x = d.array(d.shape(least=1))
    if d.opset < 7:
        slope = d.array((1,) if d.flag() or x.ndim < 2 else x.shape[1:2], specials="none")
        fits = slope if slope.size == 1 else slope.reshape(slope.shape + (1,) * (x.ndim - 2))
        return Call([x, slope], judge=formula(lambda x, _: np.where(x < 0, x * fits, x)), zeros=False)
    slope = d.array(tuple(n if d.flag() else 1 for n in x.shape[d.integer(0, x.ndim) :]))
    return Call([x, slope], judge=formula(lambda x, slope: np.where(x < 0, x * slope, x)), zeros=False)


def _rows(compute: Callable[[Array], Array], axis: int) -> Callable[[Array], Array]:
    """Before opset 13 all axes from one on are one."""

    def run(x: Array) -> Array:
        return compute(x.reshape(*x.shape[:axis], -1)).reshape(x.shape)

    return run


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _hardmax(x: Array) -> Array:
    return np.eye(x.shape[-1], dtype=x.dtype)[x.argmax(-1)]


ROWS = {"Softmax": _softmax, "LogSoftmax": lambda x: np.log(_softmax(x)), "Hardmax": _hardmax}


@recipe("Softmax", "LogSoftmax", "Hardmax")
def softmax(d: Draw) -> Call:
    specials = "none" if d.operator == "Hardmax" else "nonfinite"
    x = d.array(d.shape(least=1, low=1), specials=specials)
    if d.opset >= 13:
        return Call([x], length=x.size, axis=d.maybe(d.axis(x.ndim)))
    axis = d.integer(0, x.ndim - 1)
    judge = formula(_rows(ROWS[d.operator], axis))
    return Call([x], judge=judge, length=x.size, axis=None if axis == 1 and d.flag() else axis)


@recipe("LpNormalization")
def lp_normalization(d: Draw) -> Call:
    x = d.array(d.shape(least=1), specials="none")
    axis, p = d.maybe(d.axis(x.ndim)), d.maybe(d.one_of(1, 2))
    judge = formula(partial(_normalised, axis=-1 if axis is None else axis, p=p or 2))
    return Call([x], judge=judge, length=x.size, axis=axis, p=p)


def _normalised(x: Array, axis: int, p: int) -> Array:
    norm = (np.abs(x) ** p).sum(axis, keepdims=True) ** (1 / p)
    return np.where(norm == 0, 0, x / norm)
