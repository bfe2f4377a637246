"""Sequences: what is known of their elements."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.errors import SardonyxError
from sardonyx.frontend import load
from tests.unit.frontend.models import outputs, parsed


def test_empty_sequences_of_two_types_are_two() -> None:
    text = """g (float[2] x, int64[2] i) => (float[?] y, int64[?] j) {
        zero = Constant<value_int = 0>()
        a = SequenceEmpty<dtype = 1>() b = SequenceEmpty<dtype = 7>()
        s = SequenceInsert(a, x) t = SequenceInsert(b, i)
        y = SequenceAt(s, zero) j = SequenceAt(t, zero)
    }"""
    x, i = np.array([1, 2], np.float32), np.array([3, 4])
    y, j = outputs(parsed(text), x, i)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(j, i)


def test_pieces_of_one_repeated_size_have_it_in_a_loop() -> None:
    """As PyTorch writes repeat_interleave: the body makes a shape of a piece, whose length must be known."""
    text = """g (float[N,2] x, int64[N] times) => (float[?,2] y) {
        yes = Constant<value = bool {1}>()  zero = Constant<value_int = 0>()
        n = Shape(times)  trips = Gather(n, zero)
        ones = ConstantOfShape<value = int64[1] {1}>(n)
        rows = SplitToSequence<axis = 0>(x, ones)  counts = SplitToSequence<axis = 0>(times, ones)
        e = SequenceEmpty()
        s = Loop<body = b (int64 i, bool go, seq(float[?,?]) a) => (bool more, seq(float[?,?]) c) {
            more = Identity(go)  row = SequenceAt(rows, i)  count = SequenceAt(counts, i)
            two = Constant<value_ints = [2]>()  shape = Concat<axis = 0>(count, two)
            r = Expand(row, shape)  c = SequenceInsert(a, r) }>(trips, yes, e)
        y = ConcatFromSequence<axis = 0>(s)
    }"""
    x, times = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([2, 1, 4])
    (y,) = outputs(parsed(text), x, times)
    np.testing.assert_array_equal(y, np.repeat(x, times, 0))


@pytest.mark.parametrize("keep", [0, 1])
def test_positions_of_an_axis_cut_into_single_ones_are_read_from_it(keep: int) -> None:
    """As PyTorch writes unbind of an axis of any length, one operation for each step of a recurrence."""
    given = "float[?,?]" if keep else "float[?]"
    text = f"""g (float[2,N] x, int64 p) => ({given} a, {given} b, {given} c, int64 n) {{
        one = Constant<value_int = 1>() last = Constant<value_int = -1>()
        s = SplitToSequence<axis = 1, keepdims = {keep}>(x) n = SequenceLength(s)
        a = SequenceAt(s, one) b = SequenceAt(s, last) c = SequenceAt(s, p)
    }}"""
    assert not [v.prim for v in load(parsed(text)).graph.order() if v.prim.startswith("sequence")]
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    *found, n = outputs(parsed(text), x, np.int64(-2))
    for y, at in zip(found, (1, 3, 2), strict=True):
        np.testing.assert_array_equal(y, x[:, at : at + 1] if keep else x[:, at])
    assert n == 4
    with pytest.raises(SardonyxError, match="position 1 is out of range for a sequence of N"):
        outputs(parsed(text), x[:, :1], np.int64(0))


def test_pieces_of_an_axis_cut_evenly_are_read_from_it() -> None:
    text = """g (float[N] x) => (float[?] a, float[?] b, int64 n) {
        three = Constant<value_int = 3>() zero = Constant<value_int = 0>() one = Constant<value_int = 1>()
        s = SplitToSequence<axis = 0>(x, three) n = SequenceLength(s)
        a = SequenceAt(s, zero) b = SequenceAt(s, one)
    }"""
    assert not [v.prim for v in load(parsed(text)).graph.order() if v.prim.startswith("sequence")]
    for length in (4, 6, 8):
        x = np.arange(length, dtype=np.float32)
        a, b, n = outputs(parsed(text), x)
        np.testing.assert_array_equal(a, x[:3])
        np.testing.assert_array_equal(b, x[3:6])
        assert n == -(-length // 3)
    with pytest.raises(SardonyxError, match="position 1 is out of range for a sequence of "):
        outputs(parsed(text), np.zeros(3, np.float32))


@pytest.mark.parametrize(
    "call", ["y = SequenceAt(s, p)", "t = SequenceErase(s, p)", "t = SequenceInsert(s, x, p)"]
)
@pytest.mark.parametrize(
    ("places", "given"),
    [
        pytest.param("int64[2] p", [0, 1], id="fed"),
        pytest.param("int64[K] p", [0, 1], id="free"),
        pytest.param("int64[2] q", [0, 1], id="constant"),
        pytest.param("int64[0] p", [], id="none"),
    ],
)
def test_a_position_is_one_number(call: str, places: str, given: list[int]) -> None:
    rest = "" if call.startswith("y") else "y = ConcatFromSequence<axis = 0>(t)"
    known = "p = Constant<value_ints = [0, 1]>()" if places.endswith("q") else ""
    text = f"g (float[2] x, {places}) => (float[?] y) {{ {known} s = SequenceConstruct(x, x) {call} {rest} }}"
    with pytest.raises(SardonyxError, match="position has the shape .* it must have one element"):
        outputs(parsed(text), np.ones(2, np.float32), np.array(given, np.int64))


@pytest.mark.parametrize("place", ["int64 p", "int64[1] p", "int64[K] p", "int64[1,1] p"])
def test_a_position_may_have_axes_of_one(place: str) -> None:
    body = "n = Neg(x) s = SequenceConstruct(x, n) y = SequenceAt(s, p)"
    text = f"g (float[2] x, {place}) => (float[?] y) {{ {body} }}"
    shape = {"int64 p": (), "int64[1,1] p": (1, 1)}.get(place, (1,))
    (y,) = outputs(parsed(text), np.ones(2, np.float32), np.ones(shape, np.int64))
    np.testing.assert_array_equal(y, [-1, -1])
