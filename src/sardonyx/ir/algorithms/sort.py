"""Sorting and selecting as numpy algorithms: topk, nonzero, unique, nms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sardonyx.ir.obligation import Obligation, Operation, alike, natural
from sardonyx.ir.prims import register

Array = np.ndarray[Any, Any]


def topk(x: Array, *, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
    """The k largest (or smallest) elements along an axis, best first, and their places; ties keep order."""
    if k > x.shape[axis]:
        raise ValueError(f"k {k} is larger than the axis of {x.shape[axis]}")
    keys = x if x.dtype.kind in "biuf" else x.astype(np.float32)
    if largest:
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(keys, axis), axis=axis, kind="stable"), axis)
    else:
        order = np.argsort(keys, axis=axis, kind="stable")
    best = np.take(order, np.arange(k), axis=axis)
    return np.take_along_axis(x, best, axis), best.astype(np.int64)


def nonzero(x: Array, *, count: int) -> Array:
    """The places of all nonzero elements in row-major order, one column each; `count` is their number."""
    places = np.stack(np.nonzero(np.atleast_1d(x))).astype(np.int64)
    if places.shape[1] != count:
        raise ValueError(f"{places.shape[1]} elements are not zero, but {count} were counted")
    return places


def _ranks(texts: Array) -> Array:
    """The place of each text among the sorted ones."""
    return np.unique(texts, return_inverse=True)[1].reshape(texts.shape)


def unique(x: Array, *, axis: int | None, ordered: bool) -> tuple[Array, Array, Array, Array]:
    """First places and counts of the distinct elements (or slices), the number of each one, and their number.

    They are sorted, or in the order of their first places; their lists are filled up with zeros.
    """
    keys = x if x.dtype.kind in "biufcU" else x.astype(np.float32) if x.dtype.kind != "O" else _ranks(x)
    _, first, inverse, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    inverse = inverse.reshape(-1)
    if not ordered:
        order = np.argsort(first, kind="stable")
        first, counts = first[order], counts[order]
        inverse = np.argsort(order, kind="stable")[inverse]
    room = inverse.size - first.size
    lists = (np.pad(first, (0, room)), inverse, np.pad(counts, (0, room)), np.asarray([first.size]))
    first, inverse, counts, number = (a.astype(np.int64) for a in lists)
    return first, inverse, counts, number


def _corners(boxes: Array, centred: bool) -> tuple[Array, Array, Array, Array]:
    a, b, c, d = boxes.T
    if centred:
        return b - d / 2, a - c / 2, b + d / 2, a + c / 2
    return np.minimum(a, c), np.minimum(b, d), np.maximum(a, c), np.maximum(b, d)


def _kept(
    boxes: Array, scores: Array, limit: int, overlap: float, least: float | None, centred: bool
) -> list[int]:
    """The boxes of one class that survive, best first."""
    order = np.argsort(-scores, kind="stable")
    if least is not None:
        order = order[scores[order] > least]
    top, left, bottom, right = _corners(boxes, centred)
    area = (bottom - top) * (right - left)
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best, order = order[0], order[1:]
        kept.append(int(best))
        height = np.minimum(bottom[best], bottom[order]) - np.maximum(top[best], top[order])
        width = np.minimum(right[best], right[order]) - np.maximum(left[best], left[order])
        common = np.where((height > 0) & (width > 0), height * width, 0)
        union = area[best] + area[order] - common
        proper = (area[best] > 0) & (area[order] > 0) & (union > 0) & (common > 0)
        order = order[~(proper & (common > overlap * union))]
    return kept


def nms(
    boxes: Array, scores: Array, *rest: Array, extras: Sequence[str], centred: bool, capacity: int
) -> tuple[Array, Array]:
    """Rows (batch, class, box) of the boxes that no better box of their class overlaps too much; their count.

    boxes [B, N, 4], scores [B, C, N]. `extras` names the further arguments: limit (boxes per class), overlap
    (the largest intersection over union), least (scores must be above it). There is room for `capacity` boxes
    of each class; the rows after the last one are 0.
    """
    given = {name: np.asarray(value).reshape(-1)[0] for name, value in zip(extras, rest, strict=True)}
    limit, overlap = min(int(given.get("limit", 0)), capacity), float(given.get("overlap", 0))
    least = float(given["least"]) if "least" in given else None
    rows = [
        (b, c, box)
        for b, c in np.ndindex(*scores.shape[:2])
        for box in _kept(boxes[b], scores[b, c], limit, overlap, least, centred)
    ]
    result = np.zeros((scores.shape[0] * scores.shape[1] * capacity, 3), np.int64)
    result[: len(rows)] = np.asarray(rows, dtype=np.int64).reshape(-1, 3)
    return result, np.asarray([len(rows)], np.int64)


def _top(value: Operation, where: str) -> Iterator[Obligation]:
    room = value.args[0].shape[value.attrs["axis"]] - value.attrs["k"]
    yield from natural(room, f"{where}: k is larger than the axis")
    yield from natural(value.attrs["k"], f"{where}: k is negative")


def _boxes(value: Operation, where: str) -> Iterator[Obligation]:
    boxes, scores = value.args[:2]
    wanted = (scores.shape[0], scores.shape[2], 4)
    yield from alike(boxes, wanted, f"{where}: the boxes do not fit the scores")


register("topk", "opaque", topk, conditions=_top, dense=True)
register("nonzero", "opaque", nonzero, dense=True)
register("unique", "opaque", unique, dense=True)
register("nms", "opaque", nms, conditions=_boxes, dense=True)
