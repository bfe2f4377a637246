"""Rearranges elements among vector registers: transposes, and taking interleaved sequences apart.

Knows vectors of any element type; must not know memory, loops or kernels. Masks stay inside 128-bit lanes
as long as they can, because shuffles across lanes are slow or need an index register.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, V

_LANE_BYTES = 16


def transpose(f: Function, rows: Sequence[V]) -> list[V]:
    """The columns of a square of n vectors of n lanes, n a power of two: column[j][i] = rows[i][j]."""
    count = len(rows)
    assert count == rows[0].lanes
    assert count & (count - 1) == 0
    group = min(count, _LANE_BYTES // size_of(rows[0].scalar))
    parts = [_within_lanes(f, rows[g : g + group], group) for g in range(0, count, group)]
    columns: list[V] = [rows[0]] * count
    for j in range(group):
        for lane, column in enumerate(_unzipped(f, [part[j] for part in parts], group)):
            columns[lane * group + j] = column
    return columns


def _within_lanes(f: Function, rows: Sequence[V], group: int) -> list[V]:
    """Transpose each group x group block: result[j] has element j of every lane of all rows, lane by lane."""
    lanes, half = rows[0].lanes, group // 2
    picks: tuple[list[int], list[int]] = ([], [])
    for base in range(0, lanes, group):
        for which, pick in enumerate(picks):
            for i in range(base + which * half, base + which * half + half):
                pick += [i, lanes + i]
    rows = list(rows)
    for _ in range(group.bit_length() - 1):
        rows = [f.shuffle(rows[i // 2], rows[i // 2 + half], picks[i % 2]) for i in range(group)]
    return rows


def deinterleave(f: Function, vectors: Sequence[V]) -> list[V]:
    """Vectors of x[i * s + j], s of them in order of memory -> for each j the vector over i."""
    step, lanes = len(vectors), vectors[0].lanes
    if step & (step - 1) == 0:
        return _unzipped(f, list(vectors))
    return [pick(f, vectors, [i * step + j for i in range(lanes)]) for j in range(step)]


def interleave(f: Function, vectors: Sequence[V]) -> list[V]:
    """The inverse of `deinterleave`: s vectors over i -> s vectors of y[i * s + j] in order of memory."""
    step, lanes = len(vectors), vectors[0].lanes
    if step & (step - 1) == 0:
        return _zipped(f, list(vectors))
    flat = [(p % step) * lanes + p // step for p in range(step * lanes)]
    return [pick(f, vectors, flat[k * lanes : (k + 1) * lanes]) for k in range(step)]


def _unzipped(f: Function, vectors: list[V], group: int = 1) -> list[V]:
    """`deinterleave` of a power of two of vectors, whose elements are runs of `group` lanes."""
    if len(vectors) == 1:
        return vectors
    even = [i for i in range(2 * vectors[0].lanes) if i // group % 2 == 0]
    odd = [i + group for i in even]
    pairs = [(vectors[i], vectors[i + 1]) for i in range(0, len(vectors), 2)]
    low, high = (_unzipped(f, [f.shuffle(a, b, mask) for a, b in pairs], group) for mask in (even, odd))
    return [v for pair in zip(low, high, strict=True) for v in pair]


def _zipped(f: Function, vectors: list[V]) -> list[V]:
    if len(vectors) == 1:
        return vectors
    lanes = vectors[0].lanes
    even, odd = _zipped(f, vectors[0::2]), _zipped(f, vectors[1::2])
    both = [i // 2 + (i % 2) * lanes for i in range(2 * lanes)]
    return [f.shuffle(a, b, both[k : k + lanes]) for a, b in zip(even, odd, strict=True) for k in (0, lanes)]


def pick(f: Function, vectors: Sequence[V], indices: Sequence[int]) -> V:
    """The elements of these indices out of the vectors side by side; a negative index is any element."""
    lanes = vectors[0].lanes
    result: V | None = None
    for number in range(0, len(vectors), 2):
        two = vectors[number : number + 2]
        first, count = number * lanes, len(two) * lanes
        inside = [0 <= i - first < count for i in indices]
        if not any(inside):
            continue
        mask = [i - first if here else -1 for i, here in zip(indices, inside, strict=True)]
        found = f.shuffle(two[0], two[-1], mask)
        if result is None:
            result = found
        else:
            keep = [lanes + n if here else n for n, here in enumerate(inside)]
            result = f.shuffle(result, found, keep)
    assert result is not None
    return result


def reverse(f: Function, vector: V) -> V:
    """The lanes from last to first."""
    return f.shuffle(vector, vector, range(vector.lanes - 1, -1, -1))
