"""Selections agree with Python's own sorting, and suppression with its definition box by box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sardonyx.ir.algorithms.sort import nms, nonzero, topk, unique

NUMBERS = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


@given(NUMBERS, st.booleans(), st.data())
def test_the_best_come_first_and_ties_keep_their_order(
    x: list[int], largest: bool, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, len(x)))
    best = sorted(range(len(x)), key=lambda n: (-x[n] if largest else x[n], n))[:k]
    values, places = topk(np.array(x, np.int8), k=k, axis=0, largest=largest)
    assert (values.tolist(), places.tolist()) == ([x[n] for n in best], best)


def test_no_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="k 4 is larger"):
        topk(np.zeros(3), k=4, axis=0, largest=True)


@given(NUMBERS)
def test_places_that_are_not_zero(x: list[int]) -> None:
    places = [n for n, v in enumerate(x) if v]
    assert nonzero(np.array(x), count=len(places)).tolist() == [places]
    with pytest.raises(ValueError, match="were counted"):
        nonzero(np.array(x), count=len(places) + 1)


@given(NUMBERS, st.booleans(), st.sampled_from([np.int32, np.float16, object]))
def test_distinct_elements(x: list[int], ordered: bool, kind: Any) -> None:
    array = np.array([str(n) for n in x] if kind is object else x, kind)
    items = array.tolist()
    distinct = sorted(set(items)) if ordered else list(dict.fromkeys(items))
    first, inverse, counts, number = (a.tolist() for a in unique(array, axis=None, ordered=ordered))
    assert number == [len(distinct)]
    assert [items[f] for f in first[: len(distinct)]] == distinct
    assert [items.index(v) for v in distinct] == first[: len(distinct)]
    assert [distinct[n] for n in inverse] == items
    assert counts == [items.count(v) for v in distinct] + [0] * (len(x) - len(distinct))


def test_distinct_rows() -> None:
    x = np.array([[1, 2], [0, 1], [1, 2]])
    first, inverse, counts, number = unique(x, axis=0, ordered=False)
    assert (first.tolist(), inverse.tolist(), counts.tolist(), number.tolist()) == (
        [0, 1, 0],
        [0, 1, 0],
        [2, 1, 0],
        [2],
    )


def overlap(a: Any, b: Any) -> float:
    """Intersection over union of corner boxes."""
    height, width = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return height * width / (sum(area) - height * width) if height * width else 0.0


@pytest.mark.parametrize("centred", [False, True])
def test_no_two_kept_boxes_overlap_and_no_dropped_one_is_free(centred: bool) -> None:
    rng = np.random.default_rng(3)
    corners = np.sort(rng.random((2, 40, 2, 2)), axis=2).reshape(2, 40, 4)[..., [0, 1, 2, 3]]
    low, high = corners[..., :2], corners[..., 2:]
    boxes = np.concatenate([(low + high)[..., ::-1] / 2, (high - low)[..., ::-1]], -1) if centred else corners
    scores = rng.random((2, 3, 40))
    arguments = [np.array([9]), np.array([0.3]), np.array([0.2])]
    rows, (count,) = nms(
        boxes, scores, *arguments, extras=("limit", "overlap", "least"), centred=centred, capacity=40
    )
    assert not rows[count:].any()
    for b, c in np.ndindex(2, 3):
        kept: list[int] = []
        for n in np.argsort(-scores[b, c]):
            if scores[b, c, n] > 0.2 and all(overlap(corners[b, n], corners[b, m]) <= 0.3 for m in kept):
                kept.append(int(n))
        assert rows[:count][(rows[:count, 0] == b) & (rows[:count, 1] == c)][:, 2].tolist() == kept[:9]


def test_without_a_limit_nothing_is_kept() -> None:
    rows, count = nms(np.ones((1, 2, 4)), np.ones((1, 1, 2)), extras=(), centred=False, capacity=2)
    assert (rows.tolist(), count.tolist()) == ([[0, 0, 0]] * 2, [0])
