"""Small operators of ai.onnx.ml on numbers, as formulas: scaling, imputing, normalising, picking features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, concat, const, scalar
from sardonyx.ops.demands import ANY, equal, one_or_along, ranked
from sardonyx.ops.table import op

Ints = Sequence[int]
Floats = Sequence[float]
DOMAIN = "ai.onnx.ml"


def _per_feature(numbers: Sequence[float], what: str, x: Value) -> Value:
    """One number for all features, or one for each (the last axis). Raises ShapeError for another count."""
    ranked(x, "the input", 1, ANY)
    if not numbers:
        raise ShapeError(f"{what} is missing")
    return one_or_along(const(np.asarray(numbers).astype(x.dtype.numpy)), what, x, x.rank - 1)


@op("Scaler", domain=DOMAIN)
def scaler(x: Value, *, offset: Floats = (), scale: Floats = ()) -> Value:
    """(x - offset) * scale for each feature, f32."""
    y = x.cast(dt.F32)
    if offset:
        y = y - _per_feature(offset, "offset", y)
    return y * _per_feature(scale, "scale", y) if scale else y


@op("Binarizer", domain=DOMAIN)
def binarizer(x: Value, *, threshold: float = 0.0) -> Value:
    """1 where x is above the threshold, else 0."""
    return const(np.asarray(threshold, x.dtype.numpy)).lt(x).cast(x.dtype)


@op("Imputer", domain=DOMAIN)
def imputer(
    x: Value,
    *,
    imputed_value_floats: Floats = (),
    imputed_value_int64s: Ints = (),
    replaced_value_float: float = 0.0,
    replaced_value_int64: int = 0,
) -> Value:
    """Replace one value (or NaN) by the number of each feature."""
    if x.dtype.is_float:
        replaced = x.unary("isnan") if np.isnan(replaced_value_float) else x.eq(replaced_value_float)
        return replaced.where(_per_feature(imputed_value_floats, "imputed_value_floats", x), x)
    imputed = _per_feature(imputed_value_int64s, "imputed_value_int64s", x)
    return x.eq(replaced_value_int64).where(imputed, x)


@op("Normalizer", domain=DOMAIN)
def normalizer(x: Value, *, norm: str = "MAX") -> Value:
    """Rows divided by their maximum (MAX) or their L1 or L2 norm, f32."""
    y = x.cast(dt.F32)
    last = y.rank - 1
    match norm:
        case "MAX":
            size = y.reduce_max(last)
            return y / size.eq(0.0).where(scalar(1, dt.F32), size)
        case "L1":
            size = y.abs().sum(last)
        case "L2":
            size = (y * y).sum(last).sqrt()
        case _:
            raise UnsupportedOp(f"the norm {norm!r} is not supported")
    return y / size.max(1e-30)


@op("ArrayFeatureExtractor", domain=DOMAIN)
def array_feature_extractor(x: Value, y: Value) -> Value:
    """The features of x (last axis) with the numbers y; at least a matrix."""
    rows = x.reshape((1, x.size)) if x.rank == 1 else x
    return rows.gather(y.reshape((y.size,)), rows.rank - 1)


@op("FeatureVectorizer", domain=DOMAIN)
def feature_vectorizer(*inputs: Value, inputdimensions: Ints = ()) -> Value:
    """All inputs side by side, each cut or padded to its dimension, f32."""
    if not inputs:
        raise ShapeError("FeatureVectorizer needs inputs")
    parts = []
    widths: Sequence[int | None] = tuple(inputdimensions) or (None,) * len(inputs)
    equal(len(widths), len(inputs), "the numbers of inputdimensions and of inputs differ")
    for x, width in zip(inputs, widths, strict=True):
        part = x.reshape((x.size, 1) if x.rank == 1 else (x.shape[0], *x.shape[1:])).cast(dt.F32)
        part = part.pad((0, 0), (0, 0 if width is None else width - part.shape[1]))
        parts.append(part)
    return concat(parts, 1)
