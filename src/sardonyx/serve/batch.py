"""Many requests as one run: their rows joined, unlike lengths filled up, and the results taken apart again.

Knows arrays and the signature; must not know queues or sessions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from sardonyx.protocol.datatypes import Array
from sardonyx.protocol.errors import invalid
from sardonyx.serve.policy import Pad
from sardonyx.serve.scheduler import Job, Key, Results
from sardonyx.serve.signature import Port, Signature


class Joiner:
    """Joins and splits the rows of one model's requests."""

    def __init__(self, signature: Signature, pad: Pad | None) -> None:
        """INVALID_ARGUMENT if `pad` names what the model has not."""
        self._pad = pad
        self._axes = [_axis(port, pad) for port in signature.inputs]
        self._fill = [0.0 if pad is None else pad.values.get(port.name, 0.0) for port in signature.inputs]
        self._output_axes = [_axis(port, pad) for port in signature.outputs]
        if pad is not None:
            names = [port.name for port in signature.inputs]
            if all(axis is None for axis in self._axes):
                raise invalid(f"'pad': no input of model '{signature.model}' has a free size '{pad.size}'")
            for name in (pad.mask, *pad.values):
                if name not in names:
                    raise invalid(f"'pad': model '{signature.model}' has no input '{name}'")

    def key(self, feeds: Sequence[Array], wanted: tuple[int, ...]) -> Key:
        """Equal for requests that can be joined."""
        tails = []
        for array, axis in zip(feeds, self._axes, strict=True):
            tail = array.shape[1:]
            if axis is not None:
                tail = (*tail[: axis - 1], self._bucket(tail[axis - 1]), *tail[axis:])
            tails.append(tail)
        return (wanted, *tails)

    def length(self, feeds: Sequence[Array]) -> int:
        """The size that is filled up; 0 if none is."""
        for array, axis in zip(feeds, self._axes, strict=True):
            if axis is not None:
                return int(array.shape[axis])
        return 0

    def join(self, jobs: Sequence[Job]) -> list[Array]:
        """The inputs of all jobs, one after the other along axis 0."""
        if self._pad is None:
            if len(jobs) == 1:
                return jobs[0].feeds
            return [np.concatenate(parts) for parts in zip(*(job.feeds for job in jobs), strict=True)]
        lengths = [self.length(job.feeds) for job in jobs]
        target = self._bucket(max(lengths)) or max(lengths)
        if len(jobs) == 1 and lengths[0] == target:
            return jobs[0].feeds
        joined = []
        for number, (axis, fill) in enumerate(zip(self._axes, self._fill, strict=True)):
            parts = [job.feeds[number] for job in jobs]
            joined.append(np.concatenate(parts) if axis is None else _filled(parts, axis, target, fill))
        return joined

    def split(self, jobs: Sequence[Job], results: Results) -> list[Results]:
        """The outputs of each job as views into the joined ones."""
        if len(jobs) == 1 and self._pad is None:
            return [results]
        parts, start = [], 0
        for job in jobs:
            rows = [array[start : start + job.rows] for array in results]
            start += job.rows
            if self._pad is not None:
                length = self.length(job.feeds)
                rows = [
                    _cut(array, self._output_axes[number], length)
                    for number, array in zip(job.wanted, rows, strict=True)
                ]
            parts.append(rows)
        return parts

    def _bucket(self, length: int) -> int:
        """The size to which a length is filled up; 0 if any can be joined with any."""
        assert self._pad is not None
        buckets = self._pad.buckets
        index = bisect_left(buckets, length)
        if index < len(buckets):
            return buckets[index]
        return length if buckets else 0


def _axis(port: Port, pad: Pad | None) -> int | None:
    return port.dims.index(pad.size) if pad is not None and pad.size in port.dims[1:] else None


def _filled(parts: Sequence[Array], axis: int, target: int, fill: float) -> Array:
    first = parts[0]
    rows = sum(len(part) for part in parts)
    shape = (rows, *first.shape[1:axis], target, *first.shape[axis + 1 :])
    whole = np.full(shape, fill, first.dtype)
    start = 0
    for part in parts:
        place = (slice(start, start + len(part)), *(slice(None),) * (axis - 1), slice(part.shape[axis]))
        whole[place] = part
        start += len(part)
    return whole


def _cut(array: Array, axis: int | None, length: int) -> Array:
    if axis is None or array.shape[axis] == length:
        return array
    return array[(slice(None),) * axis + (slice(length),)]
