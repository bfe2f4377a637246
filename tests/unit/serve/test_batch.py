"""Rows of several requests are joined, filled up and taken apart again without touching each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.serve.batch import Joiner
from sardonyx.serve.policy import Pad
from sardonyx.serve.signature import Port, Signature

TOKENS = Signature(
    "m",
    (Port("ids", "INT64", (None, "length")), Port("mask", "INT64", (None, "length"))),
    (Port("y", "FP32", (None, "length", 2)), Port("score", "FP32", (None,))),
    True,
)
PLAIN = Signature("m", (Port("x", "FP32", (None, 3)),), (Port("y", "FP32", (None, 3)),), True)


class Asked:
    """The part of a job that joining looks at."""

    def __init__(self, *feeds: Any, wanted: tuple[int, ...] = (0, 1)) -> None:
        self.feeds, self.wanted, self.rows = list(feeds), wanted, len(feeds[0])


def ids(rows: int, length: int) -> Asked:
    return Asked(np.full((rows, length), 7), np.ones((rows, length), np.int64))


def test_rows_are_joined_and_split() -> None:
    joiner = Joiner(PLAIN, None)
    jobs: Any = [Asked(np.full((n, 3), n, np.float32), wanted=(0,)) for n in (2, 1, 3)]
    (joined,) = joiner.join(jobs)
    assert joined[:, 0].tolist() == [2, 2, 1, 3, 3, 3]
    parts = joiner.split(jobs, [joined * 10])
    assert [part[0][:, 0].tolist() for part in parts] == [[20, 20], [10], [30, 30, 30]]
    alone = joiner.join(jobs[:1])
    assert alone[0] is jobs[0].feeds[0], "one is not copied"


def test_keys_tell_what_can_be_joined() -> None:
    joiner = Joiner(PLAIN, None)
    a, b = np.zeros((2, 3)), np.zeros((5, 3))
    assert joiner.key([a], (0,)) == joiner.key([b], (0,))
    assert joiner.key([a], (0,)) != joiner.key([np.zeros((2, 4))], (0,))
    assert joiner.key([a], (0,)) != joiner.key([a], (1,))


@pytest.mark.parametrize(("buckets", "size"), [((), 5), ((4, 8), 8), ((4,), 5)])
def test_unlike_lengths_are_filled_up(buckets: tuple[int, ...], size: int) -> None:
    joiner = Joiner(TOKENS, Pad("length", "mask", buckets, {"ids": 9.0}))
    jobs: Any = [ids(1, 3), ids(2, 5)]
    whole, mask = joiner.join(jobs)
    assert whole.shape == mask.shape == (3, size)
    assert whole[0].tolist() == [7] * 3 + [9] * (size - 3)
    assert mask[0].tolist() == [1] * 3 + [0] * (size - 3)
    results = [np.arange(3 * size * 2, dtype=np.float32).reshape(3, size, 2), np.float32([1, 2, 3])]
    (y, score), (other, _) = joiner.split(jobs, results)
    assert y.shape == (1, 3, 2)
    assert score.tolist() == [1]
    assert np.array_equal(other, results[0][1:, :5])


def test_lengths_of_one_bucket_are_alike() -> None:
    joiner = Joiner(TOKENS, Pad("length", "mask", (4, 8)))
    keys = [joiner.key(ids(1, n).feeds, (0,)) for n in (1, 4, 5, 8, 9)]
    assert keys[0] == keys[1] != keys[2] == keys[3] != keys[4]
    assert joiner.length(ids(1, 6).feeds) == 6
    assert Joiner(PLAIN, None).length([np.zeros((1, 3))]) == 0


@pytest.mark.parametrize(
    "pad", [Pad("width", "mask"), Pad("length", "absent"), Pad("length", "mask", (), {"absent": 1.0})]
)
def test_a_pad_that_names_nothing_is_refused(pad: Pad) -> None:
    with pytest.raises(ServeError, match="'pad'"):
        Joiner(TOKENS, pad)
