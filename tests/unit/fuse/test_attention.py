"""Which groups become attention, that nothing else does, and that numbers stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.fuse import run
from sardonyx.fuse.attention import with_attention
from sardonyx.fuse.partition import partition
from sardonyx.fuse.storage import BodyPlaces
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Place, Storage, contiguous_strides
from sardonyx.ir.run import run as evaluate
from sardonyx.ir.value import Value, const, placeholder
from tests.tolerance import assert_close

SHAPES = {"q": (2, 3, 4, 8), "k": (2, 3, 8, 5), "v": (2, 3, 5, 6)}
Q, K, V = (placeholder(name, dt.F32, shape) for name, shape in SHAPES.items())


def softmax(x: Value, axis: int = 3) -> Value:
    e = (x - x.reduce_max(axis)).exp()
    return e / e.sum(axis)


def graph(*outputs: Value, inputs: tuple[Value, ...] = (Q, K, V)) -> Graph:
    return Graph(inputs, tuple((f"y{n}", v) for n, v in enumerate(outputs)))


def test_scores_and_shares_are_never_stored() -> None:
    whole = graph(softmax(Q.dot(K) * 0.5).dot(V))
    fusion = partition(whole)
    (group,) = fusion.groups
    assert group.kind == "attention"
    assert [part.kind for part in group.parts] == ["contract", "loops", "contract"]
    rng = np.random.default_rng(0)
    feeds = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES.values()]
    assert_close(run.run(fusion, feeds)[0], evaluate(whole, feeds)[0], 64)


def test_others_keep_their_order() -> None:
    scores = Q.dot(K)
    fusion = partition(graph(softmax(scores).dot(V), Q.exp()))
    assert sorted(group.kind for group in fusion.groups) == ["attention", "loops"]
    assert with_attention(fusion.graph, fusion.groups, fusion.places) == list(fusion.groups)


TWICE = softmax(Q.dot(K))
OTHERS: dict[str, Callable[[], tuple[Value, ...]]] = {
    "shares are an output": lambda: (TWICE.dot(V), TWICE),
    "scores are an output": lambda: (softmax(Q.dot(K)).dot(V), Q.dot(K)),
    "shares are read twice": lambda: (TWICE.dot(V), TWICE.dot(V * 2.0)),
    "scores are turned": lambda: (
        softmax(placeholder("s", dt.F32, (2, 3, 5, 8)).dot(K).transpose(0, 1, 3, 2)).dot(V),
    ),
    "a map follows": lambda: (softmax(Q.dot(K)).dot(V).exp(),),
    "values are constant": lambda: (softmax(Q.dot(K)).dot(const(np.ones((2, 3, 5, 6), np.float32))),),
    "no sum of a row": lambda: (Q.dot(K).exp().dot(V),),
    "sums of columns": lambda: (softmax(Q.dot(K), 2).dot(V),),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_not_attention(what: str) -> None:
    outputs = OTHERS[what]()
    inputs: dict[int, Value] = {}
    for value in Graph((), tuple((str(n), v) for n, v in enumerate(outputs))).order():
        if value.prim == "input":
            inputs[value.id] = value
    groups = partition(graph(*outputs, inputs=tuple(inputs.values()))).groups
    assert "attention" not in [group.kind for group in groups]


def in_arena(value: Value) -> Place:
    """A place of its own, as a body's inputs and outputs have."""
    return Place(Storage("arena", value.dtype, value.size), 0, contiguous_strides(value.shape))


SCORES = Q.dot(K)


@pytest.mark.parametrize("other", [SCORES, SCORES * 0.5, TWICE], ids=["scores", "scaled", "shares"])
def test_what_a_body_gives_is_stored(other: Value) -> None:
    whole = graph((TWICE if other is TWICE else softmax(other)).dot(V), other)
    places = BodyPlaces((in_arena(Q), in_arena(K), in_arena(V)), tuple(in_arena(v) for _, v in whole.outputs))
    groups = partition(whole, given=places).groups
    assert "attention" not in [group.kind for group in groups]
    alone = graph(whole.outputs[0][1])
    (group,) = partition(alone, given=BodyPlaces(places.inputs, places.outputs[:1])).groups
    assert group.kind == "attention"


@pytest.mark.parametrize("dtype", [dt.F64, dt.I32])
def test_other_types_are_three_kernels(dtype: Any) -> None:
    q, k, v = (placeholder(name, dtype, shape) for name, shape in SHAPES.items())
    scores = q.dot(k)
    shares = scores - scores.reduce_max(3)
    groups = partition(graph(shares.dot(v), inputs=(q, k, v))).groups
    assert [group.kind for group in groups] == ["contract", "loops", "contract"]


GROUPED = {"q": (2, 4, 3, 8), "k": (2, 4, 8, 5), "k2": (2, 2, 8, 5), "v": (2, 4, 5, 6), "v2": (2, 2, 5, 6)}


@pytest.mark.parametrize(
    ("keys", "values", "fuses"), [("k2", "v2", True), ("k", "v2", False), ("k2", "v", False)]
)
def test_rows_of_heads_that_share_both_keys_and_values_are_told_apart(
    keys: str, values: str, fuses: bool
) -> None:
    q, k, v = (placeholder(name, dt.F32, GROUPED[name]) for name in ("q", keys, values))
    scores = (q.reshape((2, 2, 6, 8)) if keys == "k2" else q).dot(k).reshape((2, 4, 3, 5))
    shares = softmax(scores * 0.5)
    y = (shares.reshape((2, 2, 6, 5)) if values == "v2" else shares).dot(v)
    whole = graph(y, inputs=(q, k, v))
    fusion = partition(whole)
    assert ("attention" in [group.kind for group in fusion.groups]) == fuses
    rng = np.random.default_rng(0)
    feeds = [rng.standard_normal(GROUPED[name]).astype(np.float32) for name in ("q", keys, values)]
    assert_close(run.run(fusion, feeds)[0], evaluate(whole, feeds)[0], 64)


def test_scores_that_are_read_in_two_shapes_are_stored() -> None:
    q, k, v = (placeholder(name, dt.F32, GROUPED[name]) for name in ("q", "k2", "v2"))
    scores = q.reshape((2, 2, 6, 8)).dot(k)
    shares = softmax(scores.reshape((2, 4, 3, 5)))
    y = shares.reshape((2, 2, 6, 5)).dot(v)
    groups = partition(graph(y, scores.exp(), inputs=(q, k, v))).groups
    assert "attention" not in [group.kind for group in groups]
