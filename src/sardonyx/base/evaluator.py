"""Compiles many sizes into one Python function of the symbols they depend on."""

from __future__ import annotations

import marshal
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.dim import Applied, Dim
from sardonyx.base.symbol import Symbol

_MOST_TERMS = 32


@dataclass(slots=True)
class Guard:
    """Sizes that are computed together and do not matter if they contradict each other.

    Attributes:
        state: slot of 0, or of 1 if they cannot be computed, or of 2 + the number of the check that fails;
            unless it is 0, all sizes of the guard are 0.
    """

    name: str
    state: int
    lines: list[str] = field(default_factory=list)
    temporaries: dict[Applied, str] = field(default_factory=dict)
    slots: dict[Dim, int] = field(default_factory=dict)
    results: list[str] = field(default_factory=lambda: ["0"])
    checks: int = 0


class Evaluator:
    """Compiles many dims into one Python function; shared sub-expressions are computed once.

    Input: values of those of `names` that are used, in the order of first use. Output: a list of ints in the
    order added.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._hoisted: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._results: list[str] = []
        self._count = 0
        self._guards: list[Guard] = []
        self._open = [Guard("", -1)]

    def add(self, dim: Dim) -> int:
        """The index of `dim` in the result list."""
        for guard in self._open:
            if dim in guard.slots:
                return guard.slots[dim]
        guard, slot, text = self._open[-1], len(self._results), self._text(dim)
        guard.slots[dim] = slot
        if guard.name:
            guard.results.append(text)
            text = f"{guard.name}[{len(guard.results) - 1}]"
        self._results.append(text)
        return slot

    @contextmanager
    def guarded(self) -> Iterator[Guard]:
        """What is added inside the block is 0 if one of it cannot be computed."""
        guard = Guard(f"g{len(self._guards)}", len(self._results))
        self._results.append(f"{guard.name}[0]")
        self._guards.append(guard)
        self._open.append(guard)
        yield guard
        self._open.pop()
        body = [*guard.lines, f"{guard.name}=[{','.join(guard.results)}]"]
        failed = f"{guard.name}=[k]+[0]*{len(guard.results) - 1}"
        handler = f"except (ValueError,ZeroDivisionError,OverflowError): {failed}"
        self._open[-1].lines += ["k=1", "try:", *(f" {line}" for line in body), handler, "k=1"]

    def check(self, dim: Dim, exact: bool) -> None:
        """Refuse the sizes of the open guard if `dim` is negative or, if `exact`, not zero.

        Outside of guards the function then raises `functions.Refused`. What is added later is not computed.
        """
        guard = self._open[-1]
        test = f"if {self._text(dim)}{'!=' if exact else '<'}0"
        refusal = f"k={guard.checks + 2}; raise ValueError" if guard.name else f"F['refuse']({guard.checks})"
        guard.lines.append(f"{test}: {refusal}")
        guard.checks += 1

    def hoisted(self, dim: Dim) -> Dim:
        """A dim of the open guard as one that may be used outside of it."""
        if isinstance(dim, int):
            return dim
        text = self._results[self.add(dim)]
        symbol = dims.fresh(text)
        self._hoisted[str(symbol)] = text
        return symbol

    def _text(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        parts = []
        for monomial, factor in dim.terms:
            atoms = [self._symbol(a) if isinstance(a, Symbol) else self._temporary(a) for a in monomial]
            parts.append("*".join(([str(factor)] if factor != 1 or not atoms else []) + atoms))
        return _sum(parts)

    def _symbol(self, symbol: Symbol) -> str:
        if symbol.name in self._hoisted:
            return self._hoisted[symbol.name]
        text = self._used.get(symbol.name)
        if text is None:
            if symbol.name not in self._names:
                raise KeyError(symbol.name)
            text = self._used[symbol.name] = f"s{len(self._used)}"
        return text

    def _temporary(self, call: Applied) -> str:
        for guard in self._open:
            if call in guard.temporaries:
                return guard.temporaries[call]
        args = [self._text(a) for a in call.args]
        name = f"t{self._count}"
        self._count += 1
        text = f"{args[0]}//{args[1]}" if call.fn == "floordiv" else f"F[{call.fn!r}]({', '.join(args)})"
        self._open[-1].temporaries[call] = name
        self._open[-1].lines.append(f"{name}={text}")
        return name

    @property
    def used(self) -> tuple[str, ...]:
        """The symbols that the dims depend on, in the order in which the function takes their values."""
        return tuple(self._used)

    def source(self) -> str:
        """The text of `def evaluate(values of the used symbols...) -> list[int]`."""
        head = f"def evaluate({', '.join(self._used.values())}):"
        zeros = [f"{guard.name}=[1]+[0]*{len(guard.results) - 1}" for guard in self._guards]
        lines = [*zeros, *self._open[0].lines, f"return [{', '.join(self._results)}]"]
        return "\n".join([head, *(f" {line}" for line in lines)])

    def code(self) -> bytes:
        """The function, compiled for this version of Python; see `functions.load`."""
        return marshal.dumps(compile(self.source(), "<sizes>", "exec"))


def _sum(terms: Sequence[str]) -> str:
    """Long ones in parts: Python reads each term of a sum as a step into it, and takes so many at most."""
    if len(terms) > _MOST_TERMS:
        return _sum([_sum(terms[at : at + _MOST_TERMS]) for at in range(0, len(terms), _MOST_TERMS)])
    return "(" + "+".join(terms).replace("+-", "-") + ")"
