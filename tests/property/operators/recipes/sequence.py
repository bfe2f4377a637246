"""Calls of operators over sequences and optionals."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from tests.property.operators.draw import Array, Draw, declared
from tests.property.operators.judges import formula
from tests.property.operators.recipe import Call, Fed, recipe

OUT_OF_RANGE = "the position is out of range"


def _items(d: Draw, least: int = 0, alike: bool = False) -> list[Array]:
    """Tensors of one type and rank."""
    shape = d.shape(most=3)
    shapes = [shape if alike else d.shape(len(shape), len(shape)) for _ in range(d.integer(least, 4))]
    return [d.array(s, specials="none") for s in shapes]


def _sequence(d: Draw, items: list[Array]) -> Fed:
    rank = items[0].ndim if items else 1
    element = declared(d.element, [None] * rank)
    return Fed(items, helper.make_sequence_type_proto(element))


def _position(d: Draw, count: int, beyond: int = 0) -> tuple[Array, str]:
    at = d.integer(-count, count - 1 + beyond) if count + beyond else 0
    wrong = d.integer(0, 7) == 7 or not count + beyond
    at = d.one_of(count + beyond, -count - 1, 2**31 - 1) if wrong else at
    return np.array(at, d.type("I")), OUT_OF_RANGE if wrong else ""


@recipe("SequenceEmpty")
def sequence_empty(d: Draw) -> Call:
    return Call([], judge=lambda *_: [[]], dtype=d.maybe(d.one_of(1, 7, 8, 9, 11)))


@recipe("SequenceConstruct")
def sequence_construct(d: Draw) -> Call:
    items = [d.array(d.shape()) for _ in range(d.integer(1, 4))]
    return Call(items, judge=lambda *_: [items])


@recipe("SequenceAt")
def sequence_at(d: Draw) -> Call:
    items = _items(d)
    at, wrong = _position(d, len(items))
    return Call([_sequence(d, items), at], judge=lambda *_: [items[int(at)]], invalid=wrong)


@recipe("SequenceInsert")
def sequence_insert(d: Draw) -> Call:
    items = _items(d, least=1)
    new = d.array(d.shape(items[0].ndim, items[0].ndim))
    at, wrong = _position(d, len(items), beyond=1)
    if d.flag():
        return Call([_sequence(d, items), new], judge=lambda *_: [[*items, new]])
    place = int(at) + (len(items) if at < 0 else 0)
    return Call(
        [_sequence(d, items), new, at],
        judge=lambda *_: [[*items[:place], new, *items[place:]]],
        invalid=wrong,
    )


@recipe("SequenceErase")
def sequence_erase(d: Draw) -> Call:
    items = _items(d, least=1)
    if d.flag():
        return Call([_sequence(d, items)], judge=lambda *_: [items[:-1]])
    at, wrong = _position(d, len(items))
    kept = [item for number, item in enumerate(items) if number != int(at) % len(items)]
    return Call([_sequence(d, items), at], judge=lambda *_: [kept], invalid=wrong)


@recipe("SequenceLength")
def sequence_length(d: Draw) -> Call:
    items = _items(d)
    return Call([_sequence(d, items)], judge=lambda *_: [np.array(len(items), np.int64)])


@recipe("ConcatFromSequence")
def concat_from_sequence(d: Draw) -> Call:
    items = _items(d, least=1, alike=True)
    new = bool(d.flag()) or not items[0].ndim
    axis = d.axis(items[0].ndim + new)
    if not new:
        items = [np.concatenate([i] * d.integer(1, 2), axis) for i in items]
    joined = np.stack(items, axis) if new else np.concatenate(items, axis)
    return Call([_sequence(d, items)], judge=lambda *_: [joined], axis=axis, new_axis=int(new) or None)


@recipe("SplitToSequence")
def split_to_sequence(d: Draw) -> Call:
    shape = list(d.shape(least=1, low=1))
    axis, keep = d.axis(len(shape)), d.maybe(int(d.flag()))
    way = d.one_of("each", "equal", "sizes")
    sizes = [d.integer(0, 3) for _ in range(d.integer(1, 3))]
    if way == "sizes":
        shape[axis] = sum(sizes)
    step = d.integer(1, 4)
    ends = (
        np.cumsum(sizes)[:-1]
        if way == "sizes"
        else np.arange(step if way == "equal" else 1, shape[axis], step)
    )
    if way == "each":
        ends = np.arange(1, shape[axis])
    x = d.array(shape)
    pieces = np.split(x, ends, axis)
    if way == "each" and keep == 0:
        pieces = [p.squeeze(axis) for p in pieces]
    split: Any = {"each": None, "equal": np.array(step, d.type("I")), "sizes": np.array(sizes, d.type("I"))}
    given = None if axis == 0 and d.flag() else axis
    return Call([x, split[way]], judge=lambda *_: [list(pieces)], axis=given, keepdims=keep)


def _held(d: Draw) -> tuple[Any, Any]:
    """A tensor or a sequence with its type."""
    if d.flag():
        x = d.array(d.shape())
        return x, declared(x.dtype, x.shape)
    items = _items(d, least=1)
    return items, _sequence(d, items).type


@recipe("Optional")
def optional(d: Draw) -> Call:
    value, proto = _held(d)
    if d.flag():
        return Call([], judge=lambda *_: [None], type=proto)
    return Call([Fed(value, proto)], judge=lambda *_: [value], type=d.maybe(proto))


@recipe("OptionalHasElement")
def optional_has_element(d: Draw) -> Call:
    value, proto = _held(d)
    if d.opset >= 18 and d.flag():
        there = d.flag()
        return Call([Fed(value, proto)] if there else [], judge=formula(lambda *_: np.array(there)))
    given = d.maybe(value)
    return Call(
        [Fed(given, helper.make_optional_type_proto(proto))],
        judge=lambda *_: [np.array(given is not None)],
    )


@recipe("OptionalGetElement")
def optional_get_element(d: Draw) -> Call:
    value, proto = _held(d)
    if d.opset >= 18 and d.flag():
        return Call([Fed(value, proto)], judge=lambda *_: [value])
    wrong = d.integer(0, 7) == 7
    return Call(
        [Fed(None if wrong else value, helper.make_optional_type_proto(proto))],
        judge=lambda *_: [value],
        invalid="the optional is empty" if wrong else "",
    )
