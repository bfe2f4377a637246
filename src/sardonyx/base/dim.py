"""Sizes known only at run time: integer polynomials over symbols, in one normal form.

Knows nothing of tensors. A `Dim` is an int whenever it is known; otherwise an `Expr`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, reduce
from typing import TypeAlias, Union

from sardonyx.base.digest import begun
from sardonyx.base.functions import FUNCTIONS
from sardonyx.base.symbol import Symbol


class Applied:
    """A function of dims that is not a polynomial: floordiv, mod, max, min, broadcast, ..."""

    __slots__ = ("_digest", "_hash", "_text", "args", "fn")

    def __init__(self, fn: str, args: tuple[Dim, ...]) -> None:
        self.fn, self.args, self._text, self._digest = fn, args, "", ""
        self._hash = hash((fn, args))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Applied) or self._hash != other._hash:
            return self is other
        return self.digest == other.digest

    @property
    def digest(self) -> str:
        """Tells it from others: texts and arguments double with each size that stands twice in the next."""
        if not self._digest:
            spelled = [self.fn, *(_spelled(arg) for arg in self.args)]
            self._digest = begun(repr(spelled).encode(), 16).hexdigest()
        return self._digest

    def __str__(self) -> str:
        if not self._text:
            text = f"{self.fn}({', '.join(map(str, self.args))})"
            self._text = text if len(text) <= _LONG else f"{self.fn}(~{self.digest})"
        return self._text

    def __reduce__(self) -> tuple[object, ...]:
        # The hash of a text differs between processes.
        return Applied, (self.fn, self.args)


Atom: TypeAlias = Symbol | Applied
Monomial: TypeAlias = tuple[Atom, ...]
_counter = itertools.count()
_MOST_TERMS, _LONG = 256, 1000


@lru_cache(maxsize=1 << 14)
def _key(monomial: Monomial) -> tuple[int, str]:
    return (len(monomial), " ".join(map(str, monomial)))


class Expr:
    """A sum of integer multiples of products of atoms; never a plain integer (see `normal`)."""

    __slots__ = ("_bound", "_hash", "_made", "_symbols", "_text", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        rows = terms.items()
        self.terms = tuple(sorted(rows, key=lambda t: _key(t[0])) if len(rows) > 1 else rows)
        self._hash = hash(self.terms)
        self._text = ""
        self._symbols: frozenset[str] | None = None
        self._bound: tuple[int | None] | None = None
        self._made: dict[tuple[Dim, int], Dim] = {}
        """Products with others (0) and sums with their multiples: sizes of a model meet again and again."""

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Expr) or self._hash != other._hash:
            return self is other
        return self.terms == other.terms

    def __str__(self) -> str:
        if not self._text:
            terms = [[*([str(f)] if f != 1 or not m else []), *map(str, m)] for m, f in reversed(self.terms)]
            self._text = "+".join(map("*".join, terms)).replace("+-", "-")
        return self._text

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, ...]:
        # The hash of a text differs between processes.
        return Expr, (dict(self.terms),)

    def __add__(self, other: Dim) -> Dim:
        return self if other == 0 else self._with(other, 1, _sum)

    __radd__ = __add__

    def __sub__(self, other: Dim) -> Dim:
        return self if other == 0 else self._with(other, -1, _sum)

    def __rsub__(self, other: Dim) -> Dim:
        return (-self) + other

    def __neg__(self) -> Dim:
        return self._with(-1, 0, _product)

    def __mul__(self, other: Dim) -> Dim:
        return self if other == 1 else self._with(other, 0, _product)

    def _with(self, other: Dim, sign: int, make: Callable[[Expr, Dim, int], Dim]) -> Dim:
        if other is self:
            return make(self, other, sign)
        found = self._made.get((other, sign))
        if found is None:
            found = self._made[other, sign] = make(self, other, sign)
        return found

    def split(self) -> tuple[Dim, int]:
        """This without its constant term, and that."""
        monomial, constant = self.terms[0]
        return (self - constant, constant) if monomial == () else (self, 0)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floordiv(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floordiv(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return mod(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        return mod(other, self)


Dim: TypeAlias = Union[int, Expr]  # noqa: UP007 - a forward reference inside the class bodies above


def _spelled(dim: Dim) -> object:
    return [(f, [[a] if isinstance(a, Symbol) else a.digest for a in m]) for m, f in _terms(dim)]


def _terms(dim: Dim) -> Iterable[tuple[Monomial, int]]:
    return dim.terms if isinstance(dim, Expr) else (((), int(dim)),) if dim else ()


def normal(terms: Mapping[Monomial, int]) -> Dim:
    """The dim of a term table: an int if only the constant term is left."""
    kept = {m: f for m, f in terms.items() if f}
    if len(kept) > 1 or (kept and () not in kept):
        return Expr(kept)
    return kept.get((), 0)


def _sum(a: Expr, b: Dim, sign: int) -> Dim:
    total = dict(a.terms)
    for m, f in _terms(b):
        total[m] = total.get(m, 0) + sign * f
    return normal(total)


def _product(a: Expr, b: Dim, _: int) -> Dim:
    if not isinstance(b, Expr):
        return normal({m: f * int(b) for m, f in a.terms})
    if len(a.terms) > 1 < len(b.terms) and len(a.terms) * len(b.terms) > _MOST_TERMS:
        return _whole(a) * _whole(b)
    product: dict[Monomial, int] = {}
    for (m, f), (n, g) in itertools.product(a.terms, b.terms):
        key = m + n if not (m and n) else tuple(sorted(m + n, key=str))
        product[key] = product.get(key, 0) + f * g
    return normal(product)


def _whole(dim: Expr) -> Expr:
    """A sum as one atom, so that a product with it is not multiplied out."""
    return dim if len(dim.terms) == 1 else _call("floordiv", dim, 1)


def symbol(name: str, low: int | None = 0) -> Expr:
    """A named unknown; equal names are equal symbols."""
    return Expr({(Symbol(name, low),): 1})


def symbol_name(dim: Dim) -> str | None:
    """The name of a dim that is one symbol and nothing else."""
    if isinstance(dim, Expr) and len(dim.terms) == 1:
        monomial, factor = dim.terms[0]
        if factor == 1 and len(monomial) == 1 and isinstance(monomial[0], Symbol):
            return monomial[0].name
    return None


def fresh(hint: str, low: int | None = 0) -> Expr:
    """A new unknown that equals no other."""
    return symbol(f"{hint}%{next(_counter)}", low)


def _call(fn: str, *args: Dim) -> Expr:
    return Expr({(Applied(fn, args),): 1})


def _divide_exactly(a: Dim, b: Dim) -> Dim | None:
    """a / b by polynomial long division, or None if there is a remainder (b assumed nonzero)."""
    rest = dict(_terms(a))
    quotient: dict[Monomial, int] = {}
    divisor = sorted(_terms(b), key=lambda t: _key(t[0]), reverse=True)
    lead, lead_factor = divisor[0]
    while rest:
        top = max(rest, key=_key)
        atoms = list(top)
        for atom in lead:
            if atom not in atoms:
                return None
            atoms.remove(atom)
        if rest[top] % lead_factor:
            return None
        key, factor = tuple(atoms), rest[top] // lead_factor
        quotient[key] = quotient.get(key, 0) + factor
        for m, f in divisor:
            product = tuple(sorted(key + m, key=str))
            rest[product] = rest.get(product, 0) - factor * f
            if not rest[product]:
                del rest[product]
    return normal(quotient)


def floordiv(a: Dim, b: Dim) -> Dim:
    """floor(a / b); exact where polynomial division leaves no remainder."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if b == 1 or a == 0:
        return a
    if b == 0:
        raise ZeroDivisionError("division of a symbolic size by zero")
    exact = _divide_exactly(a, b)
    if exact is not None:
        return exact
    if isinstance(b, int) and b > 0:
        whole = normal({m: f // b for m, f in _terms(a)})
        if whole != 0:
            return whole + floordiv(normal({m: f % b for m, f in _terms(a)}), b)
        # floor((floor(x / c) + k) / b) = floor((x + c * k) / (c * b)) for every integer k.
        for monomial, factor in _terms(a):
            inner = monomial[0] if len(monomial) == 1 and factor == 1 else None
            if (
                isinstance(inner, Applied)
                and inner.fn == "floordiv"
                and isinstance(c := inner.args[1], int)
                and c > 0
            ):
                return floordiv(inner.args[0] + (a - normal({monomial: 1})) * c, c * b)
    return _call("floordiv", a, b)


def ceildiv(a: Dim, b: Dim) -> Dim:
    """ceil(a / b) for a positive b."""
    return floordiv(a + b - 1, b)


def mod(a: Dim, b: Dim) -> Dim:
    """a - floor(a / b) * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    return a - floordiv(a, b) * b


_assumed: list[dict[Dim, int]] = []
_bounds: list[dict[int, tuple[Expr, int | None]]] = []
"""What follows from the assumptions, by object: symbols of equal dims may have other least values."""


@contextmanager
def assuming(least: Mapping[Dim, int] | None = None) -> Iterator[dict[Dim, int]]:
    """Inside the block proofs use `least` (those of the block around by default) and what `assume` adds."""
    around = _assumed[-1] if _assumed and least is None else {}
    _assumed.append({**around, **(least or {})})
    _bounds.append({})
    try:
        yield _assumed[-1]
    finally:
        _assumed.pop()
        _bounds.pop()


def assume(dim: Dim, low: int) -> None:
    """`dim` under the assumption that it is at least `low`, which holds for whatever is used as a size."""
    if _assumed and isinstance(dim, Expr):
        base, constant = dim.split()
        known = _assumed[-1].get(base)
        if known is None or known < low - constant:
            _assumed[-1][base] = low - constant
            _bounds[-1].clear()


def lower_bound(dim: Dim) -> int | None:
    """A least value of `dim` that is proven or assumed, or None."""
    if isinstance(dim, int):
        return dim
    if not _assumed:
        dim._bound = dim._bound or (_proven_bound(dim),)
        return dim._bound[0]
    found = _bounds[-1].get(id(dim))
    if found is None:
        found = _bounds[-1][id(dim)] = dim, _assumed_bound(dim)
    return found[1]


def _assumed_bound(dim: Expr) -> int | None:
    proven = _proven_bound(dim)
    base, constant = dim.split()
    assumed = _assumed[-1].get(base)
    if assumed is None:
        return proven
    return assumed + constant if proven is None else max(proven, assumed + constant)


def _proven_bound(dim: Expr) -> int | None:
    total = 0
    for monomial, factor in dim.terms:
        lows = [_atom_low(atom) for atom in monomial]
        if factor < 0 or any(low is None or low < 0 for low in lows):
            if len(monomial) == 0:
                total += factor
                continue
            if factor > 0 and len(monomial) == 1 and lows[0] is not None:
                total += factor * lows[0]
                continue
            return _relaxed_bound(dim)
        total += factor * reduce(lambda p, q: p * q, [low for low in lows if low is not None], 1)
    return total


def _relaxed_bound(dim: Expr) -> int | None:
    """A bound that holds with one floordiv less, by x - c < c * (x // c) <= x."""
    for monomial, factor in dim.terms:
        if len(monomial) != 1 or not isinstance(atom := monomial[0], Applied) or atom.fn != "floordiv":
            continue
        if isinstance(c := atom.args[1], int) and c > 0:
            scale = 1 if factor % c == 0 else c
            least = atom.args[0] - (c - 1) if factor > 0 else atom.args[0]
            low = lower_bound((dim - normal({monomial: factor})) * scale + least * (factor * scale // c))
            return None if low is None else -(-low // scale)
    return None


def _atom_low(atom: Atom) -> int | None:
    if isinstance(atom, Symbol):
        return atom.low
    lows = [lower_bound(arg) for arg in atom.args]
    known = [low for low in lows if low is not None]
    match atom.fn:
        case "max":
            return max(known) if known else None
        case "min":
            return min(known) if len(known) == len(lows) else None
        case "floordiv" if lows[0] is not None and isinstance(atom.args[1], int) and atom.args[1] > 0:
            return lows[0] // atom.args[1]
        case "floordiv" if lows[0] is not None and lows[0] >= 0 and (lows[1] or 0) > 0:
            return 0
        case "broadcast" if len(known) == len(lows):
            return min(known)
        case "where" if lows[1] is not None and lows[2] is not None:
            return min(lows[1], lows[2])
        case "bstride" | "equal" | "less" | "slicelen" | "scaled":
            return 0
    return None


def at_least(a: Dim, b: Dim) -> bool | None:
    """Whether a >= b is proven True, proven False, or unknown."""
    low = lower_bound(a - b)
    if low is not None and low >= 0:
        return True
    low = lower_bound(b - a)
    return False if low is not None and low > 0 else None


def equal(a: Dim, b: Dim) -> bool | None:
    """Whether a == b is proven True, proven False, or unknown."""
    if a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    return False if any((lower_bound(d) or 0) > 0 for d in (a - b, b - a)) else None


def _compared(dim: Dim) -> Iterator[Dim]:
    """The dim itself, and what it is the largest of."""
    yield dim
    if isinstance(dim, Expr) and len(dim.terms) == 1 and dim.terms[0][1] == 1 and len(dim.terms[0][0]) == 1:
        (atom,) = dim.terms[0][0]
        if isinstance(atom, Applied) and atom.fn == "max":
            for arg in atom.args:
                yield from _compared(arg)


def maximum(a: Dim, b: Dim) -> Dim:
    """The larger of two dims."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if b in _compared(a):
        return a
    known = at_least(a, b)
    if known is not None:
        return a if known else b
    return b if at_least(b, a) else _call("max", a, b)


def minimum(a: Dim, b: Dim) -> Dim:
    """The smaller of two dims."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    known = at_least(a, b)
    if known is not None:
        return b if known else a
    return a if at_least(b, a) else _call("min", a, b)


def where(condition: Dim, a: Dim, b: Dim) -> Dim:
    """a if condition is nonzero else b."""
    if isinstance(condition, int):
        return a if condition else b
    return a if a == b else _call("where", condition, a, b)


def less(a: Dim, b: Dim) -> Dim:
    """1 if a < b else 0."""
    known = at_least(a, b)
    return int(not known) if known is not None else _call("less", a, b)


def is_equal(a: Dim, b: Dim) -> Dim:
    """1 if a == b else 0."""
    known = equal(a, b)
    return int(known) if known is not None else _call("equal", a, b)


def truncdiv(a: Dim, b: Dim) -> Dim:
    """a / b rounded toward zero, as integer Div does."""
    if isinstance(a, int) and isinstance(b, int):
        return FUNCTIONS["truncdiv"](a, b)
    low_a, low_b = lower_bound(a), lower_bound(b)
    if low_a is not None and low_b is not None and low_a >= 0 and low_b >= 0:
        return floordiv(a, b)
    exact = _divide_exactly(a, b) if b != 0 else None
    return exact if exact is not None else _call("truncdiv", a, b)


def function(fn: str, *args: Dim) -> Dim:
    """A named integer function of `FUNCTIONS` applied to dims, evaluated now if all are known."""
    if all(isinstance(a, int) for a in args):
        return int(FUNCTIONS[fn](*args))
    return _call(fn, *args)


def product(dims: Iterable[Dim]) -> Dim:
    """The product; 1 for none."""
    one: Dim = 1
    return reduce(lambda total, dim: total * dim, dims, one)


def evaluate(dim: Dim, bindings: Mapping[str, int]) -> int:
    """The value of `dim`; KeyError if a symbol is not bound."""
    return _evaluated(dim, bindings, {})


def _evaluated(dim: Dim, bindings: Mapping[str, int], known: dict[Applied, int]) -> int:
    if isinstance(dim, int):
        return dim
    total = 0
    for monomial, factor in dim.terms:
        for atom in monomial:
            if isinstance(atom, Applied) and atom not in known:
                known[atom] = FUNCTIONS[atom.fn](*(_evaluated(a, bindings, known) for a in atom.args))
            factor *= bindings[atom.name] if isinstance(atom, Symbol) else known[atom]
        total += factor
    return total


def symbols(dim: Dim) -> frozenset[str]:
    """The names that `dim` depends on."""
    if isinstance(dim, int):
        return frozenset()
    if dim._symbols is None:
        atoms = [atom for monomial, _ in dim.terms for atom in monomial]
        inner = [symbols(arg) for atom in atoms if isinstance(atom, Applied) for arg in atom.args]
        dim._symbols = frozenset([a.name for a in atoms if isinstance(a, Symbol)]).union(*inner)
    return dim._symbols
