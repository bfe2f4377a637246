"""Operators of ai.onnx.ml on keys and maps: encoders, ZipMap, DictVectorizer, CastMap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.value import Value, const, make
from sardonyx.ops.table import op

Array = np.ndarray[Any, Any]
Ints = Sequence[int]
Floats = Sequence[float]
Strings = Sequence[str]
DOMAIN = "ai.onnx.ml"


def _lookup(x: Value, keys: Array, values: Array, default: Any) -> Value:
    if keys.size != values.size:
        raise ShapeError(f"{keys.size} keys are given and {values.size} values; each key needs one")
    table = const(values)
    args = (x, const(keys), table, const(np.asarray(default, table.dtype.numpy).reshape(())))
    return make("lookup", args, {}, table.dtype, x.shape)


def _last(x: Value, keys: Array, values: Array, default: Any) -> Value:
    """As onnxruntime has it with these operators, the last of equal keys counts; elsewhere the first."""
    return _lookup(x, keys[::-1].copy(), values[::-1].copy(), default)


def _texts(listed: Strings) -> Array:
    # numpy's own texts lose the NULs at their end.
    return np.asarray(listed, object)


@op("LabelEncoder", domain=DOMAIN)
def label_encoder_1(
    x: Value, *, classes_strings: Strings = (), default_int64: int = -1, default_string: str = "_Unused"
) -> Value:
    """The number of each string, or the string of each number."""
    numbers = np.arange(len(classes_strings), dtype=np.int64)
    if x.dtype is dt.STRING:
        return _last(x, _texts(classes_strings), numbers, default_int64)
    return _lookup(x, numbers, _texts(classes_strings), default_string)


@op("LabelEncoder", since=2, domain=DOMAIN)
def label_encoder(
    x: Value,
    *,
    default_float: float = -0.0,
    default_int64: int = -1,
    default_string: str = "_Unused",
    default_tensor: Array | None = None,
    keys_floats: Floats = (),
    keys_int64s: Ints = (),
    keys_strings: Strings = (),
    keys_tensor: Array | None = None,
    values_floats: Floats = (),
    values_int64s: Ints = (),
    values_strings: Strings = (),
    values_tensor: Array | None = None,
) -> Value:
    """The value of each element's key, or the default."""
    keys = _listed(keys_tensor, keys_strings, keys_int64s, keys_floats)
    values = _listed(values_tensor, values_strings, values_int64s, values_floats)
    if not keys.size:
        raise UnsupportedOp("LabelEncoder without keys")
    if default_tensor is None:
        by_type = {"object": default_string, "int64": default_int64, "float32": default_float}
        return _lookup(
            x, keys, values, by_type.get(str(values.dtype), -0.0 if values.dtype.kind == "f" else -1)
        )
    if default_tensor.dtype != values.dtype:
        raise ShapeError(f"the default is of {default_tensor.dtype}, the values are of {values.dtype}")
    return _lookup(x, keys, values, default_tensor)


def _listed(tensor: Array | None, texts: Strings, integers: Ints, floats: Floats) -> Array:
    """The elements of an attribute of four forms, of which one is given."""
    if tensor is not None:
        return tensor.reshape(-1)
    if texts:
        return _texts(texts)
    return np.asarray(integers, np.int64) if integers else np.asarray(floats, np.float32)


@op("CategoryMapper", domain=DOMAIN)
def category_mapper(
    x: Value,
    *,
    cats_int64s: Ints = (),
    cats_strings: Strings = (),
    default_int64: int = -1,
    default_string: str = "_Unused",
) -> Value:
    """The number of each string, or the string of each number."""
    numbers = np.asarray(cats_int64s, np.int64)
    if x.dtype is dt.STRING:
        return _last(x, _texts(cats_strings), numbers, default_int64)
    return _last(x, numbers, _texts(cats_strings), default_string)


@op("OneHotEncoder", domain=DOMAIN)
def one_hot_encoder(x: Value, *, cats_int64s: Ints = (), cats_strings: Strings = (), zeros: int = 1) -> Value:
    """1 in the place of the category of each element, on a new last axis; f32. Unknown ones are all 0.

    A category that is listed several times has its last place.
    """
    listed = list(cats_strings if x.dtype is dt.STRING else cats_int64s)
    if x.dtype is not dt.STRING:
        x = x.cast(dt.I64)
    categories = const(np.asarray(listed, object if x.dtype is dt.STRING else np.int64))
    place = {category: i for i, category in enumerate(listed)}
    found = x.reshape((*x.shape, 1)).eq(categories.reshape((*(1,) * x.rank, categories.size)))
    if len(place) < len(listed):
        found = found.logical_and(const(np.array([place[c] == i for i, c in enumerate(listed)])))
    return found.cast(dt.F32)


@op("ZipMap", domain=DOMAIN)
def zip_map(x: Value, *, classlabels_int64s: Ints = (), classlabels_strings: Strings = ()) -> Value:
    """A map from label to score for every row; a list of dicts on the host."""
    labels: tuple[int | str, ...] = (*classlabels_strings, *classlabels_int64s)
    return make("zip_map", (x,), {"labels": labels}, dt.OBJECT, ())


def _types(x: Value) -> tuple[str, str]:
    """The key and value types in a declared type such as map(string,tensor(float))."""
    declared = str(x.attrs.get("type", ""))
    key, _, rest = declared.removeprefix("map(").partition(",")
    return key, rest.removeprefix("tensor(").rstrip(")")


@op("DictVectorizer", domain=DOMAIN)
def dict_vectorizer(x: Value, *, int64_vocabulary: Ints = (), string_vocabulary: Strings = ()) -> Value:
    """The values of a map in the order of the vocabulary, as one row."""
    keys: tuple[int | str, ...] = (*string_vocabulary, *int64_vocabulary)
    named = {d.onnx_name: d for d in dt.ALL}
    dtype = named.get(_types(x)[1])
    if dtype is None:
        raise UnsupportedOp("DictVectorizer needs a map with a declared value type")
    return make("vectorize_map", (x,), {"keys": keys}, dtype, (1, len(keys)))


@op("CastMap", domain=DOMAIN)
def cast_map(x: Value, *, cast_to: str = "TO_FLOAT", map_form: str = "DENSE", max_map: int = 1) -> Value:
    """The values of a map as one row, by the order of their keys or each in the column of its key."""
    dtype = {"TO_FLOAT": dt.F32, "TO_INT64": dt.I64, "TO_STRING": dt.STRING}[cast_to]
    size = None if map_form == "DENSE" else max_map
    return data_sized("cast_map", (x,), {"to": cast_to, "size": size}, [(dtype, (1, size))])[0]
