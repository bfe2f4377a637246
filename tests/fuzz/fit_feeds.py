"""Feeds that fit what a session declares of its inputs, with sizes drawn for those it leaves free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base import dtype as dtypes
from tests.fuzz.seeds import drawn

_FIRST_SIZES = (1, 2, 3, 4, 9)
_OTHER_SIZES = (0, 1, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65)
_MOST_ELEMENTS = 1 << 16
_DTYPES = {f"tensor({d.onnx_name})": d.numpy for d in dtypes.ALL}


def fitting(session: sardonyx.InferenceSession, given: Mapping[str, Any], chance: Random) -> dict[str, Any]:
    """What is given where it fits what the model declares, new tensors elsewhere."""
    return _fed(session, given, _FIRST_SIZES, chance)


def resized(session: sardonyx.InferenceSession, given: Mapping[str, Any], chance: Random) -> dict[str, Any]:
    """New tensors of other sizes, where the model leaves any free: no shape needs a program of its own."""
    free = {i.name for i in session.get_inputs() if any(not isinstance(n, int) for n in i.shape or ())}
    return _fed(session, {name: v for name, v in given.items() if name not in free}, _OTHER_SIZES, chance)


def _fed(
    session: sardonyx.InferenceSession, given: Mapping[str, Any], choices: Sequence[int], chance: Random
) -> dict[str, Any]:
    generator = np.random.default_rng(chance.randrange(1 << 30))
    feeds: dict[str, Any] = {}
    sizes: dict[Any, int] = {}
    for info in session.get_inputs():
        old, shape, dtype = given.get(info.name), info.shape, _DTYPES.get(info.type)
        if dtype is None or shape is None or _fits(old, dtype, shape):
            feeds[info.name] = old if old is not None else [np.ones(2, np.float32)]
            continue
        numbers = [n if isinstance(n, int) else sizes.setdefault(n, chance.choice(choices)) for n in shape]
        if any(n < 0 for n in numbers) or np.prod([max(n, 1) for n in numbers], dtype=float) > _MOST_ELEMENTS:
            numbers = [1] * len(numbers)
        feeds[info.name] = drawn(dtype, numbers, generator)
    return feeds


def _fits(old: Any, dtype: Any, shape: Sequence[Any]) -> bool:
    if not isinstance(old, np.ndarray) or old.dtype != dtype or old.ndim != len(shape):
        return False
    return all(n == m or not isinstance(m, int) for n, m in zip(old.shape, shape, strict=True))
