"""Calls of the fused real operators of com.microsoft."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.property.operators.definitions.windows import WIDTHS
from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, recipe

CONTRIB = "com.microsoft"
erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Array) -> Array:
    """X times the probability of a normal variable below x."""
    return np.asarray(x * 0.5 * (1 + (erf(x / math.sqrt(2)) if x.size else x)))


def tanh_gelu(x: Array) -> Array:
    """Its approximation by tanh."""
    return np.asarray(x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-x)))


def rows(d: Draw, *more: int) -> Array:
    """Moderate numbers [..., width]."""
    return d.within((*d.shape(0, 2, 0, 4), *(more or (d.one_of(*WIDTHS),))), -6, 6)


@recipe("Gelu", "FastGelu", "QuickGelu", "ScaledSiLU", domain=CONTRIB, types="f32")
def activation(d: Draw) -> Call:
    x = rows(d)
    alpha = d.one_of(1.0, 1.75, 0.5)
    second: Any = None
    if d.operator == "FastGelu":
        second = d.maybe(d.within(x.shape[-1:], -2, 2))
    if d.operator == "ScaledSiLU":
        second = d.maybe(d.within(d.one_of((), (1,)), 0.5, 2))

    def judge(x: Array, second: Array | None = None) -> Array:
        match d.operator:
            case "Gelu":
                return gelu(x)
            case "FastGelu":
                return tanh_gelu(x if second is None else x + second)
            case "QuickGelu":
                return x * sigmoid(alpha * x)
        z = x * (alpha if second is None else second)
        return z * sigmoid(z)

    attributes = {"alpha": alpha} if d.operator in ("QuickGelu", "ScaledSiLU") else {}
    return Call([x, second], 1, formula(judge), 2, 8.0, **attributes)


@recipe("BiasGelu", "BiasAdd", "BiasSplitGelu", domain=CONTRIB, types="f32")
def biased(d: Draw) -> Call:
    if d.operator == "BiasGelu":
        x = rows(d)
        return Call([x, d.within(x.shape[-1:], -2, 2)], 1, formula(lambda x, b: gelu(x + b)), 2, 8.0)
    width = 2 * d.one_of(*WIDTHS)
    x = d.within((d.one_of(1, 2, 0), d.integer(1, 4), width), -6, 6)
    b = d.within((width,), -2, 2)
    if d.operator == "BiasAdd":
        return Call([x, b, d.within(x.shape, -2, 2)], 1, formula(lambda x, b, s: x + b + s), 3)

    def judge(x: Array, b: Array) -> Array:
        left, right = np.split(x + b, 2, -1)
        return left * gelu(right)

    return Call([x, b], 1, formula(judge), 2, 64.0)


@recipe("BiasSoftmax", domain=CONTRIB, types="f32 f16 f64")
def bias_softmax(d: Draw) -> Call:
    inner = d.flag()
    x = d.within((d.integer(1, 3), d.integer(1, 3), d.integer(1, 3), d.one_of(*WIDTHS)), -6, 6)
    axis, shape = 3, (x.shape[0], 1, 1, x.shape[3]) if inner else (1, *x.shape[1:])

    def judge(x: Array, bias: Array) -> Array:
        y = np.exp(x + bias - (x + bias).max(-1, keepdims=True))
        return np.asarray(y / y.sum(-1, keepdims=True))

    attributes = {"axis": axis, "is_inner_broadcast": int(inner)}
    return Call([x, d.within(shape, -6, 6)], 1, formula(judge), x.shape[3], 2.0, **attributes)


@recipe("FusedMatMul", "TransposeMatMul", "GemmFastGelu", domain=CONTRIB, types="f32 f64")
def products(d: Draw) -> Call:
    lead = d.shape(0, 2, 0, 3)
    m, k, n = (d.one_of(*WIDTHS) for _ in range(3))
    batched = bool(lead) and d.operator == "FusedMatMul"
    batches = [int(batched and d.flag()) for _ in "ab"]
    if d.operator == "GemmFastGelu":
        x, w, b = d.within((*lead, m, k), -1, 1), d.within((k, n), -1, 1), d.maybe(d.within((n,), -1, 1))

        def judge(x: Array, w: Array, b: Array | None) -> Array:
            return tanh_gelu(x @ w if b is None else x @ w + b)

        return Call([x, w, b], 1, formula(judge), k, float(k + 1))
    turned = [int(d.flag()) for _ in "ab"]
    a, b = (d.within((*lead, *size), -2, 2) for size in ((m, k), (k, n)))
    alpha = d.one_of(1.0, 0.5, -2.0)

    def stored(x: Array, batch: int, last: int) -> Array:
        y = x.swapaxes(-1, -2) if last else x
        return np.moveaxis(y, -2, 0).copy() if batch else np.array(y)

    expected = alpha * (a.astype(np.float64) @ b.astype(np.float64))
    inputs = [stored(x, batch, last) for x, batch, last in zip((a, b), batches, turned, strict=True)]
    attributes: dict[str, Any] = {"alpha": alpha, "transA": turned[0], "transB": turned[1]}
    if d.operator == "FusedMatMul":
        attributes |= {"transBatchA": batches[0], "transBatchB": batches[1]}
    return Call(inputs, 1, formula(lambda *_: expected), k, 8.0 * k, **attributes)


@recipe("FusedGemm", domain=CONTRIB, types="f32")
def fused_gemm(d: Draw) -> Call:
    m, k, n = (d.one_of(*WIDTHS) for _ in range(3))
    turned = [int(d.flag()) for _ in "ab"]
    a, b = d.within((k, m) if turned[0] else (m, k), -2, 2), d.within((n, k) if turned[1] else (k, n), -2, 2)
    c = d.maybe(d.within(d.one_of((m, n), (n,), (1, n), (m, 1)), -2, 2))
    alpha, beta = d.one_of(1.0, 0.5), d.one_of(1.0, 2.0)
    name = d.one_of("Relu", "LeakyRelu", "Tanh", "Sigmoid")

    def judge(a: Array, b: Array, c: Array | None) -> Array:
        y = alpha * ((a.T if turned[0] else a) @ (b.T if turned[1] else b)) + (0 if c is None else beta * c)
        match name:
            case "Relu":
                return np.maximum(y, 0)
            case "LeakyRelu":
                return np.where(y < 0, 0.25 * y, y)
            case "Tanh":
                return np.tanh(y)
        return sigmoid(y)

    attributes: dict[str, Any] = {"alpha": alpha, "beta": beta, "transA": turned[0], "transB": turned[1]}
    if name == "LeakyRelu":
        attributes["activation_alpha"] = 0.25
    return Call([a, b, c], 1, formula(judge), k + 1, 4.0 * k + 4, activation=name, **attributes)


@recipe("GatedAdd", domain=CONTRIB, types="f32 f16")
def gated_add(d: Draw) -> Call:
    x = rows(d)
    inputs = [x, d.within(x.shape, -6, 6), d.within((*x.shape[:-1], 1), -2, 2)]
    return Call(inputs, 1, formula(lambda x, y, g: x + y * g), 2, 20.0)


@recipe("LinearAttentionGate", domain=CONTRIB, types="f32 f16")
def linear_attention_gate(d: Draw) -> Call:
    shape = (d.one_of(1, 2, 0), d.integer(1, 4), d.one_of(*WIDTHS))
    a, b = d.within(shape, -6, 6), d.maybe(d.within(shape, -6, 6))
    bias, decay = (d.within(shape[2:], -2, 2, np.float32) for _ in range(2))

    def judge(a: Array, bias: Array, decay: Array, b: Array | None) -> Any:
        y = decay * np.log1p(np.exp(a + bias))
        return y if b is None else (y, sigmoid(b))

    return Call([a, bias, decay, b], 1 if b is None else 2, formula(judge), 2, 10.0)
