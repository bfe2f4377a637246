"""Losses of classifications, as formulas over the scores of classes and the classes that are right.

Scores are [N, C, d1, ...], targets [N, d1, ...], weights of classes [C].
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, make, scalar
from sardonyx.ops.demands import ANY, ranked, shaped
from sardonyx.ops.onnx.reduce import log_softmax_over
from sardonyx.ops.table import op


@op("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood(
    x: Value,
    target: Value,
    weight: Value | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Value:
    """-x at the class of each target, times the weight of the class; nothing where the target is ignored."""
    ranked(x, "the input", 2, ANY)
    target = shaped(target, "the target", x.shape[0], *x.shape[2:]).cast(dt.I64)
    wide = dt.F32 if x.dtype.is_half else x.dtype
    ignored = scalar(0, dt.BOOL) if ignore_index is None else target.eq(ignore_index)
    target = ignored.where(scalar(0, dt.I64), target)
    share = scalar(1, wide).broadcast(target.shape)
    if weight is not None:
        share = shaped(weight, "the weight", x.shape[1]).cast(wide).gather(target, 0)
    share = ignored.where(scalar(0, wide), share)
    index = target.reshape((x.shape[0], 1, *x.shape[2:]))
    picked = make("gather_elements", (x, index), {"axis": 1}, x.dtype, index.shape).reshape(target.shape)
    each = -picked.cast(wide) * share
    if reduction == "none":
        return each.cast(x.dtype)
    everywhere = range(each.rank)
    total = each.sum(*everywhere)
    if reduction == "mean":
        total = total / share.sum(*everywhere)
    elif reduction != "sum":
        raise UnsupportedOp(f'reduction="{reduction}"')
    return total.reshape(()).cast(x.dtype)


@op("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy(
    scores: Value,
    labels: Value,
    weights: Value | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> tuple[Value, Value]:
    """The loss of log(softmax(scores)) at the labels, and these logarithms."""
    ranked(scores, "the scores", 2, ANY)
    labels = shaped(labels, "the labels", scores.shape[0], *scores.shape[2:])
    if weights is not None:
        weights = shaped(weights, "the weights", scores.shape[1])
    logs = log_softmax_over(scores, 1)
    loss = negative_log_likelihood(logs, labels, weights, ignore_index=ignore_index, reduction=reduction)
    return loss, logs
