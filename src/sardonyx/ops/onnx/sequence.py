"""Sequences and optionals: resolved while loading where their course is known, else lists on the host.

A sequence whose length is known is one `sequence` primitive over its elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.data_size import data_sized
from sardonyx.ir.premise import must_equal
from sardonyx.ir.value import Value, concat, const, dim_value, make
from sardonyx.ops import operands
from sardonyx.ops.demands import element_type, single
from sardonyx.ops.elements import MIXED_RANK, UNKNOWN_RANK, Elements, elements, join, nature
from sardonyx.ops.onnx.index import gather
from sardonyx.ops.table import op


def _all(items: Sequence[Value]) -> Elements:
    found: Elements = ()
    for item in items:
        found = join(found, elements(item))
    return found


def _sequence(prim: str, args: Sequence[Value], attrs: dict[str, Any], elements: Elements) -> Value:
    return make(prim, tuple(args), attrs, dt.OBJECT, (), elements)


def _known(found: Elements) -> tuple[DType, tuple[Dim | None, ...]]:
    """The element type and sizes, None where they differ. Raises UnsupportedOp if the rank is unknown."""
    if found and found[0][1] == MIXED_RANK:
        raise UnsupportedOp("the tensors of this sequence have several ranks; take them at known positions")
    if not found or found[0][1] == UNKNOWN_RANK or found[0][0] is dt.OBJECT:
        raise UnsupportedOp("the rank of the tensors of this sequence is not known; declare their shape")
    ((dtype, shape),) = found
    return dtype, tuple(None if n == -1 else n for n in shape)


def _items(sequence: Value) -> tuple[Value, ...] | None:
    """The elements of a sequence whose course is known."""
    return sequence.args if sequence.prim == "sequence" else None


def _place(position: tuple[Value, ...]) -> int | None:
    """What a position is, if one is given and known."""
    known = position[0].data if position and position[0].is_numeric_const else None
    return None if known is None else int(known)


def _one(position: Value | None) -> tuple[Value, ...]:
    """A position that may be given. Raises ShapeError if it is not one number."""
    return () if position is None else (single(position, "position"),)


def _checked(place: int, items: Sequence[Value], beyond: int = 0) -> int:
    """A position counted from the start. Raises ShapeError if it is out of range."""
    if not -len(items) <= place < len(items) + beyond:
        raise ShapeError(f"position {place} is out of range for a sequence of {len(items)}")
    return place + len(items) if place < 0 else place


@op("SequenceEmpty", since=11)
def sequence_empty(*, dtype: int = 1) -> Value:
    """A sequence of nothing."""
    return _sequence("sequence", (), {}, ((element_type(dtype, "dtype"), UNKNOWN_RANK),))


@op("SequenceConstruct", since=11)
def sequence_construct(*inputs: Value) -> Value:
    """A sequence of the inputs."""
    return _sequence("sequence", inputs, {}, _all(inputs))


@op("SequenceAt", since=11)
def sequence_at(input_sequence: Value, position: Value) -> Value:
    """One element."""
    items, given = _items(input_sequence), _one(position)
    place = _place(given)
    if items is not None and place is not None:
        return items[_checked(place, items)]
    piece = _cut(input_sequence, given[0], place)
    if piece is not None:
        return piece
    return data_sized("sequence_at", (input_sequence, *given), {}, [_known(elements(input_sequence))])[0]


@op("SequenceInsert", since=11)
def sequence_insert(input_sequence: Value, tensor: Value, position: Value | None = None) -> Value:
    """The sequence with one more element, at the end if no position is given."""
    found = join(elements(input_sequence), elements(tensor))
    items, given = _items(input_sequence), _one(position)
    place = _place(given)
    if items is not None and (not given or place is not None):
        at = len(items) if place is None else _checked(place, items, beyond=1)
        return _sequence("sequence", (*items[:at], tensor, *items[at:]), {}, found)
    return _sequence("sequence_insert", (input_sequence, tensor, *given), {}, found)


@op("SequenceErase", since=11)
def sequence_erase(input_sequence: Value, position: Value | None = None) -> Value:
    """The sequence without one element, the last if no position is given."""
    items, given = _items(input_sequence), _one(position)
    place = _place(given)
    if items and (not given or place is not None):
        at = len(items) - 1 if place is None else _checked(place, items)
        kept = (*items[:at], *items[at + 1 :])
        return _sequence("sequence", kept, {}, elements(input_sequence))
    return _sequence("sequence_erase", (input_sequence, *given), {}, elements(input_sequence))


@op("SequenceLength", since=11)
def sequence_length(input_sequence: Value) -> Value:
    """The number of elements."""
    items, step = _items(input_sequence), _step(input_sequence)
    if items is not None:
        return dim_value(len(items), dt.I64)
    if step is not None:
        return dim_value(_pieces(input_sequence, step), dt.I64)
    return make("sequence_length", (input_sequence,), {}, dt.I64, ())


@op("ConcatFromSequence", since=11)
def concat_from_sequence(input_sequence: Value, *, axis: int, new_axis: int = 0) -> Value:
    """All elements joined along an axis, or along a new one."""
    if new_axis not in (0, 1):
        raise ShapeError(f"new_axis is {new_axis}, it must be 0 or 1")
    items = _items(input_sequence)
    if items:
        if not new_axis:
            return concat(items, axis)
        (at,) = operands.normal_axes((axis,), items[0].rank + 1)
        return concat([i.reshape((*i.shape[:at], 1, *i.shape[at:])) for i in items], at)
    dtype, shape = _known(elements(input_sequence))
    (at,) = operands.normal_axes((axis,), len(shape) + new_axis)
    sizes = list(shape)
    if new_axis:
        sizes.insert(at, None)
    else:
        sizes[at] = None
    attrs = {"axis": at, "new_axis": bool(new_axis)}
    return data_sized("sequence_join", (input_sequence,), attrs, [(dtype, sizes)])[0]


def _piece(x: Value, axis: int, start: Dim, size: Dim) -> Value:
    begin = [start if a == axis else 0 for a in range(x.rank)]
    return x.slice(begin, [size if a == axis else n for a, n in enumerate(x.shape)])


def _step(sequence: Value) -> int | None:
    """The size of all pieces but the last, if the sequence is an axis cut evenly."""
    if sequence.prim != "sequence_split":
        return None
    sizes = sequence.args[1:]
    step = 1 if not sizes else _place(sizes) if sizes[0].rank == 0 else None
    return step if step is not None and step > 0 else None


def _pieces(split: Value, step: int) -> Dim:
    return dims.ceildiv(split.args[0].shape[split.attrs["axis"]], step)


def _cut(sequence: Value, position: Value, place: int | None) -> Value | None:
    """One piece of an evenly cut axis, read from what is cut; None if that is not what the sequence is."""
    step = _step(sequence)
    if step is None or (step > 1 and (place is None or place < 0)):
        return None
    x, axis, whole = sequence.args[0], sequence.attrs["axis"], sequence.attrs["keep"]
    if place is not None:
        count = _pieces(sequence, step)
        beyond = dims.minimum(count + place if place < 0 else count - 1 - place, 0)
        must_equal(beyond, 0, f"position {place} is out of range for a sequence of {{}}", count)
        if step > 1:
            start = place * step
            return _piece(x, axis, start, dims.minimum(x.shape[axis] - start, step))
    piece = gather(x, position, axis=axis)
    return piece.reshape((*x.shape[:axis], 1, *x.shape[axis + 1 :])) if whole else piece


def _repeated(split: Value) -> int:
    """The size of each piece where the sizes are one number, as often as is known at run time; else -1."""
    size = _place(_one(split.args[0])) if split.prim == "broadcast" and split.args[0].size == 1 else None
    return -1 if size is None or size < 0 else size


@op("SplitToSequence", since=11)
def split_to_sequence(x: Value, split: Value | None = None, *, axis: int = 0, keepdims: int = 1) -> Value:
    """Pieces of x along an axis: of the given sizes, of one size, or single positions."""
    axis = x.axis(axis)
    extent = x.shape[axis]
    sizes: list[Dim] | None = None
    if split is None:
        sizes = [1] * extent if isinstance(extent, int) else None
    elif split.rank == 0:
        step = operands.size(split, "the split") if split.is_const else None
        if isinstance(step, int) and isinstance(extent, int):
            sizes = [min(step, extent - start) for start in range(0, extent, step)]
    elif isinstance(split.size, int):
        sizes = list(operands.sizes(split, "the split"))
    whole = split is not None or bool(keepdims)
    if sizes is not None:
        pieces: list[Value] = []
        start: Dim = 0
        for size in sizes:
            piece = _piece(x, axis, start, size)
            pieces.append(piece if whole else piece.reshape(x.shape[:axis] + x.shape[axis + 1 :]))
            start = start + size
        return _sequence("sequence", pieces, {}, _all(pieces))
    each = 1 if split is None else _repeated(split)
    rest = (*x.shape[:axis], *((each,) if whole else ()), *x.shape[axis + 1 :])
    args = (x,) if split is None else (x, split)
    return _sequence("sequence_split", args, {"axis": axis, "keep": whole}, ((x.dtype, rest),))


@op("Optional", since=15)
def optional(x: Value | None = None, *, type: str = "") -> Value:
    """An optional that holds x, or nothing."""
    return _sequence("optional", () if x is None else (x,), {"type": type}, () if x is None else elements(x))


def _holds(x: Value) -> bool | None:
    """Whether x surely is a value: no optional, or one of known course; None if only the run will tell."""
    if x.prim == "optional":
        return bool(x.args)
    return True if nature(x).startswith(("seq(", "tensor(")) else None


@op("OptionalHasElement", since=15)
def optional_has_element(x: Value | None = None) -> Value:
    """Whether an optional holds a value; anything that is not an optional does."""
    known = False if x is None else _holds(x)
    if known is not None or x is None:
        return const(np.asarray(known))
    return make("optional_has", (x,), {}, dt.BOOL, ())


@op("OptionalGetElement", since=15)
def optional_get_element(x: Value) -> Value:
    """The value of an optional; anything that is not an optional is its own."""
    if _holds(x):
        return x.args[0] if x.prim == "optional" else x
    if nature(x).startswith("optional(seq("):
        held = _sequence("optional_get", (x,), {}, ((dt.OBJECT, ()),))
        return make("result", (held,), {"index": 0, "type": "seq("}, dt.OBJECT, (), elements(x))
    return data_sized("optional_get", (x,), {}, [_known(elements(x))])[0]
