"""The conditions under which the primitives of the table stay inside their memory.

Those of algorithms stand beside their meaning. Must not know kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sardonyx.base import dim as dims
from sardonyx.ir.obligation import Obligation, Operation, alike, natural, same


def reshape(value: Operation, where: str) -> Iterator[Obligation]:
    """The number of elements stays."""
    source = value.args[0]
    if source.size != value.size:
        message = f"{where}: cannot reshape {list(source.shape)} to {list(value.shape)}"
        yield from same(source.size, value.size, message)


def dot(value: Operation, where: str) -> Iterator[Obligation]:
    """Rows of one operand are as long as columns of the other."""
    a, b = value.args
    what = f"cannot multiply {list(a.shape)} by {list(b.shape)}: inner sizes of a matrix product differ"
    yield from same(a.shape[-1], b.shape[-2], f"{where}: {what}")


def concat(value: Operation, where: str) -> Iterator[Obligation]:
    """All axes but one agree."""
    axis = value.attrs["axis"]
    for part in value.args[1:]:
        for number, (m, n) in enumerate(zip(part.shape, value.args[0].shape, strict=True)):
            if number != axis:
                yield from same(m, n, f"{where}: joined tensors differ in axis {number}")


def pad(value: Operation, where: str) -> Iterator[Obligation]:
    """Nothing is cut off."""
    for amount in (*value.attrs["low"], *value.attrs["high"]):
        yield from natural(amount, f"{where}: a negative amount of padding")


def conv(value: Operation, where: str) -> Iterator[Obligation]:
    """Each group of weights reads its share of the channels; blocked ones are padded to whole blocks."""
    x, w = value.args[:2]
    if x.rank != 5:
        channels = w.shape[1] * value.attrs["group"]
        yield from same(x.shape[1], channels, f"{where}: channels of input and weights differ")


def gather_elements(value: Operation, where: str) -> Iterator[Obligation]:
    """Positions along one axis are no more than the others hold."""
    x, index = value.args
    yield from _inside(index, x, value.attrs["axis"], where)


def gather_nd(value: Operation, where: str) -> Iterator[Obligation]:
    """Batch axes agree."""
    x, index = value.args
    for axis in range(value.attrs["batch_dims"]):
        yield from same(index.shape[axis], x.shape[axis], f"{where}: sizes of the batch axis {axis} differ")


def scatter_elements(value: Operation, where: str) -> Iterator[Obligation]:
    """Positions fit the tensor, updates the positions."""
    x, index, updates = value.args
    yield from _inside(index, x, value.attrs["axis"], where)
    yield from alike(updates, index.shape, f"{where}: indices and updates have different sizes")


def scatter_nd(value: Operation, where: str) -> Iterator[Obligation]:
    """Updates fit the positions."""
    x, index, updates = value.args
    depth = index.shape[-1]
    assert isinstance(depth, int)
    shape = (*index.shape[:-1], *x.shape[depth:])
    yield from alike(updates, shape, f"{where}: the updates do not fit the indices")


def _inside(index: Any, x: Any, axis: int, where: str) -> Iterator[Obligation]:
    """Indices for positions along an axis are no larger than the tensor in the others."""
    for number, (count, size) in enumerate(zip(index.shape, x.shape, strict=True)):
        if number != axis:
            yield from natural(size - count, f"{where}: the indices exceed the tensor in axis {number}")


def slice_(value: Operation, where: str) -> Iterator[Obligation]:
    """First and last element lie inside."""
    at = value.attrs
    for n, start, step, size in zip(value.args[0].shape, at["start"], at["step"], at["size"], strict=True):
        if start == 0 and size == n and step == 1:
            continue
        last = start + (size - 1) * step
        low, high = (start, last) if step > 0 else (last, start)
        if size != 0:
            # An empty slice reads nothing, wherever it lies.
            empty = dims.where(dims.is_equal(size, 0), 1, 0)
            yield from natural(dims.where(empty, 0, low), f"{where}: a slice begins before its tensor")
            yield from natural(dims.where(empty, 0, n - 1 - high), f"{where}: a slice ends after its tensor")


def conv_transpose(value: Operation, where: str) -> Iterator[Obligation]:
    """Weights have a filter for each channel."""
    x, w = value.args
    yield from same(x.shape[1], w.shape[0], f"{where}: channels of input and weights differ")
