"""Where stored values live: parts of a concat or pad inside their parent, outputs in the caller's memory.

What a transposition of rows alone reads is written where that would put it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.fuse.legal import on_host
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Place, Storage, blocks, contiguous_strides, reshape_strides, view
from sardonyx.ir.value import Value

_INTO_PARENT = frozenset({"map", "reduce", "contract", "index"})

_LOOKS = frozenset({"reshape", "transpose"})

_ROW = 16
"""Elements of a row that is written in its place at the speed of rows that lie side by side."""


@dataclass(frozen=True, slots=True)
class BodyPlaces:
    """Where the inputs and outputs of a graph inside another graph are stored, contiguous.

    Their strides are in the words of the outer graph, which may know the same sizes by others.
    """

    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]


def assign_places(
    graph: Graph,
    order: Sequence[Value],
    stored: Mapping[int, Value],
    contiguous: set[int],
    native: frozenset[str],
    given: BodyPlaces | None = None,
) -> tuple[dict[int, Place], tuple[Place | None, ...], list[tuple[Value, Place]]]:
    """Places of inputs, constants, stored values and their views; places of outputs; copies still to make.

    `given` are places of inputs and outputs that are stored elsewhere already.
    """
    places: dict[int, Place] = {}
    uses = graph.uses()

    def is_free(value: Value) -> bool:
        return value.id in stored and value.id not in places and not from_host(value, native)

    def may_lie(value: Value, place: Place) -> bool:
        return is_free(value) and _is_known(graph, numbers, value, place)

    numbers = {value.id: number for number, value in enumerate(order)}
    for number, value in enumerate(graph.inputs):
        places[value.id] = _outside("input", number, value, given.inputs[number] if given else None)
    sizes = {size.value.id for size in graph.data_sizes.values()}
    copies: list[tuple[Value, Place]] = []
    outputs: list[Place | None] = []
    for number, (_, value) in enumerate(graph.outputs):
        if not value.dtype.is_native or from_host(value, native):
            outputs.append(None)
            continue
        place = _outside("output", number, value, given.outputs[number] if given else None)
        outputs.append(place)
        if value.id in stored and value.id not in places:
            places[value.id] = place
        else:
            copies.append((value, place))
    for value in reversed(order):
        if value.data is not None:
            places[value.id] = _whole(Storage("const", value.dtype, value.size, 0, value), value)
        elif value.id in stored and from_host(value, native):
            if value.dtype.is_native:
                places[value.id] = _whole(Storage("host", value.dtype, value.size), value)
        elif value.id in stored and value.dtype is not dt.OBJECT:
            place = places.setdefault(value.id, _whole(Storage("arena", value.dtype, value.size), value))
            looks = value.prim in _LOOKS and given is None and value.id not in sizes
            beneath = _beneath(value, place, uses) if looks else None
            if beneath and may_lie(value.args[0], beneath):
                places[value.args[0].id] = beneath
            if value.prim in ("pad", "concat"):
                for part, inner in part_places(value, place):
                    source, at = _unwrapped(part, inner, stored)
                    movable = _may_move(source) or source.prim == "reshape"
                    if movable and source.id not in contiguous and may_lie(source, at):
                        places[source.id] = at
    _add_views(order, stored, places)
    return places, tuple(outputs), copies


def _add_views(order: Sequence[Value], stored: Mapping[int, Value], places: dict[int, Place]) -> None:
    """The places of views that are not stored, where what they look at has one."""
    for value in order:
        is_view = value.kind == "view" and value.args and value.dtype.is_native and value.id not in stored
        if value.id not in places and is_view and value.args[0].id in places:
            found = view(value, places[value.args[0].id])
            if found is not None:
                places[value.id] = found


def _beneath(value: Value, place: Place, uses: Mapping[int, Sequence[Value]]) -> Place | None:
    """Where what a stored view looks at is written, so that nothing is left to do; None if it cannot be."""
    under = value.args[0]
    alone = uses[under.id] == [value]
    if value.prim == "transpose":
        serves = alone and _may_move(under) and _keeps_rows(value)
    else:
        serves = (_is_dense(place, value) or alone) and (under.kind == "view" or _may_move(under))
    return _looked_at(value, place) if serves else None


def keeps_axes(source: Value, target: Value) -> bool:
    """Whether a reshape only adds or drops axes of size 1, so that any strides serve it."""
    pairs = blocks(source.shape, target.shape)
    return pairs is not None and all(len(old) == len(new) == 1 for old, new in pairs)


def _unwrapped(part: Value, place: Place, stored: Mapping[int, Value]) -> tuple[Value, Place]:
    """What lies under reshapes that add or drop axes of size 1, with its strides in the same place."""
    while part.id not in stored and part.prim == "reshape" and keeps_axes(part.args[0], part):
        strides = reshape_strides(part.shape, place.strides, part.args[0].shape)
        if strides is None:
            break
        part, place = part.args[0], Place(place.storage, place.offset, strides)
    return part, place


def _keeps_rows(value: Value) -> bool:
    """Whether a transposition leaves elements side by side that were, and many."""
    last = value.shape[-1] if value.rank else 1
    return bool(value.attrs["perm"][-1] == value.rank - 1) and isinstance(last, int) and last >= _ROW


def is_in_place(value: Value, places: Mapping[int, Place]) -> bool:
    """Whether a stored view is where what it looks at was written, so that nothing is left to do."""
    if value.prim not in _LOOKS:
        return False
    under = value.args[0]
    beneath = _looked_at(value, places[value.id])
    return beneath is not None and same_place(places.get(under.id), beneath, under.shape)


def _is_known(graph: Graph, numbers: Mapping[int, int], value: Value, place: Place) -> bool:
    """Whether the sizes of a place that depend on data are computed before the value, by numbers in order."""
    names = dims.symbols(place.storage.size).union(*map(dims.symbols, (place.offset, *place.strides)))
    sources = (graph.data_sizes[name].value for name in names if name in graph.data_sizes)
    return all(numbers.get(source.id, -1) < numbers[value.id] for source in sources)


def _is_dense(place: Place, value: Value) -> bool:
    return place.strides == contiguous_strides(value.shape)


def _looked_at(value: Value, place: Place) -> Place | None:
    """Where what a reshape or transposition at a place looks at lies in its memory; None if it cannot."""
    shape = value.args[0].shape
    if value.prim == "transpose":
        strides = [place.strides[value.attrs["perm"].index(axis)] for axis in range(value.rank)]
        return Place(place.storage, place.offset, tuple(strides))
    if _is_dense(place, value):
        return Place(place.storage, place.offset, contiguous_strides(shape))
    found = reshape_strides(value.shape, place.strides, shape)
    return None if found is None else Place(place.storage, place.offset, found)


def same_place(one: Place | None, other: Place, shape: Sequence[Dim]) -> bool:
    """Whether two places of a tensor are the same memory; the strides of axes of size 1 do not matter."""
    if one is None or one.storage is not other.storage or one.offset != other.offset:
        return False
    pairs = zip(one.strides, other.strides, shape, strict=True)
    return all(size == 1 or a == b for a, b, size in pairs)


def from_host(value: Value, native: frozenset[str]) -> bool:
    """Whether a value is the result of an operation in Python."""
    return on_host(value.args[0] if value.prim == "result" else value, native)


def _may_move(part: Value) -> bool:
    return (part.kind in _INTO_PARENT and part.prim != "scatter_nd") or part.prim in ("pad", "concat")


def _outside(kind: Literal["input", "output"], number: int, value: Value, given: Place | None) -> Place:
    """Where an input or output is stored, in the words in which the graph itself knows its sizes."""
    storage = given.storage if given else Storage(kind, value.dtype, value.size, number)
    return Place(storage, given.offset if given else 0, contiguous_strides(value.shape))


def _whole(storage: Storage, value: Value) -> Place:
    return Place(storage, 0, contiguous_strides(value.shape))


def part_places(value: Value, place: Place) -> Iterator[tuple[Value, Place]]:
    """The operands of a pad or concat with the places they take inside it."""
    if value.prim == "pad":
        low: tuple[Dim, ...] = value.attrs["low"]
        offset = place.offset
        for amount, stride in zip(low, place.strides, strict=True):
            offset = offset + amount * stride
        yield value.args[0], Place(place.storage, offset, place.strides)
        return
    axis, offset = value.attrs["axis"], place.offset
    for part in value.args:
        yield part, Place(place.storage, offset, place.strides)
        offset = offset + part.shape[axis] * place.strides[axis]
