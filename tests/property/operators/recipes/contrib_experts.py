"""Calls of mixtures of experts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.property.operators.draw import Array, Draw
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, Fixed, recipe
from tests.property.operators.recipes.contrib_fused import sigmoid, tanh_gelu

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": tanh_gelu,
    "silu": lambda x: x * sigmoid(x),
    "identity": lambda x: x,
}


@recipe("MoE", domain="com.microsoft", types="f32")
def mixture_of_experts(d: Draw) -> Call:
    experts, hidden, inner = d.integer(1, 4), d.one_of(4, 8, 17), d.one_of(1, 6, 16)
    k, normalised = d.integer(1, experts), d.flag()
    lead = (d.integer(1, 5),) if d.flag() else (d.integer(1, 2), d.integer(1, 4))
    tokens = int(np.prod(lead))
    name, fusion = d.one_of(*ACTIVATIONS, "swiglu"), d.one_of(0, 1, 2)
    fused = name == "swiglu" and fusion > 0
    x = d.within((*lead, hidden), -2, 2)
    router = (d.random().permutation(tokens * experts).reshape(tokens, experts) / 4).astype(np.float32)
    first, second = inner * (2 if fused else 1), d.within((experts, hidden, inner), -1, 1)
    w1, w3 = (d.within((experts, rows, hidden), -1, 1) for rows in (first, inner))
    b1, b2, b3 = (d.maybe(d.within((experts, rows), -1, 1)) for rows in (first, hidden, inner))
    third = name == "swiglu" and not fused
    if not third:
        w3, b3 = None, None
    limit = d.maybe(1.5) if name == "swiglu" else None

    def expert(e: int, rows: Array) -> Array:
        g = rows @ w1[e].T.astype(np.float64) + (0 if b1 is None else b1[e])
        if name != "swiglu":
            inside = ACTIVATIONS[name](g)  # type: ignore[no-untyped-call]
        else:
            if fused:
                g, value = (g[:, ::2], g[:, 1::2]) if fusion == 1 else np.split(g, 2, 1)
            else:
                value = rows @ w3[e].T.astype(np.float64) + (0 if b3 is None else b3[e])
            if limit is not None:
                g, value = np.minimum(g, limit), np.clip(value, -limit, limit)
            inside = g * sigmoid(1.75 * g) * (value + 1)
        return np.asarray(inside @ second[e].T.astype(np.float64) + (0 if b2 is None else b2[e]))

    def judge(*_: Any) -> Array:
        rows = x.reshape(tokens, hidden).astype(np.float64)
        shares = np.exp(router - router.max(1, keepdims=True).astype(np.float64))
        shares /= shares.sum(1, keepdims=True)
        least = -np.sort(-shares, 1)[:, k - 1 : k]
        shares = np.where(shares >= least, shares, 0)
        if normalised:
            shares /= shares.sum(1, keepdims=True)
        y = sum(shares[:, e : e + 1] * expert(e, rows) for e in range(experts))
        return np.asarray(y).reshape(x.shape).astype(np.float32)

    attributes: dict[str, Any] = {"k": k, "activation_type": name}
    attributes["normalize_routing_weights"] = int(normalised)
    if name == "swiglu":
        attributes |= {"activation_alpha": 1.75, "activation_beta": 1.0, "swiglu_fusion": fusion}
        attributes["swiglu_limit"] = limit
    weights = [v if v is None else Fixed(v) for v in (w1, b1, second, b2, w3, b3)]
    call = formula(judge, exact=True)
    return Call([x, router, *weights], 1, call, hidden + inner, 80.0, **attributes)
