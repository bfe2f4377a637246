"""Recipes: one short function per operator that draws a call of it.

    @recipe("Transpose")
    def transpose(d: Draw) -> Call:
        x = d.array(d.shape())
        return Call([x], perm=d.order(x.ndim))

A call is valid unless it says why not. Each input is fed or an initialiser as the checker draws it, except
for one wrapped in `Fixed` (initialiser) or `Fed`. `judge` names who knows the result (judges.py); `length` is
the number of terms of the longest sum behind an element, 0 if there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sardonyx.base import dtype as dt
from sardonyx.ops import register_all
from sardonyx.ops.table import operators
from tests.property.operators.choices import Choices
from tests.property.operators.draw import Draw, allowed, kind_of
from tests.property.operators.judges import Judge, wide

register_all()


@dataclass(frozen=True)
class Fixed:
    """An input that the model holds as an initialiser."""

    value: Any


@dataclass(frozen=True)
class Fed:
    """An input that is never an initialiser; `type` is its TypeProto where the value does not tell it."""

    value: Any
    type: Any = None


class Call:
    """One call of an operator: its inputs (array, list for a sequence, None if absent) and attributes.

    Args:
        inputs: arrays, lists, None, Fixed or Fed.
        outputs: how many results are asked for, or which of them: (True, False, True).
        judge: who knows the results.
        length: terms of the longest sum behind an element; 0 if each result is one rounding of a function.
        magnitude: the sum of the sizes of these terms, which may cancel each other; by default `length` times
            the largest number that goes in.
        points: how far integers may be apart that are rounded from sums or functions.
        zeros: whether the sign of a zero is defined; by default where nothing is summed.
        invalid: why every engine must refuse the call; "" if it is valid.
        attributes: of the node; those that are None are left out.
    """

    def __init__(
        self,
        inputs: Sequence[Any],
        outputs: int | Sequence[bool] = 1,
        judge: Judge = wide,
        length: int = 0,
        magnitude: float | None = None,
        zeros: bool | None = None,
        invalid: str = "",
        points: int = 0,
        **attributes: Any,
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = [True] * outputs if isinstance(outputs, int) else list(outputs)
        self.zeros = length == 0 if zeros is None else zeros
        self.magnitude = length * _largest(self.values) if magnitude is None else magnitude
        self.judge, self.length, self.invalid, self.points = judge, length, invalid, points
        self.attributes = {name: value for name, value in attributes.items() if value is not None}

    @property
    def values(self) -> list[Any]:
        """The inputs, unwrapped."""
        return [i.value if isinstance(i, Fixed | Fed) else i for i in self.inputs]


def _largest(values: Sequence[Any]) -> float:
    arrays = [v.astype(np.float64) for v in values if isinstance(v, np.ndarray) and kind_of(v.dtype) == "f"]
    return float(max((np.abs(a[np.isfinite(a)]).max(initial=0) for a in arrays), default=0))


@dataclass(frozen=True)
class Recipe:
    """How calls of one operator are drawn: `types` are the element types where no schema names them."""

    domain: str
    name: str
    build: Callable[[Draw], Call]
    types: tuple[np.dtype[Any], ...]
    opsets: tuple[int, ...] = field(default=())

    @property
    def label(self) -> str:
        """The operator as reports name it."""
        return f"{self.domain}.{self.name}" if self.domain else self.name

    def drawn(self, choices: Choices) -> tuple[int, Call]:
        """An opset and a call at it; every version of the schema comes, the newest most often."""
        versions = self.versions()
        opset, schema = choices.one_of([versions[-1], *versions])
        types = self.types or tuple(_main_types(schema))
        d = Draw(choices, self.name, schema, opset, choices.one_of(types))
        return opset, self.build(d)

    def versions(self) -> list[tuple[int, Any]]:
        """Opsets and schemas at which the operator is defined and known here, oldest first."""
        first = _first_known().get((self.domain, self.name), 1)
        found = [
            (s.since_version, s)
            for s in _schemas().get((self.domain, self.name), ())
            if s.since_version >= first and (not self.opsets or s.since_version in self.opsets)
        ]
        return sorted(found, key=lambda pair: pair[0]) or [(first, None)]


def _main_types(schema: Any) -> list[np.dtype[Any]]:
    parameters = [p.type_str for p in (*schema.inputs, *schema.outputs)]
    return next((types for p in parameters if (types := allowed(schema, p))), [np.dtype(np.float32)])


@cache
def _first_known() -> dict[tuple[str, str], int]:
    """From which opset on operators have a meaning here."""
    return {(o.domain, o.name): o.since for o in reversed(operators())}


@cache
def _schemas() -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.deprecated:
            found.setdefault((schema.domain, schema.name), []).append(schema)
    return found


_recipes: dict[tuple[str, str], Recipe] = {}


def recipe(
    *names: str, domain: str = "", types: str = "", opsets: Sequence[int] = ()
) -> Callable[[Callable[[Draw], Call]], Callable[[Draw], Call]]:
    """Register a function for one or more operators.

    `types` are short names ("f32 f16") instead of what the schema allows for the first input; `opsets` the
    versions of the schema instead of all.
    """

    def add(build: Callable[[Draw], Call]) -> Callable[[Draw], Call]:
        elements = tuple(dt.by_name(name).numpy for name in types.split())
        for name in names:
            assert (domain, name) not in _recipes, f"{name} has two recipes"
            _recipes[domain, name] = Recipe(domain, name, build, elements, tuple(opsets))
        return build

    return add


def recipes() -> Iterator[Recipe]:
    """All recipes of the files in recipes/, by name."""
    for path in sorted((Path(__file__).parent / "recipes").glob("*.py")):
        import_module(f"tests.property.operators.recipes.{path.stem}")
    yield from (_recipes[key] for key in sorted(_recipes))
