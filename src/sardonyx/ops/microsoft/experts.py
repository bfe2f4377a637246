"""Mixtures of experts: every expert computes every token, and a token adds up those it is routed to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, iota, scalar
from sardonyx.ops.demands import shaped
from sardonyx.ops.microsoft.weights import unpacked
from sardonyx.ops.onnx.activation import gelu
from sardonyx.ops.onnx.sort import top
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import Node, op

MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Gate:
    """What is done to the first product of an expert; `fusion` tells where SwiGLU finds gates and values."""

    name: str
    fusion: int = 0
    alpha: float = 1.0
    beta: float = 0.0
    limit: float | None = None

    def apply(self, first: Value, third: Value | None) -> Value:
        """The activated product [E, T, I]."""
        match self.name:
            case "relu":
                y = first.max(0)
            case "gelu":
                y = gelu(first, approximate="tanh")
            case "silu":
                y = first * first.sigmoid()
            case "identity":
                y = first
            case "swiglu":
                return self._swiglu(*self._parts(first, third))
            case _:
                raise UnsupportedOp(f'activation_type="{self.name}"')
        return y if third is None else y * third

    def _parts(self, first: Value, third: Value | None) -> tuple[Value, Value]:
        if not self.fusion:
            if third is None:
                raise ShapeError("swiglu needs the third weights or fused ones")
            return first, third
        experts, tokens, width = first.shape
        size, step = (experts, tokens, dims.floordiv(width, 2)), (1, 1, 2 if self.fusion == 1 else 1)
        start: Dim = 1 if self.fusion == 1 else size[2]
        return first.slice((0, 0, 0), size, step), first.slice((0, 0, start), size, step)

    def _swiglu(self, gate: Value, value: Value) -> Value:
        if self.limit is not None:
            gate, value = gate.min(self.limit), value.max(-self.limit).min(self.limit)
        return gate * (gate * self.alpha).sigmoid() * (value + self.beta)


def routed(router: Value, k: int, normalised: bool) -> Value:
    """How much of each expert a token takes, [T, E]: softmax of the scores, 0 but for the best k."""
    e = (router - router.reduce_max(1)).exp()
    weights, chosen = top(e / e.sum(1), k, 1, True)
    if normalised:
        weights = weights / weights.sum(1)
    tokens, experts = router.shape
    number = iota((1, 1, experts), 2, dt.I64)
    hit = chosen.reshape((tokens, k, 1)).eq(number)
    return hit.where(weights.reshape((tokens, k, 1)), 0).sum(1).reshape((tokens, experts))


def _product(x: Value, w: Value, b: Value | None) -> Value:
    """x [1 or E, T, I] times the weights [E, O, I] of every expert, plus its bias."""
    y = x.dot(w.transpose(0, 2, 1))
    return y if b is None else y + b.reshape((b.shape[0], 1, b.shape[1]))


@op("MoE", domain=MICROSOFT)
def mixture_of_experts(
    x: Value,
    router_probs: Value,
    fc1_experts_weights: Value,
    fc1_experts_bias: Value | None,
    fc2_experts_weights: Value,
    fc2_experts_bias: Value | None = None,
    fc3_experts_weights: Value | None = None,
    fc3_experts_bias: Value | None = None,
    *,
    activation_alpha: float = 1.0,
    activation_beta: float = 0.0,
    activation_type: str = "relu",
    k: int = 1,
    normalize_routing_weights: int = 0,
    swiglu_fusion: int = 0,
    swiglu_limit: float | None = None,
    swiglu_limit_after_activation: int = 0,
    use_sparse_mixer: int = 0,
) -> Value:
    """The weighted sum of the k experts that a token's scores choose: fc2(activation(fc1(x)) * fc3(x))."""
    if use_sparse_mixer or swiglu_limit_after_activation:
        raise UnsupportedOp("MoE with a sparse mixer or with limits after the activation")
    gate = Gate(activation_type, swiglu_fusion, activation_alpha, activation_beta, swiglu_limit)
    weights = (fc1_experts_weights, fc2_experts_weights, fc3_experts_weights)
    biases = (fc1_experts_bias, fc2_experts_bias, fc3_experts_bias)
    shares = routed(router_probs, k, bool(normalize_routing_weights))
    return _mixed(x, gate, weights, biases, shares)


