"""Attention by a state that every token changes: LinearAttention and GatedDeltaNet of com.microsoft.

A state S [B, H, K, V] for each head; a token fades it, adds k (v - what S already gives for k), and reads it
with q. Everything is computed in float32.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, dim_value, scalar
from sardonyx.ops.demands import ranked, shaped
from sardonyx.ops.onnx.activation import softplus
from sardonyx.ops.onnx.scan import scan_over
from sardonyx.ops.operands import needs_size, units
from sardonyx.ops.subgraph import Formula
from sardonyx.ops.table import op

MICROSOFT = "com.microsoft"
RULES = ("linear", "gated", "delta", "gated_delta")


def recurrent(parts: dict[str, Value], state: Value, scale: Value | float) -> tuple[Value, Value]:
    """What the tokens read [T, B, H, V], and the last state [B, H, K, V].

    `parts` are q and k [T, B, H, K], v [T, B, H, V], and if the rule has them decay [T, B, H, K or 1], the
    logarithm of what is left of the state, and beta [T, B, H, 1], how much of a token is written.
    """

    def step(state: Value, *given: Value) -> tuple[Value, ...]:
        now = dict(zip(parts, given, strict=True))
        rows = {name: x.reshape((*x.shape, 1)) for name, x in now.items() if name != "v"}
        v = now["v"].reshape((*now["v"].shape[:-1], 1, now["v"].shape[-1]))
        if "decay" in rows:
            state = state * rows["decay"].exp()
        if "beta" in rows:
            v = rows["beta"] * (v - (state * rows["k"]).sum(2))
        state = state + rows["k"] * v
        return state, ((state * rows["q"]).sum(2) * scale).reshape(now["v"].shape)

    body = Formula(("state", *parts), ("state", "read"), step)
    last, read = scan_over(body, (state,), tuple(parts.values()))
    return read, last


def _heads(x: Value, what: str, heads: int) -> Value:
    """[B, T, H * D] as float32 [T, B, H, D]."""
    ranked(x, what, 3)
    width = dims.floordiv(x.shape[2], heads)
    if dims.equal(width * heads, x.shape[2]) is False:
        raise ShapeError(f"{what} has the shape {list(x.shape)}, which cannot be divided into {heads} heads")
    return x.cast(dt.F32).reshape((*x.shape[:2], heads, width)).transpose(1, 0, 2, 3)


def _spread(x: Value, times: int) -> Value:
    """[T, B, H, D] with every head `times` times."""
    if times == 1:
        return x
    t, b, h, d = x.shape
    return x.reshape((t, b, h, 1, d)).broadcast((t, b, h, times, d)).reshape((t, b, h * times, d))


def _rule(update_rule: str, decay: Value | None, beta: Value | None) -> tuple[bool, bool]:
    """Whether a rule fades the state, and whether it writes differences."""
    if update_rule not in RULES:
        raise UnsupportedOp(f'update_rule="{update_rule}"')
    fades, differs = update_rule.startswith("gated"), update_rule.endswith("delta")
    if (fades and decay is None) or (differs and beta is None):
        raise ShapeError(f"the rule {update_rule} needs {'decay' if decay is None and fades else 'beta'}")
    return fades, differs


def _together(queries: int, keys: int) -> int:
    """The heads of both, of which one count is a multiple of the other."""
    most = max(queries, keys)
    if min(queries, keys) < 1 or most % queries or most % keys:
        raise ShapeError(f"{queries} heads of queries and {keys} of keys do not go together")
    return most


@op("LinearAttention", domain=MICROSOFT)
def linear_attention(
    query: Value,
    key: Value,
    value: Value,
    past_state: Value | None = None,
    decay: Value | None = None,
    beta: Value | None = None,
    *,
    q_num_heads: int,
    kv_num_heads: int,
    chunk_size: int = 64,
    scale: float = 0.0,
    state_window: int = 0,
    update_rule: str = "gated_delta",
) -> tuple[Value, Value]:
    """What each token [B, T, H * V] reads, and the last state [B, H, K, V]."""
    if state_window:
        raise UnsupportedOp("LinearAttention with a window of states")
    fades, differs = _rule(update_rule, decay, beta)
    most = _together(q_num_heads, kv_num_heads)
    times = most // kv_num_heads
    q, k, v = (
        _heads(x, what, heads)
        for x, what, heads in (
            (query, "the query", q_num_heads),
            (key, "the key", kv_num_heads),
            (value, "the value", kv_num_heads),
        )
    )
    parts = {"q": _spread(q, most // q_num_heads), "k": _spread(k, times), "v": _spread(v, times)}
    if fades and decay is not None:
        parts["decay"] = _spread(_heads(decay, "the decay", kv_num_heads), times)
    length, batch, _, width = v.shape
    if differs and beta is not None:
        shared = kv_num_heads > 1 and units(beta.shape[-1:], "whether all heads share the update rate")[0]
        rate = _heads(beta, "beta", 1 if shared else kv_num_heads)
        parts["beta"] = rate.broadcast((length, batch, most, 1)) if shared else _spread(rate, times)
    shape = (batch, kv_num_heads, k.shape[3], width)
    dtype, state = query.dtype, scalar(0, dt.F32).broadcast((batch, most, *shape[2:]))
    if past_state is not None:
        dtype = past_state.dtype
        flat = shaped(past_state, "past_state", *shape).cast(dt.F32)
        flat = flat.reshape((1, batch, kv_num_heads, shape[2] * width))
        state = _spread(flat, times).reshape(state.shape)
    read, last = recurrent(parts, state, scale or dim_value(shape[2], dt.F32).pow(-0.5))
    y = read.transpose(1, 0, 2, 3).reshape((batch, length, most * width))
    last = last.slice((0,) * 4, shape, (1, times, 1, 1))
    return y.cast(query.dtype), last.cast(dtype)


def _unit(x: Value, gate: str) -> Value:
    # onnxruntime's kernel for this gate has an epsilon that its others do not have.
    least = 1e-6 if gate in ("sigmoid", "kda") else 1e-12
    return x / ((x * x).sum(3) + least).sqrt()


@op("GatedDeltaNet", domain=MICROSOFT)
def gated_delta_net(
    query: Value,
    key: Value | None = None,
    value: Value | None = None,
    cu_seqlens: Value | None = None,
    decay: Value | None = None,
    beta: Value | None = None,
    initial_state: Value | None = None,
    a_log: Value | None = None,
    dt_bias: Value | None = None,
    capture_count: Value | None = None,
    state_update_active: Value | None = None,
    *,
    beta_activation: str = "none",
    chunk_size: int = 64,
    gate_activation: str = "none",
    gate_lower_bound: float = -5.0,
    qk_l2_norm: int = 0,
    scale: float = 0.0,
    state_update_capacity: int = 0,
    update_rule: str = "gated_delta",
) -> tuple[Value, Value]:
    """What each token reads, in the layout of the value, and the last state [B, H, V, K] in float32."""
    if key is None or value is None or cu_seqlens is not None or state_update_capacity:
        raise UnsupportedOp(
            "GatedDeltaNet of packed or ragged tokens, or with updates of the state as results"
        )
    fades, differs = _rule(update_rule, decay, beta)
    ranked(query, "the query", 3, 4)
    if initial_state is None and query.rank == 3:
        raise ShapeError("the initial state tells the batch, it is missing")
    batch: Dim = query.shape[0] if initial_state is None or query.rank == 4 else initial_state.shape[0]
    length = dims.floordiv(dims.product(query.shape[:-2]), batch)

    def tokens(x: Value) -> Value:
        """[tokens, H, D] as float32 [T, B, H, D]."""
        return x.cast(dt.F32).reshape((batch, length, *x.shape[-2:])).transpose(1, 0, 2, 3)

    heads, width, depth = value.shape[-2], value.shape[-1], query.shape[-1]
    queries = query.shape[-2]
    if not isinstance(heads, int) or not isinstance(queries, int):
        raise needs_size(queries if isinstance(heads, int) else heads, "the number of heads")
    times = _together(queries, heads) // queries
    q, k = (_unit(tokens(x), gate_activation) if qk_l2_norm else tokens(x) for x in (query, key))
    parts = {"q": _spread(q, times), "k": _spread(k, times), "v": tokens(value)}
    if fades and decay is not None:
        columns = (heads, 1 if decay.rank == value.rank - 1 else depth)
        given = tokens(decay.reshape((*value.shape[:-2], *columns)))
        parts["decay"] = _gate(given, gate_activation, gate_lower_bound, a_log, dt_bias)
    if differs and beta is not None:
        rate = tokens(beta.reshape((*value.shape[:-2], heads, 1)))
        if beta_activation not in ("none", "sigmoid"):
            raise UnsupportedOp(f'beta_activation="{beta_activation}"')
        parts["beta"] = rate.sigmoid() if beta_activation == "sigmoid" else rate
    state = scalar(0, dt.F32).broadcast((batch, heads, depth, width))
    if initial_state is not None:
        state = shaped(initial_state, "the initial state", batch, heads, width, depth).transpose(0, 1, 3, 2)
    read, last = recurrent(parts, state, scale or dim_value(depth, dt.F32).pow(-0.5))
    y = read.transpose(1, 0, 2, 3).reshape(value.shape)
    return y.cast(query.dtype), last.transpose(0, 1, 3, 2)


def _gate(x: Value, activation: str, lowest: float, a_log: Value | None, bias: Value | None) -> Value:
    """The decay [T, B, H, K or 1] of what the model projected."""
    if activation == "none":
        return x
    if bias is not None:
        whole = dims.equal(bias.size, x.shape[2] * x.shape[3])
        x = x + bias.reshape((x.shape[2], x.shape[3] if whole else 1))
    rate = scalar(1, dt.F32) if a_log is None else a_log.reshape((x.shape[2], 1)).exp()
    if activation in ("softplus", "qwen"):
        return -rate * softplus(x)
    if activation in ("sigmoid", "kda"):
        return (rate * x).sigmoid() * lowest
    raise UnsupportedOp(f'gate_activation="{activation}"')
