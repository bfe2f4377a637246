"""Numbers and texts of JSON as arrays and back.

Decides which JSON values an element type takes: none is rounded, cut or guessed. Must not know requests.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from sardonyx.protocol.datatypes import Array, Datatype, element_count, objects
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Tensor

_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "fiu", "V": "fiu"}
CODES = {
    "FP32": "f",
    "FP64": "d",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
}
"""What the array module calls them: it reads a flat list at once and takes nothing cut or rounded."""
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys("iu", (int,)),
    **dict.fromkeys("fV", (int, float)),
    "b": (bool,),
}
_LONGEST_SHOWN = 40
_EXPECTED = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "V": "numbers"}


def array_of(name: str, kind: Datatype, shape: tuple[int, ...], data: Any, *, words: bool = True) -> Array:
    """The tensor of a nested or flat list, or of its array; INVALID_ARGUMENT unless type and number fit.

    `words` says that true or false may be among the elements.
    """
    if kind.size == 0:
        return _texts(name, shape, data)
    count = element_count(shape)
    if isinstance(data, np.ndarray):
        return _filled(name, kind, shape, data, [], words=False)
    if not isinstance(data, list):
        raise invalid(f"'data' of input '{name}' must be a list")
    code = CODES.get(kind.name)
    if code is not None and not words:
        flat = data
        while len(flat) == 1 and type(flat[0]) is list:
            flat = flat[0]
        if len(flat) == count:
            try:
                return np.frombuffer(array(code, flat), kind.numpy).reshape(shape)
            except (TypeError, OverflowError):
                pass  # nested, or wrong: told below
    try:
        found = np.array(data)
    except (ValueError, OverflowError) as error:
        raise invalid(f"'data' of input '{name}' is not an array: {error}") from None
    return _filled(name, kind, shape, found, data, words=words)


def _filled(
    name: str, kind: Datatype, shape: tuple[int, ...], found: Array, data: list[Any], *, words: bool
) -> Array:
    count = element_count(shape)
    if found.size != count:
        raise invalid(
            f"unexpected number of elements in input '{name}': {list(shape)} take {count}, got {found.size}"
        )
    if found.size == 0:
        return np.empty(shape, kind.numpy)
    return _cast(name, kind, found, data, words).reshape(shape)


def _cast(name: str, kind: Datatype, found: Array, data: list[Any], words: bool) -> Array:
    wanted = kind.numpy
    if found.dtype == wanted:
        return found
    if wanted.kind == "u" and found.dtype.kind in "fO" and wanted.itemsize == 8:
        found = _wide(data, found)  # numpy reads 2**63 beside small numbers as a float
    mixed = words and found.dtype.kind != "b" and any(type(item) is bool for item in _flat(data))
    if mixed or found.dtype.kind not in _KINDS[wanted.kind]:
        odd = _odd(_flat(data), _TYPES[wanted.kind])
        raise invalid(f"'data' of input '{name}' must hold {_EXPECTED[wanted.kind]} for {kind.name}{odd}")
    if wanted.kind in "iu":
        limits = np.iinfo(wanted)
        least, most = int(found.min()), int(found.max())
        if least < limits.min or most > limits.max:
            wrong = least if least < limits.min else most
            raise invalid(f"'data' of input '{name}' holds {wrong}, which is not a valid {kind.name}")
    with np.errstate(over="ignore"):
        return found.astype(wanted)


def _flat(data: list[Any]) -> list[Any]:
    flat: list[Any] = np.array(data, object).reshape(-1).tolist()
    return flat


def _wide(data: list[Any], found: Array) -> Array:
    flat = _flat(data)
    if flat and all(type(item) is int and 0 <= item < 1 << 64 for item in flat):
        return np.array(flat, np.uint64)
    return found


def _texts(name: str, shape: tuple[int, ...], data: Any) -> Array:
    flat: list[Any] = [data]
    while (kinds := set(map(type, flat))) == {list}:
        flat = list(chain.from_iterable(flat))
    if list in kinds:
        flat = list(_leaves(flat))
        kinds = set(map(type, flat))
    if kinds - {str}:
        raise invalid(f"'data' of input '{name}' must hold strings for BYTES{_odd(flat, (str,))}")
    if len(flat) != element_count(shape):
        raise invalid(
            f"unexpected number of elements in input '{name}': {list(shape)} take {element_count(shape)}, "
            f"got {len(flat)}"
        )
    return objects([text.encode("utf-8", "surrogatepass") for text in flat]).reshape(shape)


def _leaves(items: list[Any]) -> Iterator[Any]:
    """What is in lists that are nested to different depths."""
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        else:
            yield item


def _odd(flat: Iterable[Any], allowed: tuple[type, ...]) -> str:
    """Where the first element of another type stands, and what it is."""
    for place, item in enumerate(flat):
        if type(item) not in allowed:
            text = json.dumps(item)
            shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
            return f"; element {place} is {shown}"
    return ""


def data_of(tensor: Tensor) -> tuple[Any, bool]:
    """The flat elements of an output, and whether all are finite (others are not JSON to strict writers).

    UNSUPPORTED for BYTES that are not text.
    """
    if tensor.data.dtype.kind == "O":
        return _written_texts(tensor.name, tensor.data.reshape(-1)), True
    flat = numbers_of(tensor.data)
    return flat, is_finite(flat)


def numbers_of(array: Array) -> Array:
    """The flat elements of an output of numbers or bools, as JSON has them."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.astype(np.float32) if flat.dtype.kind == "V" else flat


def is_finite(flat: Array) -> bool:
    """Whether all are finite: the sum of squares tells, unless it is too large itself."""
    if flat.dtype.kind != "f":
        return True
    if flat.dtype == np.float16:
        return bool(np.isfinite(flat).all())
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(flat.dot(flat)) or bool(np.isfinite(flat).all())


def _written_texts(name: str, flat: Array) -> list[str]:
    try:
        return [item.decode() if isinstance(item, bytes) else str(item) for item in flat.tolist()]
    except UnicodeDecodeError:
        raise ServeError(
            Code.UNSUPPORTED, f"output '{name}' holds bytes that are not text; ask for it with binary_data"
        ) from None
