"""Parts of a join are stored inside it, outputs in the caller's memory, and views need none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.fuse.partition import partition
from sardonyx.fuse.storage import BodyPlaces, from_host, is_in_place, keeps_axes, part_places, same_place
from sardonyx.ir.data_size import collect_data_sizes, content
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Place, Storage, contiguous_strides
from sardonyx.ir.value import Value, concat, const, many, placeholder
from tests.tolerance import assert_close
from tests.unit.runtime.programs import model, program

N = dims.symbol("N")
X = placeholder("x", dt.F32, (N, 4))


def test_parts_of_a_join_lie_side_by_side() -> None:
    first, second = X.exp(), X.log()
    fusion = partition(Graph((X,), (("y", concat([first, second], 1)),)))
    one, two = fusion.places[first.id], fusion.places[second.id]
    assert one.storage is two.storage
    assert one.storage.kind == "output"
    assert (one.offset, two.offset, one.strides) == (0, 4, (8, 1))


def test_one_value_twice_is_stored_once_and_copied() -> None:
    y = X.exp()
    fusion = partition(Graph((X,), (("y", concat([y, y], 0)),)))
    assert [group.kind for group in fusion.groups].count("loops") == 2


def test_what_a_reshape_joins_is_written_where_the_reshape_is() -> None:
    turned = X.exp().reshape((N, 2, 2)).transpose(0, 2, 1).exp()
    y = turned.reshape((N, 4))
    fusion = partition(Graph((X,), (("y", y),)))
    assert fusion.places[turned.id].storage is fusion.places[y.id].storage
    assert fusion.places[turned.id].strides == (4, 2, 1)
    assert [group.root for group in fusion.groups] == [turned]


HEADS = placeholder("q", dt.F32, (N, 3, 5, 32)), placeholder("v", dt.F32, (N, 3, 32, 16))


def mixed() -> Value:
    """A product whose rows a transposition turns."""
    return HEADS[0].dot(HEADS[1])


def test_rows_of_a_product_are_written_where_a_transposition_puts_them() -> None:
    product = mixed()
    turned = product.transpose(0, 2, 1, 3)
    y = turned.reshape((N, 5, 48)).dot(const(np.ones((48, 8), np.float32)))
    fusion = partition(Graph(HEADS, (("y", y),)))
    assert fusion.places[product.id].storage is fusion.places[turned.id].storage
    assert fusion.places[product.id].strides == (240, 16, 48, 1)
    assert [group.root for group in fusion.groups] == [product, y]


@pytest.mark.parametrize(
    "turn",
    [
        lambda v: v.transpose(0, 1, 3, 2).reshape((N, 3, 80)),
        lambda v: v.reshape((N, 3, 5, 2, 8)).transpose(0, 2, 1, 3, 4).reshape((N, 5, 48)),
    ],
    ids=["columns", "short rows"],
)
def test_what_is_no_long_row_is_turned_by_a_copy(turn: Callable[[Value], Value]) -> None:
    turned = turn(mixed())
    fusion = partition(Graph(HEADS, (("y", turned.dot(const(np.ones((turned.shape[-1], 8), np.float32)))),)))
    assert len(fusion.groups) == 3


def test_rows_that_others_read_are_turned_by_a_copy() -> None:
    product = mixed()
    turned = product.transpose(0, 2, 1, 3).reshape((N, 5, 48))
    fusion = partition(Graph(HEADS, (("y", turned.dot(const(np.ones((48, 8), np.float32)))), ("z", product))))
    assert len(fusion.groups) == 3


@pytest.mark.parametrize("between", ["s = Identity(a)", "s = Softmax(a)", "s = Relu(a)"])
def test_what_turned_rows_become(between: str, rng: np.random.Generator) -> None:
    nodes = f"a = MatMul(q, k) {between} m = MatMul(s, v) y = Transpose <perm = [0, 2, 1, 3]> (m)"
    inputs = "float[B,3,M,24] q, float[B,3,24,T] k, float[B,3,T,16] v"
    text = f"g ({inputs}) => (float[B,M,3,16] y) {{ {nodes} }}"
    shapes = (2, 3, 37, 24), (2, 3, 24, 29), (2, 3, 29, 16)
    q, k, v = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    scores = q @ k
    if "Relu" in between:
        scores = np.maximum(scores, 0)
    if "Softmax" in between:
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
    for threads in (1, 2):
        (found,) = program(model(text), threads=threads).run((q, k, v), (0,))
        assert_close(found, (scores @ v).swapaxes(1, 2), 64)


@pytest.mark.parametrize("inside", [lambda v: v.pad((0, 1), (0, 2)), lambda v: concat([X, v], 1)])
def test_what_a_reshape_joins_is_written_inside_what_it_is_part_of(inside: Callable[[Value], Value]) -> None:
    turned = X.exp().reshape((N, 2, 2)).transpose(0, 2, 1)
    joined = turned.reshape((N, 4))
    y = inside(joined)
    fusion = partition(Graph((X,), (("y", y),)))
    place, whole = fusion.places[turned.id], fusion.places[y.id]
    assert place.storage is whole.storage
    assert place.strides == (y.shape[1], 2, 1)
    assert joined not in [group.root for group in fusion.groups]


def test_what_others_read_too_is_copied_into_what_a_reshape_is_part_of() -> None:
    turned = X.exp().reshape((N, 2, 2)).transpose(0, 2, 1)
    joined = turned.reshape((N, 4))
    y = joined.pad((0, 1), (0, 2))
    fusion = partition(Graph((X,), (("y", y), ("z", turned.exp()))))
    assert fusion.places[turned.id].storage is not fusion.places[y.id].storage
    assert fusion.places[joined.id].storage is fusion.places[y.id].storage
    assert joined in [group.root for group in fusion.groups]


def test_what_an_output_of_its_own_holds_is_copied_by_a_reshape() -> None:
    first = X.exp()
    y = first.reshape((N * 4,))
    fusion = partition(Graph((X,), (("first", first), ("y", y))))
    assert fusion.places[first.id].storage is not fusion.places[y.id].storage
    assert [group.root for group in fusion.groups] == [first, y]


def test_a_reshape_whose_content_is_a_size_stays_a_step() -> None:
    flags = placeholder("flags", dt.BOOL, (N,))
    with collect_data_sizes() as sources:
        found = many("nonzero", (flags,), {}, [(dt.I64, (1, N)), (dt.I64, (1, 1))])
        held = found[1].reshape((1,))
        (count,) = content(held)
        graph = Graph((flags, X), (("y", X.slice((0, 0), (count, 4)).exp()),), sources)
    fusion = partition(graph, frozenset({"nonzero"}))
    assert held.id in {group.root.id for group in fusion.groups}
    assert not is_in_place(held, fusion.places)


def test_memory_of_a_size_that_is_known_later_is_not_written_before() -> None:
    counts = placeholder("counts", dt.I64, (1,))
    with collect_data_sizes() as sources:
        (count,) = content(counts * 2)
        turned = X.exp().reshape((N, 2, 2)).transpose(0, 2, 1).exp()
        joined = turned.reshape((count, 4))
        graph = Graph((X, counts), (("y", joined),), sources)
    places = partition(graph).places
    assert places[turned.id].storage is not places[joined.id].storage


@pytest.mark.parametrize("sooner", [True, False])
def test_a_part_lies_in_memory_of_a_computed_size_if_that_is_known_by_then(sooner: bool) -> None:
    counts = placeholder("counts", dt.I64, (1,))
    with collect_data_sizes() as sources:
        held = counts * 2
        (count,) = content(held)
        part, rest = X.exp(), X.slice((0, 0), (count, 4)).log()
        outputs = (("held", held), ("y", concat([part, rest], 0)))
        graph = Graph((X, counts), outputs if sooner else outputs[1:], sources)
    fusion = partition(graph, frozenset())
    assert (fusion.places[part.id].storage is fusion.places[outputs[1][1].id].storage) == sooner


def test_what_is_joined_with_as_many_rows_as_were_counted_later(rng: np.random.Generator) -> None:
    text = """g (float[N,4] x) => (float[M,4] y) {
        e = Exp(x)  last = ArgMax<axis = 0, keepdims = 0>(x)  axis = Constant<value_ints = [0]>()
        count = ReduceMax(last, axis)  four = Constant<value_ints = [4]>()
        shape = Concat<axis = 0>(count, four)  zeros = ConstantOfShape(shape)  y = Concat<axis = 0>(e, zeros)
    }"""
    x = rng.standard_normal((5, 4)).astype(np.float32)
    (y,) = program(model(text)).run((x,), (0,))
    assert_close(y, np.concatenate([np.exp(x), np.zeros((x.argmax(0).max(), 4), np.float32)]))


def test_inputs_and_outputs_may_be_given() -> None:
    storage = Storage("arena", dt.F32, N * 8)
    given = BodyPlaces((Place(storage, 0, (4, 1)),), (Place(storage, N * 4, (4, 1)),))
    fusion = partition(Graph((X,), (("y", X.exp()),)), frozenset(), given)
    assert fusion.places[X.id].storage is storage
    assert fusion.outputs[0] == given.outputs[0]


def test_a_result_of_a_branch_is_read_by_that_branch_in_another_shape(rng: np.random.Generator) -> None:
    text = """g (float[N,M] x, float[N,K] v, bool c) => (float[?,?] joined, float[?,?] product) {
        joined, product = If (c) <
        then_branch = t () => (float[?,?] a, float[?,?] b) {
            a = Concat<axis = 1>(x, v)
            two = Constant<value_ints = [2, 6]>()  six = Constant<value_ints = [6, 2]>()
            r = Reshape(a, two)  s = Reshape(a, six)  b = MatMul(r, s) },
        else_branch = e () => (float[?,?] d, float[?,?] e) {
            d = Constant<value = float[1,1] {1}>()  e = Constant<value = float[1,1] {1}>() }> }"""
    x, v = rng.standard_normal((2, 2, 3)).astype(np.float32)
    whole = np.concatenate([x, v], 1)
    found = program(model(text)).run((x, v, np.array(True)), (0, 1))
    assert_close(found[0], whole)
    assert_close(found[1], whole.reshape(2, 6) @ whole.reshape(6, 2))


def test_where_parts_go() -> None:
    place = Place(Storage("arena", dt.F32, 99), 5, (10, 1))
    padded = X.pad((1, 2), (0, 3))
    ((inner, at),) = part_places(padded, place)
    assert inner is X
    assert (at.offset, at.strides) == (5 + 10 + 2, (10, 1))
    offsets = [p.offset for _, p in part_places(concat([X, X, X], 0), place)]
    assert offsets == [5, 5 + N * 10, 5 + N * 20]


def test_places_are_compared_by_what_they_hold() -> None:
    storage = Storage("arena", dt.F32, 12)
    one, other = Place(storage, 0, (4, 1)), Place(storage, 0, (9, 1))
    assert same_place(one, other, (1, 4)), "an axis of one element has no stride"
    assert not same_place(one, other, (3, 4))
    assert not same_place(one, Place(storage, 1, (4, 1)), (1, 4))
    assert not same_place(None, one, (1, 4))
    assert contiguous_strides((3, 4)) == (4, 1)


def test_questions() -> None:
    assert keeps_axes(X, X.reshape((N, 1, 4)))
    assert not keeps_axes(X, X.reshape((N * 4,)))
    attrs = {"k": 1, "axis": 1, "largest": True}
    best, _ = many("topk", (X,), attrs, [(dt.F32, (N, 1)), (dt.I64, (N, 1))])
    assert from_host(best, frozenset())
    assert not from_host(best, frozenset({"topk"}))
