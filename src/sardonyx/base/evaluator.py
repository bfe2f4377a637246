"""Compiles many sizes into one Python function of the symbols they depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sardonyx.base.dim import FUNCTIONS, Call, Dim, Symbol


class Evaluator:
    """Compiles many dims into one Python function; shared sub-expressions are computed once.

    Input: symbol values in the order of `names`. Output: a list of ints in the order added.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {name: f"s{i}" for i, name in enumerate(names)}
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
            atoms = [self._names[a.name] if isinstance(a, Symbol) else self._temporary(a) for a in monomial]
            parts.append("*".join(([str(factor)] if factor != 1 or not atoms else []) + atoms))
        return "(" + "+".join(parts).replace("+-", "-") + ")"

    def _temporary(self, call: Call) -> str:
        if call not in self._temporaries:
            args = [self._text(a) for a in call.args]
            name = f"t{len(self._temporaries)}"
            self._temporaries[call] = name
            text = f"{args[0]}//{args[1]}" if call.fn == "floordiv" else f"F[{call.fn!r}]({', '.join(args)})"
            self._lines.append(f" {name}={text}")
        return self._temporaries[call]

    def source(self) -> str:
        """The text of `def evaluate(symbol values...) -> list[int]`; picklable, see `load`."""
        head = f"def evaluate({', '.join(self._names.values())}):"
        return "\n".join([head, *self._lines, f" return [{', '.join(self._results)}]"])

    @staticmethod
    def load(source: str) -> Callable[..., list[int]]:
        """The function of a source text made by `source`."""
        scope: dict[str, object] = {"F": FUNCTIONS}
        exec(compile(source, "<dims>", "exec"), scope)
        return scope["evaluate"]  # type: ignore[return-value]