def _mixed(
    x: Value, gate: Gate, weights: Sequence[Value | None], biases: Sequence[Value | None], shares: Value
) -> Value:
    """The sum of what the experts make of x, by the shares [T, E] that tokens take of them."""
    first, second, beside = weights
    assert first is not None
    assert second is not None
    rows = x.reshape((1, dims.product(x.shape[:-1]), x.shape[-1]))
    third = None if beside is None else _product(rows, beside, biases[2])
    inner = gate.apply(_product(rows, first, biases[0]), third)
    y = _product(inner, second, biases[1])
    shares = shares.transpose(1, 0)
    shares = shares.reshape((*shares.shape, 1))
    taken = scalar(0, shares.dtype).eq(shares).logical_not()
    return taken.where(y * shares, 0).sum(0).reshape(x.shape)


def _dequantised(
    w: Value | None, scales: Value | None, zeros: Value | None, bits: int, block: int
) -> Value | None:
    """Weights [E, N, K] of bytes that hold points of few bits, in float32."""
    if w is None:
        return None
    if scales is None:
        raise ShapeError("quantised weights need scales")
    points = unpacked(w, bits).cast(dt.F32)
    experts, outputs, width = points.shape
    block_count: Dim = dims.floordiv(width, block) if block else 1
    scale = scales.cast(dt.F32).reshape((experts, outputs, block_count, 1))
    zero: Value = scalar(1 << (bits - 1), dt.F32)
    if zeros is not None:
        each = unpacked(zeros, bits).cast(dt.F32)
        sizes = (experts, outputs, block_count) if block else (experts, outputs)
        zero = each.slice((0,) * each.rank, sizes).reshape((experts, outputs, block_count, 1))
    parts = points.reshape((experts, outputs, block_count, block or width))
    return ((parts - zero) * scale).reshape(points.shape)


@op("QMoE", domain=MICROSOFT)
def quantised_mixture_of_experts(
    x: Value,
    router_probs: Value,
    fc1_experts_weights: Value,
    fc1_scales: Value | None,
    fc1_experts_bias: Value | None,
    fc2_experts_weights: Value,
    fc2_scales: Value | None = None,
    fc2_experts_bias: Value | None = None,
    fc3_experts_weights: Value | None = None,
    fc3_scales: Value | None = None,
    fc3_experts_bias: Value | None = None,
    fc1_zero_points: Value | None = None,
    fc2_zero_points: Value | None = None,
    fc3_zero_points: Value | None = None,
    router_weights: Value | None = None,
    *only_of_gpus: Value | None,
    accuracy_level: int = 0,
    activation_alpha: float = 1.0,
    activation_beta: float = 0.0,
    activation_type: str = "relu",
    block_size: int = 0,
    expert_weight_bits: int = 4,
    fc1_expert_weight_bits: int | None = None,
    fc2_expert_weight_bits: int | None = None,
    fc3_expert_weight_bits: int | None = None,
    k: int = 1,
    normalize_routing_weights: int = 0,
    quant_type: str = "int",
    swiglu_fusion: int = 0,
    swiglu_limit: float | None = None,
    swiglu_limit_after_activation: int = 0,
    use_sparse_mixer: int = 0,
    weights_prepacked: int = -1,
) -> Value:
    """MoE with weights of 2, 4 or 8 bits, each row or block of a row with its own scale.

    Without router weights the shares of the k experts add up to 1 in any case, as onnxruntime has them.
    """
    if use_sparse_mixer or swiglu_limit_after_activation or quant_type != "int" or weights_prepacked > 0:
        raise UnsupportedOp(
            "QMoE of floats, of packed weights, with a sparse mixer or limits after the activation"
        )
    if any(v is not None for v in only_of_gpus):
        raise UnsupportedOp("QMoE with scales of floats")
    gate = Gate(activation_type, swiglu_fusion, activation_alpha, activation_beta, swiglu_limit)
    weights = [
        _dequantised(w, scales, zeros, expert_weight_bits if bits is None else bits, block_size)
        for w, scales, zeros, bits in (
            (fc1_experts_weights, fc1_scales, fc1_zero_points, fc1_expert_weight_bits),
            (fc2_experts_weights, fc2_scales, fc2_zero_points, fc2_expert_weight_bits),
            (fc3_experts_weights, fc3_scales, fc3_zero_points, fc3_expert_weight_bits),
        )
    ]
    biases = [b and b.cast(dt.F32) for b in (fc1_experts_bias, fc2_experts_bias, fc3_experts_bias)]
    shares = _shares(router_probs.cast(dt.F32), router_weights, k, bool(normalize_routing_weights))
    return _mixed(x.cast(dt.F32), gate, weights, biases, shares).cast(x.dtype)


