"""Mixtures of experts: every expert computes every token, and a token adds up those it is routed to."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, iota, scalar
from sardonyx.ops.onnx.activation import gelu
from sardonyx.ops.onnx.sort import top
from sardonyx.ops.table import op

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
    rows = x.reshape((1, dims.product(x.shape[:-1]), x.shape[-1]))
    gate = Gate(activation_type, swiglu_fusion, activation_alpha, activation_beta, swiglu_limit)
    third = None
    if fc3_experts_weights is not None:
        third = _product(rows, fc3_experts_weights, fc3_experts_bias)
    inner = gate.apply(_product(rows, fc1_experts_weights, fc1_experts_bias), third)
    y = _product(inner, fc2_experts_weights, fc2_experts_bias)
    shares = routed(router_probs, k, bool(normalize_routing_weights)).transpose(1, 0)
    shares = shares.reshape((*shares.shape, 1))
    taken = scalar(0, shares.dtype).lt(shares)
    return taken.where(y * shares, 0).sum(0).reshape(x.shape)
