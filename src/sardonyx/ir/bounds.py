"""What must hold of run-time sizes so that no kernel leaves its memory, where it is not proven already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.ir.value import Value


@dataclass(frozen=True, slots=True)
class Obligation:
    """`dim` must be zero (`exact`) or not negative; otherwise the run stops with the message."""

    dim: Dim
    exact: bool
    message: str


def unproven(values: Iterable[Value]) -> list[Obligation]:
    """What must be checked of the sizes of values, each once; what was only assumed is checked too."""
    found: dict[tuple[Dim, bool], Obligation] = {}
    with dims.assuming({}):
        for value in values:
            for obligation in obligations(value):
                found.setdefault((obligation.dim, obligation.exact), obligation)
    return list(found.values())


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
        case "det" | "inverse":
            rows, columns = value.args[0].shape[-2:]
            yield from _same(rows, columns, f"{where}: the matrices are not square")
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
        case "conv_transpose":
            x, w = value.args
            yield from _same(x.shape[1], w.shape[0], f"{where}: channels of input and weights differ")
    for number, size in enumerate(value.shape):
        yield from _natural(size, f"{where}: axis {number} of its result would have a negative size")


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
