"""Calls of conversions between all pairs of types."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from sardonyx.base import dtype as dt
from tests.property.operators.draw import Array, Draw, allowed, kind_of
from tests.property.operators.judges import Judge, formula, reference
from tests.property.operators.recipe import Call, recipe

NUMBERS = np.array(["0", "1", "-1", "3.5", "1e3", "NaN", "INF", "-inf", "42", "+7", "0.001"], object)
WHOLE = np.array(["0", "1", "7", "42", "+7", "100"], object)


def _source(d: Draw, to: np.dtype[Any]) -> Array:
    """Numbers whose conversion is defined: those beyond an integer type are not, nor is text that is none."""
    least = 1 if to == ml_dtypes.float8_e8m0fnu else 0  # the reference rounds no scalars to it
    shape, kinds = d.shape(least), kind_of(d.element) + kind_of(to)
    if kinds[0] == "O" and kinds != "OO":
        pool = WHOLE if kinds[1] in "iub" else NUMBERS
        return d.random().choice(pool, shape) if shape else np.array(pool[3], object)
    if kinds in ("fi", "fu"):
        least, most = float(ml_dtypes.iinfo(to).min), float(ml_dtypes.iinfo(to).max)
        top = min(float(ml_dtypes.finfo(d.element).max), 100)
        return d.within(shape, max(least, -top), min(most, top))
    if kinds == "fO":
        return d.halves(shape)
    return d.array(shape)


def _saturating(dtype: np.dtype[Any]) -> bool:
    return dt.by_numpy(dtype).name.startswith("f8")


def _judge(d: Draw, to: np.dtype[Any], saturate: int | None) -> Judge:
    """The reference, but for a type to itself, where it saturates, and for text, which onnxruntime writes."""
    if to == d.element:
        return formula(lambda x, *_: x, exact=True)
    if d.opset < 6:  # the reference does not know the names of types
        return formula(lambda x: x.astype(to), exact=True)
    if kind_of(to) in "iu" and dt.by_numpy(to).bits < 8:  # not all pairs of narrow types are there
        return formula(lambda x, *_: _wide(x).astype(to), exact=True)
    if kind_of(d.element) == "O":
        return formula(lambda x, *_: _read(x, to), exact=True)
    if (
        d.element == ml_dtypes.float8_e8m0fnu and dt.by_numpy(to).bits <= 8 and kind_of(to) == "f"
    ):  # nor from powers of two
        top = float(ml_dtypes.finfo(to).max) if saturate != 0 else np.inf
        return formula(lambda x, *_: np.minimum(x.astype(np.float32), top).astype(to), exact=True)
    return formula(_written, exact=True) if kind_of(to) == "O" else reference


def _wide(x: Array) -> Array:
    if kind_of(x.dtype) == "O":
        return _read(x, np.dtype(np.int64))
    return (x.astype(np.float64) if kind_of(x.dtype) == "f" else x).astype(np.int64)


def _read(x: Array, to: np.dtype[Any]) -> Array:
    read = int if kind_of(to) in "iu" else float
    return np.array([read(v) for v in x.flat]).astype(to).reshape(x.shape)


def _written(x: Array, *_: Any) -> Array:
    texts = [f"{float(v):.8g}" if kind_of(x.dtype) == "f" else str(int(v)) for v in x.flat]
    return np.array(texts, object).reshape(x.shape)


@recipe("Cast")
def cast(d: Draw) -> Call:
    to = d.type("T2")
    code: Any = dt.by_numpy(to).onnx
    if d.opset < 6:
        code = dt.by_numpy(to).onnx_name.upper()
    saturate = d.maybe(int(d.flag())) if d.opset >= 19 and _saturating(to) else None
    mode = None
    if d.opset >= 24 and to == ml_dtypes.float8_e8m0fnu:
        mode = d.maybe(d.one_of("up", "down", "nearest"))
    return Call([_source(d, to)], judge=_judge(d, to, saturate), to=code, saturate=saturate, round_mode=mode)


@recipe("CastLike")
def cast_like(d: Draw) -> Call:
    to = d.type("T2")
    saturate = d.maybe(int(d.flag())) if d.opset >= 19 and _saturating(to) else None
    return Call([_source(d, to), d.array((1,), to, "none")], judge=_judge(d, to, saturate), saturate=saturate)


@recipe("BitCast")
def bit_cast(d: Draw) -> Call:
    bits = dt.by_numpy(d.element).bits
    same = [t for t in allowed(d.schema, "T2") if dt.by_numpy(t).bits == bits]
    to = d.one_of(*same)
    judge = formula(lambda x: x.view(to), exact=True)
    return Call([d.array(d.shape())], judge=judge, to=dt.by_numpy(to).onnx)
