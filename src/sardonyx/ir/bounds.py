"""What must hold of run-time sizes so that no kernel leaves its memory, where it is not proven already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.fold import flat_dims
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value


@dataclass(frozen=True, slots=True)
class Obligation:
    """`dim` must be zero (`exact`) or not negative; otherwise the run stops with the message."""

    dim: Dim
    exact: bool
    message: str


def unproven(graph: Graph) -> list[Obligation]:
    """What must be checked of the sizes of a graph, each once; what was only assumed is checked too."""
    found: dict[tuple[Dim, bool], Obligation] = {}
    with dims.assuming({}):
        for obligation in (*_contents(graph), *(o for v in graph.order() for o in obligations(v))):
            found.setdefault((obligation.dim, obligation.exact), obligation)
    return list(found.values())


def _contents(graph: Graph) -> Iterator[Obligation]:
    """Sizes that are read from the content of tensors are as large as was taken for granted."""
    read = {name: unknown for name, unknown in graph.unknowns.items() if unknown.result is None}
    least: dict[str, int] = {}
    for value in graph.order() if read else ():
        for size in flat_dims([value.shape, value.attrs, [shape for _, shape in value.results]]):
            for name, low in dims.lows(size).items() if isinstance(size, dims.Expr) else ():
                least[name] = max(low, least.get(name, low))
    for name, unknown in read.items():
        if name in least:
            where = ", ".join(unknown.value.origins) or str(
                unknown.value.attrs.get("name", unknown.value.prim)
            )
            message = f"{where}: element {unknown.index}, which gives a size, is below {least[name]}"
            yield Obligation(dims.symbol(name, None) - least[name], False, message)


def obligations(value: Value) -> Iterator[Obligation]:
    """The conditions on sizes under which reading and writing this value is safe."""
    where = ", ".join(value.origins) or value.prim
    match value.prim:
        case "reshape":
            source = value.args[0]
            yield from _same(
                source.size,
                value.size,
                f"{where}: cannot reshape {list(source.shape)} to {list(value.shape)}",
            )
        case "dot":
            a, b = value.args
            yield from _same(a.shape[-1], b.shape[-2], f"{where}: inner sizes of a matrix product differ")
        case "concat":
            axis = value.attrs["axis"]
            for part in value.args[1:]:
                for number, (m, n) in enumerate(zip(part.shape, value.args[0].shape, strict=True)):
                    if number != axis:
                        yield from _same(m, n, f"{where}: joined tensors differ in axis {number}")
        case "slice":
            yield from _slice(value, where)
        case "pad":
            for amount in (*value.attrs["low"], *value.attrs["high"]):
                yield from _natural(amount, f"{where}: a negative amount of padding")
        case "conv" | "conv_blocked":
            if value.args[0].rank != 5:
                x, w = value.args
                yield from _same(
                    x.shape[1],
                    w.shape[1] * value.attrs["group"],
                    f"{where}: channels of input and weights differ",
                )
        case prim if prim in _OPERANDS:
            yield from _OPERANDS[prim](value, where)
    for number, size in enumerate(value.shape):
        yield from _natural(size, f"{where}: axis {number} of its result would have a negative size")


def _gather_elements(value: Value, where: str) -> Iterator[Obligation]:
    x, index = value.args
    yield from _inside(index, x, value.attrs["axis"], where)


def _gather_nd(value: Value, where: str) -> Iterator[Obligation]:
    x, index = value.args
    for axis in range(value.attrs["batch_dims"]):
        yield from _same(index.shape[axis], x.shape[axis], f"{where}: sizes of the batch axis {axis} differ")


def _scatter_elements(value: Value, where: str) -> Iterator[Obligation]:
    x, index, updates = value.args
    yield from _inside(index, x, value.attrs["axis"], where)
    yield from _alike(updates, index.shape, f"{where}: indices and updates have different sizes")


def _scatter_nd(value: Value, where: str) -> Iterator[Obligation]:
    x, index, updates = value.args
    depth = index.shape[-1]
    assert isinstance(depth, int)
    shape = (*index.shape[:-1], *x.shape[depth:])
    yield from _alike(updates, shape, f"{where}: the updates do not fit the indices")


def _recurrent(value: Value, where: str) -> Iterator[Obligation]:
    gates, r, *rest = value.args
    _, batch, directions, size = gates.shape
    extras = dict(zip(reversed(value.attrs["extras"]), reversed(rest), strict=False))
    states = rest[: len(rest) - len(extras)]
    units = states[-1].shape[2]
    message = f"{where}: the weights W and R do not fit each other"
    yield from _alike(r, (directions, units, size), message)
    yield from _same(units * _GATES[value.prim], size, message)
    for state in states if value.prim != "lstm_quantized" else states[2:]:
        yield from _alike(state, (directions, batch, units), f"{where}: an initial state has a wrong size")
    wanted = {"lens": (batch,), "peepholes": (directions, units * 3), "bias": (directions, units)}
    for name, given in extras.items():
        yield from _alike(given, wanted[name], f"{where}: the {name} have a wrong size")


_GATES = {"lstm": 4, "lstm_quantized": 4, "gru": 3, "rnn": 1}


def _boxes(value: Value, where: str) -> Iterator[Obligation]:
    boxes, scores = value.args[:2]
    wanted = (scores.shape[0], scores.shape[2], 4)
    yield from _alike(boxes, wanted, f"{where}: the boxes do not fit the scores")


def _regions(value: Value, where: str) -> Iterator[Obligation]:
    rows = value.args[1].shape
    yield from _same(rows[1], 4 if value.prim == "roi_align" else 5, f"{where}: a region has a wrong size")
    for images in value.args[2:]:
        yield from _alike(images, rows[:1], f"{where}: regions and batch indices differ in number")


def _square(value: Value, where: str) -> Iterator[Obligation]:
    rows, columns = value.args[0].shape[-2:]
    yield from _same(rows, columns, f"{where}: the matrices are not square")


def _top(value: Value, where: str) -> Iterator[Obligation]:
    room = value.args[0].shape[value.attrs["axis"]] - value.attrs["k"]
    yield from _natural(room, f"{where}: k is larger than the axis")
    yield from _natural(value.attrs["k"], f"{where}: k is negative")


def _transposed(value: Value, where: str) -> Iterator[Obligation]:
    x, w = value.args
    yield from _same(x.shape[1], w.shape[0], f"{where}: channels of input and weights differ")


_OPERANDS: dict[str, Callable[[Value, str], Iterator[Obligation]]] = {
    "gather_elements": _gather_elements,
    "gather_nd": _gather_nd,
    "scatter_elements": _scatter_elements,
    "scatter_nd": _scatter_nd,
    **dict.fromkeys(("lstm", "lstm_quantized", "gru", "rnn"), _recurrent),
    "nms": _boxes,
    **dict.fromkeys(("roi_align", "max_roi_pool"), _regions),
    **dict.fromkeys(("det", "inverse"), _square),
    "topk": _top,
    "conv_transpose": _transposed,
}
"""Conditions between operands, by primitive."""


def _alike(value: Value, shape: Sequence[Dim], message: str) -> Iterator[Obligation]:
    """The value has this shape; a wrong rank is refused at once."""
    if value.rank != len(shape):
        raise ShapeError(f"{message}: {list(value.shape)} instead of {list(shape)}")
    for size, wanted in zip(value.shape, shape, strict=True):
        yield from _same(size, wanted, f"{message}: {list(value.shape)} instead of {list(shape)}")


def _inside(index: Value, x: Value, axis: int, where: str) -> Iterator[Obligation]:
    """Indices for positions along an axis are no larger than the tensor in the others."""
    for number, (count, size) in enumerate(zip(index.shape, x.shape, strict=True)):
        if number != axis:
            yield from _natural(size - count, f"{where}: the indices exceed the tensor in axis {number}")


def _slice(value: Value, where: str) -> Iterator[Obligation]:
    at = value.attrs
    for n, start, step, size in zip(value.args[0].shape, at["start"], at["step"], at["size"], strict=True):
        if start == 0 and size == n and step == 1:
            continue
        last = start + (size - 1) * step
        low, high = (start, last) if step > 0 else (last, start)
        if size != 0:
            # An empty slice reads nothing, wherever it lies.
            empty = dims.where(dims.is_equal(size, 0), 1, 0)
            yield from _natural(dims.where(empty, 0, low), f"{where}: a slice begins before its tensor")
            yield from _natural(dims.where(empty, 0, n - 1 - high), f"{where}: a slice ends after its tensor")


def _same(a: Dim, b: Dim, message: str) -> Iterator[Obligation]:
    if dims.equal(a, b) is not True:
        yield Obligation(a - b, True, message)


def _natural(dim: Dim, message: str) -> Iterator[Obligation]:
    low = dims.lower_bound(dim)
    if low is None or low < 0:
        yield Obligation(dim, False, message)
