"""Tensors in blocks: where channels lie that were shuffled, split and joined, and how they come back."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.value import Value, placeholder
from sardonyx.passes.blocked import Blocked, block, channels_of, joined, runs_of

SHUFFLED = tuple(g * 16 + c for c in range(9) for g in range(3))
GROUPS = tuple(g * 32 + c for g in range(3) for c in range(20))
PLACES = {"in order": tuple(range(20)), "groups": GROUPS, "shuffled": SHUFFLED, "backwards": (5, 4, 40, 0)}


def result(value: Value, feed: np.ndarray) -> np.ndarray:
    (x,) = (v for v in Graph((), (("y", value),)).order() if v.prim == "input")
    return run(Graph((x,), (("y", value),)), [feed])[0]


def blocked(at: tuple[int, ...]) -> tuple[Blocked, np.ndarray]:
    """Channels at these lanes of a computed tensor, and its content."""
    blocks = max(at) // 16 + 1
    form = placeholder("x", dt.F32, (2, blocks, 3, 4, 16))
    return Blocked.lying(form, at), np.arange(form.size, dtype=np.float32).reshape(form.shape)  # type: ignore[arg-type]


def channels(form: np.ndarray, at: tuple[int, ...]) -> np.ndarray:
    return np.stack([form[:, a // 16, :, :, a % 16] for a in at], 1)


@pytest.mark.parametrize("at", PLACES.values(), ids=PLACES)
def test_a_plain_tensor_and_back(at: tuple[int, ...]) -> None:
    tensor, feed = blocked(at)
    assert np.array_equal(result(tensor.plain(), feed), channels(feed, at))
    x = placeholder("x", dt.F32, (2, len(at), 3, 4))
    values = np.arange(x.size, dtype=np.float32).reshape(x.shape)  # type: ignore[arg-type]
    again = result(tensor.like(x), values)
    assert again.shape == feed.shape
    assert np.array_equal(channels(again, at), values)


@pytest.mark.parametrize(
    ("name", "pitch"), [("in order", 32), ("groups", 32), ("shuffled", None), ("backwards", None)]
)
def test_groups_that_lie_at_equal_distances(name: str, pitch: int | None) -> None:
    tensor, _ = blocked(PLACES[name])
    assert tensor.pitch == pitch
    assert tensor.is_in_order == (name == "in order")


def test_only_views_move_groups_at_equal_distances() -> None:
    tensor, _ = blocked(GROUPS)
    graph = Graph((tensor.form,), (("y", tensor.plain()),))
    assert "gather" not in graph.primitives


@pytest.mark.parametrize("to", ["in order", "other groups"])
def test_channels_move_to_where_those_of_another_tensor_lie(to: str) -> None:
    groups = tuple(g * 48 + c for g in range(2) for c in range(30))
    other, _ = blocked(tuple(range(60)) if to == "in order" else groups)
    tensor, feed = blocked(GROUPS)
    moved = tensor.moved_as(other)
    assert moved is not None
    again = result(moved, feed)
    assert again.shape[1] * 16 == other.lanes
    assert np.array_equal(channels(again, tuple(other.at)), channels(feed, GROUPS))
    assert "gather" not in Graph((tensor.form,), (("y", moved),)).primitives


def test_channels_that_lie_apart_one_by_one_are_not_moved_in_runs() -> None:
    tensor, _ = blocked(SHUFFLED)
    assert tensor.moved_as(blocked(tuple(range(27)))[0]) is None


def test_in_blocks_in_order() -> None:
    x = placeholder("x", dt.F32, (1, 20, 2, 3))
    tensor = Blocked.of(x, 16)
    assert tensor.form.id == block(x, 16).id
    assert (tensor.lanes, channels_of(x)) == (32, 20)
    assert tensor.is_in_order


def test_a_part_leaves_out_blocks_beside_it() -> None:
    tensor, feed = blocked(GROUPS)
    part = tensor.part([25, 24, 39])
    assert part.form.shape[1] == 2
    assert part.at == (5, 4, 19)
    assert np.array_equal(result(part.plain(), feed), channels(feed, GROUPS)[:, [25, 24, 39]])


def test_joined_parts_begin_with_blocks_of_their_own() -> None:
    tensor, feed = blocked(GROUPS)
    both = joined([tensor.part(range(20)), tensor.part([0, 1, 40, 41])])
    assert both.form.shape[1] == 4, "the second part has no channel in the blocks between"
    expected = channels(feed, GROUPS)[:, [*range(20), 0, 1, 40, 41]]
    assert np.array_equal(result(both.plain(), feed), expected)


def test_runs_end_with_blocks_and_groups() -> None:
    assert runs_of((14, 15, 16, 17, 3, 4), 16, 6) == ((14, 2), (16, 2), (3, 2))
    assert runs_of((0, 1, 2, 3), 16, 2) == ((0, 2), (2, 2))
    assert runs_of((7, 6, 5), 16, 3) == ((7, 1), (6, 1), (5, 1))


@pytest.mark.parametrize("size", [(3, 4), (12,)])
def test_channels_last(size: tuple[int, ...]) -> None:
    at = tuple(range(20))
    tensor, feed = blocked(at)
    expected = np.moveaxis(channels(feed, at), 1, -1).reshape(2, *size, 20)
    if len(size) == 1:
        tensor = Blocked(tensor.form.reshape((2, 2, 1, 12, 16)), tensor.at)
    assert np.array_equal(result(tensor.channels_last(size), feed), expected)


def test_only_views_gather_channels_that_were_dealt_out() -> None:
    tensor, feed = blocked(SHUFFLED)
    plain = tensor.plain()
    assert "gather" not in Graph((tensor.form,), (("y", plain),)).primitives
    assert np.array_equal(result(plain, feed), channels(feed, SHUFFLED))
    apart, _ = blocked((0, 16, 1, 18))
    assert "gather" in Graph((apart.form,), (("y", apart.plain()),)).primitives
