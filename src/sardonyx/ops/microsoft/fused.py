"""Fused operators of com.microsoft, which onnxruntime's own tools write: undone into formulas again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, iota, scalar
from sardonyx.ops.demands import element_type, ranked, shaped, spread_over
from sardonyx.ops.onnx.activation import elu, gelu, hard_sigmoid, leaky_relu
from sardonyx.ops.onnx.conv import conv
from sardonyx.ops.onnx.index import scatter_elements
from sardonyx.ops.onnx.linear import gemm, matrix_product
from sardonyx.ops.onnx.norm import group_normalization, normalize_layer, normalize_rms
from sardonyx.ops.onnx.pool import max_pool
from sardonyx.ops.table import op
from sardonyx.ops.window import SLIDING, Ints, Sliding

MICROSOFT = "com.microsoft"
Floats = Sequence[float]


def _skip(
    x: Value,
    skip: Value,
    gamma: Value,
    beta: Value | None,
    bias: Value | None,
    epsilon: float,
    *,
    centred: bool,
) -> tuple[Value | None, ...]:
    total = x + spread_over(skip, "the skip", x.shape)
    if bias is not None:
        total = total + shaped(bias, "the bias", x.shape[-1])
    gamma = shaped(gamma, "gamma", x.shape[-1])
    beta = None if beta is None else shaped(beta, "beta", x.shape[-1])
    wide = dt.F64 if x.dtype is dt.F64 else dt.F32
    if centred:
        return (*normalize_layer(total, gamma, beta, -1, epsilon, wide), total)
    y, inverse = normalize_rms(total, gamma, -1, epsilon, wide)
    return y, None, inverse, total


@op("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(
    x: Value,
    skip: Value,
    gamma: Value,
    beta: Value | None = None,
    bias: Value | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[Value | None, ...]:
    """LayerNormalization of x + skip + bias; the sum is the fourth result."""
    return _skip(x, skip, gamma, beta, bias, epsilon, centred=True)


@op("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_simplified_layer_normalization(
    x: Value, skip: Value, gamma: Value, bias: Value | None = None, *, epsilon: float = 1e-12
) -> tuple[Value | None, ...]:
    """RMSNormalization of x + skip + bias; the sum is the fourth result."""
    return _skip(x, skip, gamma, None, bias, epsilon, centred=False)


@op("SimplifiedLayerNormalization", strict=False)
@op("SimplifiedLayerNormalization", domain=MICROSOFT, strict=False)
def simplified_layer_normalization(
    x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Value, Value]:
    """RMSNormalization, whose result has the type of the scale, and the inverse root mean square."""
    stash = element_type(stash_type, "stash_type") if x.dtype is not dt.F64 else dt.F64
    return normalize_rms(x, scale, axis, epsilon, stash, scale.dtype)


@op("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(
    input_ids: Value,
    segment_ids: Value | None,
    word_embedding: Value,
    position_embedding: Value,
    segment_embedding: Value | None,
    gamma: Value,
    beta: Value,
    mask: Value | None = None,
    position_ids: Value | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 0,
) -> tuple[Value, ...]:
    """LayerNormalization of the embeddings of words, positions and segments; mask counts; their sum."""
    ranked(input_ids, "input_ids", 2)
    batch, length = input_ids.shape
    places = iota((1, length), 1, input_ids.dtype) if position_ids is None else position_ids
    places = spread_over(places, "position_ids", (batch, length))
    total = word_embedding.gather(input_ids, 0) + position_embedding.gather(places, 0)
    if segment_ids is not None and segment_embedding is not None:
        segments = shaped(segment_ids, "segment_ids", batch, length)
        total = total + segment_embedding.gather(segments, 0)
    gamma, beta = (shaped(v, what, total.shape[-1]) for v, what in ((gamma, "gamma"), (beta, "beta")))
    y, _, _ = normalize_layer(total, gamma, beta, -1, epsilon, dt.F32)
    counts = scalar(0, dt.I32).broadcast((batch,))
    if mask is not None:
        counts = shaped(mask, "the mask", batch, length).eq(1).cast(dt.I32).sum(1).reshape((batch,))
    return y, counts, total


@op("BiasGelu", domain=MICROSOFT)
def bias_gelu(a: Value, b: Value) -> Value:
    """Gelu of a + b."""
    return gelu(a + shaped(b, "the bias B", a.shape[-1]))


@op("FastGelu", domain=MICROSOFT)
def fast_gelu(x: Value, bias: Value | None = None) -> Value:
    """Gelu of x + bias, by tanh."""
    biased = x if bias is None else x + shaped(bias, "the bias", x.shape[-1])
    return gelu(biased, approximate="tanh")


@op("Gelu", domain=MICROSOFT)
def microsoft_gelu(x: Value) -> Value:
    """Gelu by erf."""
    return gelu(x)


@op("QuickGelu", domain=MICROSOFT)
def quick_gelu(x: Value, *, alpha: float = 1.702) -> Value:
    """x * sigmoid(alpha * x)."""
    return x * (x * alpha).sigmoid()


@op("BiasSplitGelu", domain=MICROSOFT)
def bias_split_gelu(x: Value, bias: Value) -> Value:
    """The first half of x + bias times Gelu of the second (last axis)."""
    total = x + shaped(bias, "the bias", x.shape[-1])
    half = dims.floordiv(x.shape[-1], 2)
    lead = total.shape[:-1]
    none = (0,) * len(lead)
    return total.slice((*none, 0), (*lead, half)) * gelu(total.slice((*none, half), (*lead, half)))


@op("BiasAdd", domain=MICROSOFT)
def bias_add(x: Value, bias: Value, skip: Value) -> Value:
    """x + bias + skip."""
    return x + shaped(bias, "the bias", x.shape[-1]) + shaped(skip, "the skip", *x.shape)


@op("BiasSoftmax", domain=MICROSOFT)
def bias_softmax(data: Value, bias: Value, *, is_inner_broadcast: int, axis: int = 1) -> Value:
    """Softmax of data + bias over the axes from `axis` on; the bias may lack middle or leading axes."""
    axis = data.axis(axis)
    if bias.rank < data.rank and is_inner_broadcast:
        lead = bias.rank - (data.rank - axis)
        middle = (1,) * (data.rank - bias.rank)
        bias = bias.reshape((*bias.shape[:lead], *middle, *bias.shape[lead:]))
    x = data + spread_over(bias, "the bias", data.shape)
    axes = range(axis, data.rank)
    e = (x - x.reduce_max(*axes)).exp()
    return e / e.sum(*axes)


def _batch_first(x: Value, batch: int, last: int) -> Value:
    if batch:
        x = x.transpose(*range(1, x.rank - 1), 0, x.rank - 1)
    return x.transpose(*range(x.rank - 2), x.rank - 1, x.rank - 2) if last and x.rank > 1 else x


@op("FusedMatMul", domain=MICROSOFT)
def fused_matmul(
    a: Value,
    b: Value,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Value:
    """alpha * A @ B, both transposed as asked."""
    y = matrix_product(_batch_first(a, transBatchA, transA), _batch_first(b, transBatchB, transB))
    return y if alpha == 1 else y * alpha


op("TransposeMatMul", domain=MICROSOFT)(fused_matmul)


@op("SparseToDenseMatMul", domain=MICROSOFT)
def sparse_to_dense_matmul(
    a: Value,
    b: Value,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    """alpha * A @ B of a sparse matrix A, which is a dense one here."""
    return fused_matmul(a, b, alpha=alpha, transA=transA, transB=transB)


@op("NGramRepeatBlock", domain=MICROSOFT)
def ngram_repeat_block(input_ids: Value, scores: Value, *, ngram_size: int) -> Value:
    """Scores [B, V], -inf for tokens that would repeat an n-gram of the tokens [B, S]."""
    known = ngram_size - 1
    missing = dims.maximum(known - input_ids.shape[1], 0)
    input_ids = input_ids.pad((0, missing), (0, 0))
    batch, length = input_ids.shape
    last = input_ids.slice((0, length - known), (batch, known)).reshape((batch, 1, known))
    grams = input_ids.window((1,), (ngram_size,), (1,), (1,))
    heads, next_ = grams.slice((0, 0, 0), (batch, grams.shape[1], known)), (batch, grams.shape[1])
    differ = heads.eq(last).logical_not().cast(dt.I32).sum(2).reshape(next_)
    tokens = grams.slice((0, 0, known), (*next_, 1)).reshape(next_)
    limits = differ.eq(0).where(scalar(-math.inf, scores.dtype), math.inf)
    return scatter_elements(scores, tokens, limits, axis=1, reduction="min")


def activated(y: Value, activation: str | None, params: Floats) -> Value:
    """An activation by name, with the parameters of the fused node."""
    match activation:
        case None | "":
            return y
        case "Relu":
            return y.max(0)
        case "Tanh":
            return y.tanh()
        case "Sigmoid":
            return y.sigmoid()
        case "LeakyRelu":
            return leaky_relu(y, alpha=params[0] if params else 0.01)
        case "Elu":
            return elu(y, alpha=params[0] if params else 1.0)
        case "Clip" if len(params) >= 2:
            return y.max(params[0]).min(params[1])
        case "HardSigmoid":
            return hard_sigmoid(y, alpha=params[0], beta=params[1]) if len(params) >= 2 else hard_sigmoid(y)
        case "Gelu":
            return gelu(y)
    raise UnsupportedOp(f"the fused activation {activation!r} is not supported")


@op("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    activation: str | None = None,
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    """An activation of Gemm."""
    params = [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None]
    return activated(gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB), activation, params)


@op("GemmFastGelu", domain=MICROSOFT)
def gemm_fast_gelu(x: Value, w: Value, bias: Value | None = None) -> Value:
    """Gelu of x @ w + bias, by tanh."""
    return fast_gelu(matrix_product(x, w), bias)


@op("FusedConv", domain=MICROSOFT)
def fused_conv(
    x: Value,
    w: Value,
    b: Value | None = None,
    z: Value | None = None,
    *,
    activation: str | None = None,
    activation_params: Floats = (),
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """An activation of Conv + z."""
    y = conv(x, w, b, group=group, kernel_shape=kernel_shape, moves=moves)
    y = y if z is None else y + shaped(z, "the addend Z", *y.shape)
    return activated(y, activation, activation_params)


def channels_first(x: Value) -> Value:
    """[N, spatial..., C] as [N, C, spatial...]."""
    return x.transpose(0, x.rank - 1, *range(1, x.rank - 1))


def channels_last(x: Value) -> Value:
    """[N, C, spatial...] as [N, spatial..., C]."""
    return x.transpose(0, *range(2, x.rank), 1)


@op("NhwcConv", domain=MICROSOFT)
def nhwc_conv(
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    group: int = 1,
    kernel_shape: Ints = (),
    moves: Sliding = SLIDING,
) -> Value:
    """Conv of a tensor whose channels come last."""
    y = conv(channels_first(x), w, b, group=group, kernel_shape=kernel_shape, moves=moves)
    return channels_last(y)


@op("NhwcMaxPool", domain=MICROSOFT)
def nhwc_max_pool(
    x: Value,
    *,
    kernel_shape: Ints,
    ceil_mode: int = 0,
    moves: Sliding = SLIDING,
) -> Value:
    """MaxPool of a tensor whose channels come last."""
    y = max_pool(channels_first(x), kernel_shape=kernel_shape, ceil_mode=ceil_mode, moves=moves)[0]
    assert y is not None
    return channels_last(y)


@op("GroupNorm", domain=MICROSOFT)
def group_norm(
    x: Value,
    gamma: Value,
    beta: Value,
    *,
    activation: int,
    groups: int,
    channels_last: int = 1,
    epsilon: float = 1e-5,
) -> Value:
    """GroupNormalization, by default of a tensor whose channels come last, and x * sigmoid(x) if asked."""
    first = channels_first(x) if channels_last else x
    y = group_normalization(first, gamma, beta, num_groups=groups, epsilon=epsilon)
    if activation:
        y = y * y.sigmoid()
    return y.transpose(0, *range(2, y.rank), 1) if channels_last else y