def _shares(router: Value, weights: Value | None, k: int, normalised: bool) -> Value:
    """How much of each expert a token takes [T, E]; the scores alone choose if there are weights."""
    if weights is None:
        return routed(router, k, True)
    shares = _best(router, k).where(weights.cast(dt.F32), 0)
    total = shares.sum(1)
    return total.eq(0).where(scalar(0, dt.F32), shares / total) if normalised else shares


def _best(x: Value, count: int) -> Value:
    """Whether an element [T, N] is among the `count` largest of its row; of equal ones the first are."""
    _, places = top(x, count, 1, True)
    number = iota((1, 1, x.shape[1]), 2, dt.I64)
    hits = places.reshape((x.shape[0], count, 1)).eq(number)
    return scalar(0, dt.I32).lt(hits.cast(dt.I32).sum(1)).reshape(x.shape)


@op("MoEGroupRouter", domain=MICROSOFT)
def group_router(
    logits: Value,
    expert_bias: Value,
    projection_weight: Value | None = None,
    *,
    top_k: int,
    group_topk: int = 2,
    n_group: int = 1,
    router_sentinel: float = -10000.0,
    topk_group: int = 1,
    node: Node,
) -> tuple[Value | None, ...]:
    """Logarithms of the sigmoids of the experts chosen, the best of the best groups; or all sigmoids."""
    rows = logits.reshape((dims.product(logits.shape[:-1]), logits.shape[-1])).cast(dt.F32)
    if projection_weight is not None:
        rows = rows.dot(projection_weight.cast(dt.F32).transpose(1, 0))
    tokens, experts = rows.shape
    share = rows.sigmoid()
    scores = share + shaped(expert_bias, "the bias", experts)
    if not node.outputs[0]:
        return None, scores, share
    allowed = scalar(1, dt.BOOL).broadcast(rows.shape)
    if n_group > 1:
        if not isinstance(experts, int):
            raise needs_size(experts, "the number of experts")
        if experts % n_group:
            raise ShapeError(f"{experts} experts cannot be divided into {n_group} groups")
        size = experts // n_group
        best, _ = top(scores.reshape((tokens * n_group, size)), min(group_topk, size), 1, True)
        groups = _best(best.sum(1).reshape((tokens, n_group)), topk_group).reshape((tokens, n_group, 1))
        allowed = groups.broadcast((tokens, n_group, size)).reshape(rows.shape)
    chosen = _best(allowed.where(scores, -np.inf), top_k).logical_and(allowed)
    return (chosen.where(share.max(1e-20).log(), router_sentinel).cast(logits.dtype),)
