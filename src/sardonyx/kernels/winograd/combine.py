"""A small constant matrix times a vector of registers, with shared work: each product is written once.

Knows matrices of rationals and LLVM values; must not know what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from sardonyx.kernels.winograd.cook_toom import Matrix
from sardonyx.llvm.vec import Function, V, float_

Row = Sequence[Fraction]
_NONE = Fraction(0)


def combined(f: Function, matrix: Matrix, values: Sequence[V]) -> list[V]:
    """The products of the rows with the values.

    Two columns that are equal up to sign in each row become their sum and difference first; two rows that are
    so become the sum and difference of their two halves.
    """
    rows, values = _paired_columns(f, [list(row) for row in matrix], list(values))
    results: dict[int, V] = {}
    for first, second in _pairs(rows):
        if second is None:
            results[first] = _sum(f, rows[first], values)
            continue
        halves = zip(rows[first], rows[second], strict=True)
        equal, opposite = zip(*(((a + b) / 2, (a - b) / 2) for a, b in halves), strict=True)
        even, odd = _sum(f, equal, values), _sum(f, opposite, values)
        results[first], results[second] = f.binary("fadd", even, odd), f.binary("fsub", even, odd)
    return [results[n] for n in range(len(rows))]


def _paired_columns(
    f: Function, rows: list[list[Fraction]], values: list[V]
) -> tuple[list[list[Fraction]], list[V]]:
    """The same products with sums and differences in the place of paired values."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    for first, second in list(_pairs(columns)):
        if second is None:
            continue
        a, b = columns[first], columns[second]
        columns[first] = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
        columns[second] = [(x - y) / 2 for x, y in zip(a, b, strict=True)]
        u, v = values[first], values[second]
        values[first], values[second] = f.binary("fadd", u, v), f.binary("fsub", u, v)
    return [list(row) for row in zip(*columns, strict=True)], values


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[int, int | None]]:
    """Rows that are equal up to sign element by element, in some equal and in some not; others alone."""
    taken: set[int] = set()
    for n, row in enumerate(rows):
        if n in taken:
            continue
        partner = next((m for m in range(n + 1, len(rows)) if m not in taken and _match(row, rows[m])), None)
        taken |= {n, partner} if partner is not None else {n}
        yield n, partner


def _match(a: Row, b: Row) -> bool:
    same = [x == y for x, y in zip(a, b, strict=True) if x or y]
    return all(abs(x) == abs(y) for x, y in zip(a, b, strict=True)) and True in same and False in same


def _sum(f: Function, row: Row, values: Sequence[V]) -> V:
    """One product; it begins with a value that is taken as it is, if there is one."""
    terms = sorted(((c, v) for c, v in zip(row, values, strict=True) if c != _NONE), key=lambda t: t[0] != 1)
    (factor, value), *rest = terms
    total = value if factor == 1 else f.binary("fmul", value, float_(float(factor), value.type))
    for factor, value in rest:
        if abs(factor) == 1:
            total = f.binary("fadd" if factor > 0 else "fsub", total, value)
        else:
            total = f.fma(value, float_(float(factor), value.type), total)
    return total
