"""Compiles many sizes into one Python function of the symbols they depend on."""

from __future__ import annotations

import marshal
from collections.abc import Sequence

from sardonyx.base.dim import Call, Dim, Symbol


class Evaluator:
    """Compiles many dims into one Python function; shared sub-expressions are computed once.

    Input: values of those of `names` that are used. Output: a list of ints in the order added.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {name: f"s{i}" for i, name in enumerate(names)}
        self._used: dict[str, None] = {}
        self._lines: list[str] = []
        self._temporaries: dict[Call, str] = {}
        self._slots: dict[Dim, int] = {}
        self._results: list[str] = []

    def add(self, dim: Dim) -> int:
        """The index of `dim` in the result list."""
        if dim not in self._slots:
            self._slots[dim] = len(self._results)
            self._results.append(self._text(dim))
        return self._slots[dim]

    def _text(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        parts = []
        for monomial, factor in dim.terms:
            atoms = [self._symbol(a) if isinstance(a, Symbol) else self._temporary(a) for a in monomial]
            parts.append("*".join(([str(factor)] if factor != 1 or not atoms else []) + atoms))
        return "(" + "+".join(parts).replace("+-", "-") + ")"

    def _symbol(self, symbol: Symbol) -> str:
        self._used.setdefault(symbol.name)
        return self._names[symbol.name]

    def _temporary(self, call: Call) -> str:
        if call not in self._temporaries:
            args = [self._text(a) for a in call.args]
            name = f"t{len(self._temporaries)}"
            self._temporaries[call] = name
            text = f"{args[0]}//{args[1]}" if call.fn == "floordiv" else f"F[{call.fn!r}]({', '.join(args)})"
            self._lines.append(f" {name}={text}")
        return self._temporaries[call]

    @property
    def used(self) -> tuple[str, ...]:
        """The symbols that the dims depend on, in the order in which the function takes their values."""
        return tuple(self._used)

    def source(self) -> str:
        """The text of `def evaluate(values of the used symbols...) -> list[int]`."""
        head = f"def evaluate({', '.join(self._names[name] for name in self._used)}):"
        return "\n".join([head, *self._lines, f" return [{', '.join(self._results)}]"])

    def code(self) -> bytes:
        """The function, compiled for this version of Python; see `functions.load`."""
        return marshal.dumps(compile(self.source(), "<sizes>", "exec"))
