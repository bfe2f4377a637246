"""Where a tensor lives: a storage, an offset and one stride an axis, all in elements.

Views of a stored tensor are other places in the same storage. Knows sizes only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, TypeAlias

from sardonyx.base import broadcasting
from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.deferred import Deferred
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.value import Value

StorageKind: TypeAlias = Literal["input", "output", "const", "arena", "packed", "host"]


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A block of memory.

    `kind`: "input" and "output" (numbered by `index`, owned by the caller), "const" (`value` holds the data),
    "arena" (planned), "packed" (a constant rearranged for a kernel: `value`, or what is `deferred`), "host"
    (the result of an operation in Python).
    """

    kind: StorageKind
    dtype: DType
    size: Dim
    index: int = 0
    value: Value | None = None
    deferred: Deferred | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor inside a storage."""

    storage: Storage
    offset: Dim
    strides: tuple[Dim, ...]

    def spread(self, shape: Sequence[Dim], result: Sequence[Dim]) -> Place:
        """The same of a shape that is broadcast to another one: axes that repeat have stride 0."""
        axes = zip(shape, result, self.strides, strict=True)
        strides = (s if n == m else broadcasting.broadcast_stride(n, m, s) for n, m, s in axes)
        return Place(self.storage, self.offset, tuple(strides))


def contiguous_strides(shape: Sequence[Dim]) -> tuple[Dim, ...]:
    """Row-major strides."""
    strides: list[Dim] = []
    step: Dim = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def view(value: Value, place: Place) -> Place | None:
    """The place of a view primitive's result, given that of its first argument; None if it needs a copy."""
    source = value.args[0]
    match value.prim:
        case "transpose":
            return Place(place.storage, place.offset, tuple(place.strides[p] for p in value.attrs["perm"]))
        case "broadcast":
            return place.spread(source.shape, value.shape)
        case "slice":
            start, step = value.attrs["start"], value.attrs["step"]
            offset = place.offset
            for first, stride in zip(start, place.strides, strict=True):
                offset = offset + first * stride
            return Place(
                place.storage, offset, tuple(s * k for s, k in zip(place.strides, step, strict=True))
            )
        case "window":
            return _window(value, place)
        case "reshape":
            strides_or_none = reshape_strides(source.shape, place.strides, value.shape)
            if strides_or_none is None and place.strides == contiguous_strides(source.shape):
                strides_or_none = contiguous_strides(value.shape)
            return None if strides_or_none is None else Place(place.storage, place.offset, strides_or_none)
    return None


def _window(value: Value, place: Place) -> Place:
    strides = list(place.strides)
    extra = []
    for axis, step, dilation in zip(
        value.attrs["axes"], value.attrs["strides"], value.attrs["dilations"], strict=True
    ):
        extra.append(place.strides[axis] * dilation)
        strides[axis] = place.strides[axis] * step
    return Place(place.storage, place.offset, (*strides, *extra))


def blocks(old: Sequence[Dim], new: Sequence[Dim]) -> list[tuple[list[int], list[int]]] | None:
    """Pairs of runs of axes of two shapes that hold the same elements; size-1 axes are left out.

    None if the runs cannot be matched by what is known of the sizes.
    """
    left = [a for a, n in enumerate(old) if n != 1]
    right = [a for a, n in enumerate(new) if n != 1]
    if [old[a] for a in left] == [new[a] for a in right]:
        return [([a], [b]) for a, b in zip(left, right, strict=True)]
    pairs = []
    i = j = 0
    while i < len(left) or j < len(right):
        run_old, run_new = left[i : i + 1], right[j : j + 1]
        a, b = (dims.product(shape[k] for k in run) for shape, run in ((old, run_old), (new, run_new)))
        i, j = i + 1, j + 1
        while a != b:
            may_grow_old, may_grow_new = i < len(left), j < len(right)
            if may_grow_old and not (may_grow_new and not _should_grow(a, b)):
                run_old.append(left[i])
                a = a * old[left[i]]
                i += 1
            elif may_grow_new:
                run_new.append(right[j])
                b = b * new[right[j]]
                j += 1
            else:
                return None
        pairs.append((run_old, run_new))
    return pairs


def _should_grow(a: Dim, b: Dim) -> bool:
    """Whether `a` is the smaller of two products, by division, then by bounds."""
    if isinstance(a, int) and isinstance(b, int):
        return a < b
    if b != 0 and a != 0:
        quotient = dims.floordiv(b, a)
        if quotient * a == b:
            return True
        quotient = dims.floordiv(a, b)
        if quotient * b == a:
            return False
    return isinstance(a, int) or dims.at_least(b, a) is True


def reshape_strides(old: Sequence[Dim], strides: Sequence[Dim], new: Sequence[Dim]) -> tuple[Dim, ...] | None:
    """Strides of the reshaped view, or None if the elements are not laid out for it."""
    pairs = blocks(old, new)
    if pairs is None:
        return None
    result: list[Dim] = [0] * len(new)
    for run_old, run_new in pairs:
        for outer, inner in itertools.pairwise(run_old):
            if strides[outer] != strides[inner] * old[inner]:
                return None
        if not run_old:
            continue
        step = strides[run_old[-1]]
        for axis in reversed(run_new):
            result[axis] = step
            step = step * new[axis]
    return tuple(result)
