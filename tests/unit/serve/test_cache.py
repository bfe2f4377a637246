"""Answers are kept while there is room, for questions that are the same byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.protocol.datatypes import objects
from sardonyx.serve.cache import ResponseCache


def answer(*numbers: float) -> list[np.ndarray]:
    return [np.array(numbers, np.float64)]


def test_the_least_recently_used_gives_way() -> None:
    cache = ResponseCache(32)
    a, b, c = (ResponseCache.key(n, []) for n in "abc")
    cache.put(a, answer(1, 2))
    cache.put(b, answer(3, 4))
    assert cache.get(a) is not None, "now b is the oldest"
    cache.put(c, answer(5, 6))
    assert cache.get(b) is None
    assert cache.get(a)[0].tolist() == [1, 2]  # type: ignore[index]
    cache.put(b, answer(*range(5)))
    assert cache.get(b) is None, "it alone is too large"
    assert cache.get(c) is not None


def test_nobody_changes_what_is_kept() -> None:
    cache, key = ResponseCache(100), ResponseCache.key("a", [])
    given = answer(1)
    cache.put(key, given)
    given[0][0] = 9
    kept = cache.get(key)
    assert kept is not None
    assert kept[0].tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        kept[0][0] = 2
    cache.put(key, answer(5))
    assert cache.get(key) is kept


def test_questions_differ_by_form_and_by_bytes() -> None:
    x = np.float32([1, 2])
    key = ResponseCache.key
    assert key("f", [x]) == key("f", [x.copy()])
    assert key("f", [x]) != key("g", [x])
    assert key("f", [np.float32([0.0])]) != key("f", [np.float32([-0.0])])
    assert key("f", [objects([b"ab", b"c"])]) != key("f", [objects([b"a", b"bc"])])
