"""A kernel is told its sizes, strides and numbers in words, in the order in which it needs them."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.emit.nest import emit
from sardonyx.emit.words import LITERAL, Words, is_narrow
from sardonyx.llvm.vec import Function, Module
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Kernel,
    Load,
    Number,
    Pick,
    Position,
    Store,
    along,
)
from sardonyx.targets.x86_64 import isa

N, M = dims.symbol("n"), dims.symbol("m")
ROW, COLUMN = Axis("r", N), Axis("c", 1000)
X, Y = Buffer("x", dt.F32, "in"), Buffer("y", dt.F32, "out")
TO, FROM = Affine(0, ((ROW, 1000), (COLUMN, 1))), Affine(5, ((ROW, M), (COLUMN, 2)))


def declared(
    kernel: Kernel, told: frozenset[Axis] = frozenset(), sized: frozenset[Axis] = frozenset()
) -> Words:
    function = Function(Module(), "f", [("args", "ptr"), ("ctx", "ptr")])
    words = Words(function, function.params[0], kernel, 8, told, sized, {})
    words.declare()
    return words


def meanings(words: Words) -> list[object]:
    return [(word.buffer.name, word.dim) if word.buffer else word.dim for word in words.listed]


def copy(expr: object = None) -> Kernel:
    store = Store(Y, TO, (), expr or Load(X, FROM, dt.F32))  # type: ignore[arg-type]
    return Kernel("k", (ROW, COLUMN), (store,), (), vector=COLUMN)


def test_addresses_come_before_strides_and_extents_and_each_word_once() -> None:
    assert meanings(declared(copy())) == [("x", 5), M, ("y", 0), 1000, N, 1000]
    twice = Apply("add", (Load(X, FROM, dt.F32), Load(X, FROM, dt.F32)), dt.F32)
    assert meanings(declared(copy(twice))) == meanings(declared(copy()))


def test_small_sizes_are_literals_unless_a_stride_of_an_outer_axis_is_told() -> None:
    words = declared(copy())
    assert words.step(FROM, COLUMN).known == 2
    assert words.step(FROM, ROW).known is None
    assert [words.step(Affine(), axis).known for axis in (ROW, None)] == [0, 0]
    edge = Affine(0, ((ROW, LITERAL), (COLUMN, -LITERAL)))
    words = declared(copy(Load(X, edge, dt.F32)))
    assert [words.step(edge, axis).known for axis in (ROW, COLUMN)] == [LITERAL, -LITERAL]
    sevens, ones = Affine(0, ((ROW, 7),)), Affine(0, ((ROW, 1),))
    narrow = Kernel("k", (ROW, COLUMN), (Store(Y, sevens, (), Load(X, ones, dt.F32)),), ())
    assert declared(narrow).step(sevens, ROW).known == 7
    told = declared(narrow, frozenset({ROW}))
    assert 7 in meanings(told) and told.step(sevens, ROW).known is None
    assert told.step(ones, ROW).known == 1, "whether elements adjoin is structure"


def test_numbers_are_words_of_their_bits() -> None:
    words = declared(copy(Number(0.5, dt.F32)))
    assert np.float32(0.5).view(np.int32) in meanings(words)
    assert words.number(Number(0.5, dt.F32)).type == "float"


def test_extents_of_statements_are_words_of_their_own_where_that_is_asked() -> None:
    inner = Axis("i", 9)
    store = Store(Y, Affine(0, ((ROW, 9), (inner, 1))), (inner,), Load(X, Affine(0, ((ROW, 9),)), dt.F32))
    kernel = Kernel("k", (ROW,), (store,), ())
    plain, told = declared(kernel), declared(kernel, sized=frozenset({inner}))
    assert plain.extent(inner).known == 9 and not plain.is_sized(inner)
    assert told.extent(inner).known is None and told.is_sized(inner)
    assert [m for m in meanings(told) if m == 9] == [9] and 9 not in meanings(plain)


def test_an_integer_has_a_word_of_its_own_unless_it_is_small() -> None:
    words = declared(copy())
    before = len(words.listed)
    assert words.own(LITERAL).text == str(LITERAL)
    assert len(words.listed) == before
    words.own(1000)
    assert meanings(words)[before:] == [1000], "though a stride is 1000 too"


def test_positions_are_told_where_they_begin_and_how_they_move() -> None:
    assert meanings(declared(copy(Position(Affine(900, ((ROW, M),)), dt.I64))))[:2] == [900, M]


def test_what_was_not_declared_is_a_fault_of_the_writer() -> None:
    with pytest.raises(AssertionError, match="word p was not declared"):
        declared(copy()).word(None, dims.symbol("p"))


def test_the_form_tells_which_sizes_are_which_words() -> None:
    def form(*sizes: dims.Dim) -> list[str]:
        at = Affine(0, tuple(zip((ROW, COLUMN), sizes, strict=True)))
        return declared(copy(Load(X, at, dt.F32))).form

    assert form(200, 300) == form(400, 500)
    assert form(200, 300) != form(200, 200), "one word for both"
    assert form(200, 300) != form(1000, 300), "another size is that too"
    assert form(200, 2) != form(200, 3) and form(200, 2) != form(200, 300)
    assert form(M, 300) == form(200, 300) != form(M, M)


@pytest.mark.parametrize("of", [dt.I32, dt.I64, dt.U32], ids=str)
@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("extent", [2**31 - 1, 2**31, dims.symbol("n")], ids=str)
def test_indices_lead_no_farther_than_their_bits_say(of: DType, stride: int, extent: Dim) -> None:
    axis = Axis("a", 9)
    picks = (Pick(Load(Buffer("i", of, "in"), along(axis), of), stride, extent),)
    picked = Load(Buffer("x", dt.F32, "in"), Affine(), dt.F32, picks)
    store = Store(Buffer("y", dt.F32, "out"), along(axis), (), picked)
    told = emit(Kernel("k", (axis,), (store,), (), vector=axis), isa.V3).ir
    narrow = of is dt.I32 and stride == 1 and extent == 2**31 - 1
    assert is_narrow(picks[0]) == narrow
    assert ("icmp uge <8 x i32>" in told) == narrow
