"""Dropout: the identity of inference, or elements dropped at random where training is asked for."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, scalar
from sardonyx.ops.demands import single
from sardonyx.ops.onnx.random import uniform
from sardonyx.ops.operands import integer, size
from sardonyx.ops.table import Node, op


@op("Dropout", since=1)
def dropout_legacy(x: Value, *, is_test: int = 0, ratio: float = 0.5) -> tuple[Value, Value]:
    """x itself, and a mask of the type of x that keeps everything."""
    return x, scalar(1, x.dtype).broadcast(x.shape)


@op("Dropout", since=10)
def dropout_ratio(x: Value, *, ratio: float = 0.5) -> tuple[Value, Value]:
    """x itself, and a mask that keeps everything."""
    return x, scalar(1, dt.BOOL).broadcast(x.shape)


@op("Dropout", since=12)
def dropout(
    x: Value,
    ratio: Value | None = None,
    training_mode: Value | None = None,
    *,
    seed: int | None = None,
    node: Node,
) -> tuple[Value, Value]:
    """x itself; training keeps an element with probability 1 - ratio, scaled by 1 / (1 - ratio)."""
    share = scalar(0.5, dt.F32) if ratio is None else single(ratio, "the ratio").cast(dt.F32)
    demanded = "the ratio must be at least 0 and below 1"
    if share.data is not None and not 0 <= float(share.data) < 1:
        raise ShapeError(f"{demanded}, it is {float(share.data):g}")
    if training_mode is None or not integer(training_mode, "training_mode"):
        return dropout_ratio(x)
    if share.data is None:
        must_equal(size(share.unary("floor").cast(dt.I64), "the ratio", None), 0, demanded)
    kept = share.le(uniform(x.shape, node, None if seed is None else float(seed)))
    return kept.where(x / (1 - share).cast(x.dtype), scalar(0, x.dtype)), kept
