"""A small constant matrix times a vector of registers, with shared work: each product is written once.

Knows matrices of rationals and LLVM values; must not know what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from sardonyx.kernels.tiles.microkernel import added
from sardonyx.kernels.tiles.shape import TileShape
from sardonyx.kernels.winograd.cook_toom import Matrix
from sardonyx.llvm.vec import Function, V, float_, int_

Row = Sequence[Fraction]
_NONE = Fraction(0)


def combined(f: Function, matrix: Sequence[Row], values: Sequence[V]) -> list[V]:
    """The products of the rows with the values.

    Two columns that are equal up to sign in each row become their sum and difference first, of which no row
    may need one; two rows that are so become the sum and difference of their two halves.
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
        results[first], results[second] = added(f, even, odd), _less(f, even, odd)
    return [results[n] for n in range(len(rows))]


def _paired_columns(
    f: Function, rows: list[list[Fraction]], values: list[V]
) -> tuple[list[list[Fraction]], list[V]]:
    """The same products with sums and differences in the place of paired values."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    for first, second in list(_pairs(columns, alike=True)):
        if second is None:
            continue
        a, b = columns[first], columns[second]
        columns[first] = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
        columns[second] = [(x - y) / 2 for x, y in zip(a, b, strict=True)]
        u, v = values[first], values[second]
        for n, how in ((first, added), (second, _less)):
            if any(columns[n]):
                values[n] = how(f, u, v)
    return [list(row) for row in zip(*columns, strict=True)], values


def _pairs(rows: Sequence[Row], *, alike: bool = False) -> Iterator[tuple[int, int | None]]:
    """Rows that are equal up to sign element by element, in some equal and in some not; others alone.

    In all of them, or in none, if those that are `alike` count too.
    """
    taken: set[int] = set()
    for n, row in enumerate(rows):
        if n in taken:
            continue
        partner = next(
            (m for m in range(n + 1, len(rows)) if m not in taken and _match(row, rows[m], alike=alike)), None
        )
        taken |= {n, partner} if partner is not None else {n}
        yield n, partner


def _match(a: Row, b: Row, *, alike: bool) -> bool:
    same = {x == y for x, y in zip(a, b, strict=True) if x or y}
    return all(abs(x) == abs(y) for x, y in zip(a, b, strict=True)) and len(same) > (0 if alike else 1)


def _sum(f: Function, row: Row, values: Sequence[V]) -> V:
    """One product; it begins with a value that is taken as it is, if there is one."""
    terms = sorted(((c, v) for c, v in zip(row, values, strict=True) if c != _NONE), key=lambda t: t[0] != 1)
    (factor, value), *rest = terms
    total = value if factor == 1 else _times(f, value, factor)
    for factor, value in rest:
        if abs(factor) == 1:
            total = (added if factor > 0 else _less)(f, total, value)
        elif _is_whole(value):
            total = added(f, total, _times(f, value, factor))
        else:
            total = f.fma(value, float_(float(factor), value.type), total)
    return total


def combined_at(f: Function, rows: Sequence[Row], addresses: Sequence[V], read: Callable[[V], V]) -> list[V]:
    """The products of some rows with values at addresses, which are read if a row needs them."""
    used = [n for n in range(len(addresses)) if any(row[n] for row in rows)]
    return combined(f, [[row[n] for n in used] for row in rows], [read(addresses[n]) for n in used])


def half_fits(shape: TileShape, matrix: Matrix, columns: int) -> bool:
    """Whether registers hold the products of half the rows with so many columns, and a column of values.

    A quarter of them is left for what these are made of: a tile has its sums, a vector of B and a broadcast.
    """
    registers = (shape.max_rows + 1) * shape.vectors + 2
    return 4 * (len(matrix) // 2 + 1) * columns <= 3 * registers


def divided(f: Function, value: V, divisor: int) -> V:
    """Sums of `divisor` times a number, taken modulo 2^32, as that number.

    It is exact while the number times the power of two in the divisor fits 32 bits: what is odd is taken back
    by its inverse modulo 2^32.
    """
    power = (divisor & -divisor).bit_length() - 1
    odd = divisor >> power
    if odd > 1:
        value = f.binary("mul", value, int_(pow(odd, -1, 1 << 32), value.type))
    return f.binary("ashr", value, int_(power, value.type)) if power else value


def _is_whole(value: V) -> bool:
    return value.scalar.startswith("i")


def _less(f: Function, a: V, b: V) -> V:
    """a - b of floats, or of integers that wrap around."""
    return f.binary("sub" if _is_whole(a) else "fsub", a, b)


def _times(f: Function, value: V, factor: Fraction) -> V:
    """A value times a constant, which for integers is whole."""
    if not _is_whole(value):
        return f.binary("fmul", value, float_(float(factor), value.type))
    assert factor.denominator == 1, f"{factor} is not whole"
    return f.binary("mul", value, int_(int(factor), value.type))
