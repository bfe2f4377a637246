"""What a caller may feed by mistake or on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np

from tests.fuzz import numbers
from tests.fuzz.seeds import drawn

_TYPES = ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool", "object", "complex64")


def mutated(feeds: Mapping[str, Any], chance: Random) -> dict[str, Any]:
    """The feeds with one or two of them changed, missing or added."""
    changed = dict(feeds)
    for _ in range(chance.choice((1, 1, 1, 2))):
        name = chance.choice([*changed]) if changed else "nothing"
        kind = chance.random()
        if kind < 0.03:
            changed.pop(name, None)
        elif kind < 0.06 or name not in changed:
            changed[f"{name}_"] = changed.get(name, np.zeros(3, np.float32))
        elif isinstance(changed[name], np.ndarray):
            changed[name] = _array(changed[name], chance)
        else:
            changed[name] = _other(changed[name], chance)
    return changed


def _other(value: Any, chance: Random) -> Any:
    """Of a sequence, map or optional."""
    if isinstance(value, list):
        items = [_array(item, chance) if isinstance(item, np.ndarray) else item for item in value]
        return chance.choice((items, value[:-1], value * 2, [], [*value, None], {}, None, tuple(value)))
    return chance.choice((None, [], {}, 1, "text", np.zeros(2, np.float32), [np.zeros((), np.int64)]))


def _array(array: Any, chance: Random) -> Any:
    kind = chance.random()
    if kind < 0.45:
        return _content(array, chance)
    if kind < 0.75:
        return _shape(array, chance)
    if kind < 0.92:
        return _form(array, chance)
    return chance.choice((None, array.tolist(), 0, "text", [], {}, object(), [array]))


def _content(array: Any, chance: Random) -> Any:
    """Another content of the same type and shape: special values in some or all places."""
    copy = array.copy()
    if not copy.size:
        return copy
    flat = copy.reshape(-1)
    places = range(flat.size) if chance.random() < 0.3 else [chance.randrange(flat.size)]
    for at in list(places)[:64]:
        if flat.dtype.kind in "iu":
            limits = np.iinfo(flat.dtype)
            flat[at] = min(max(numbers.integer(chance, int(flat[at])), limits.min), limits.max)
        elif flat.dtype.kind in "fc":
            with np.errstate(over="ignore"):
                flat[at] = numbers.real(chance, 1.0)
        elif flat.dtype.kind == "b":
            flat[at] = not flat[at]
        elif flat.dtype == object:
            flat[at] = chance.choice(("", "x" * 300, "\0", "é\ud800"[:1], 5, None, b"bytes", b"\xff"))
    return copy


def _shape(array: Any, chance: Random) -> Any:
    """Another rank or other sizes."""
    if not array.ndim or chance.random() < 0.15:
        return chance.choice((array.reshape(-1), array[None], array.reshape((*array.shape, 1))))
    shape = list(array.shape)
    axis = chance.randrange(len(shape))
    shape[axis] = chance.choice((0, 1, 2, 3, 5, 8, 17, 33, shape[axis] + 1, max(0, shape[axis] - 1)))
    if chance.random() < 0.3:
        shape[chance.randrange(len(shape))] = chance.choice((0, 1, 4, 9))
    if array.dtype.kind not in "biufcO" or np.prod(shape) > 1 << 16:
        return array[..., :1]
    return drawn(array.dtype, shape, np.random.default_rng(chance.randrange(1 << 30)))


def _form(array: Any, chance: Random) -> Any:
    """The same content in another memory layout or type."""
    match chance.randrange(8):
        case 0:
            return array.astype(chance.choice(_TYPES)) if array.dtype.kind in "biuf" else array.astype(object)
        case 1:
            return array.astype(array.dtype.newbyteorder(">")) if array.dtype.kind in "iufc" else array[None]
        case 2:
            return np.repeat(array, 2, -1)[..., ::2] if array.ndim else array[()]
        case 3:
            return np.ascontiguousarray(array[::-1])[::-1] if array.ndim else array.copy()
        case 4:
            return np.asfortranarray(array)
        case 5:
            copy = array.copy()
            copy.flags.writeable = False
            return copy
        case 6:
            if array.dtype.hasobject or not array.size:
                return array
            raw = np.empty(array.nbytes + 1, np.uint8)
            odd = raw[1:].view(array.dtype).reshape(array.shape)
            odd[...] = array
            return odd
        case _:
            return np.broadcast_to(array[:1], array.shape) if array.ndim and len(array) else array
