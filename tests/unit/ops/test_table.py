"""The signature of an operator's function is its schema; each opset finds the newest meaning before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.errors import UnsupportedOp
from sardonyx.ir.value import Value, placeholder
from sardonyx.ops import table

OWN = "test.table"
X = placeholder("x", dt.F32, (2,))


@pytest.fixture(autouse=True)
def own() -> Iterator[None]:
    yield
    for key in [key for key in table._operators if key[0] == OWN]:
        del table._operators[key]


def made(build: Any, strict: bool = True) -> table.Operator:
    table.op("Op", 1, OWN, strict)(build)
    return table.lookup(OWN, "Op", 1)


def node(**attributes: Any) -> table.Node:
    return table.Node("Op", "n", 1, ("y",), attributes, OWN)


def test_inputs_and_attributes_are_read_off() -> None:
    def build(
        x: Value,
        gap: Value | None,
        y: Value | None = None,
        *,
        axis: int,
        scale: float = 0.1,
        node: table.Node,
    ) -> Value:
        return x

    found = made(build)
    assert (found.inputs, found.gaps) == ((2, 3), {1})
    assert (set(found.attributes), found.required) == ({"axis", "scale"}, {"axis"})
    assert found.attributes["axis"] == "int"
    assert found.reals == {"scale": float(np.float32(0.1))}
    assert found.wants_node


def test_any_number_of_inputs() -> None:
    def build(*xs: Value) -> Value:
        return xs[0]

    assert made(build).inputs == (0, None)


def test_a_call_gives_a_tuple_and_reals_in_single_precision() -> None:
    seen = []

    def build(x: Value, *, scale: float = 0.1, node: table.Node) -> Value:
        seen.append((scale, node.name))
        return x

    assert made(build)(node(), [X]) == (X,)
    assert made(build)(node(scale=3.0), [X]) == (X,)
    assert seen == [(float(np.float32(0.1)), "n"), (3.0, "n")]


def test_attributes_without_a_meaning() -> None:
    def build(x: Value, *, axis: int = 0) -> Value:
        return x

    with pytest.raises(TypeError, match="other"):
        made(build)(node(other=1), [X])
    table.withdraw(OWN, "Op", 1)
    assert made(build, strict=False)(node(other=1), [X]) == (X,)


def test_the_newest_meaning_that_is_not_newer() -> None:
    def build(x: Value) -> Value:
        return x

    for since in (7, 1, 13):
        table.op("Op", since, OWN)(build)
    assert [table.lookup(OWN, "Op", n).since for n in (1, 6, 7, 12, 13, 99)] == [1, 1, 7, 7, 13, 13]
    assert table.newest(OWN) == 13
    assert table.newest("test.other") is None
    table.withdraw(OWN, "Op", 1)
    for name, opset in (("Op", 6), ("Other", 1)):
        with pytest.raises(UnsupportedOp, match=rf"test\.table\.{name}-{opset}"):
            table.lookup(OWN, name, opset)
    assert [o.since for o in table.operators() if o.domain == OWN] == [7, 13]


@dataclass(frozen=True, slots=True)
class Shared(table.Attributes):
    steps: tuple[int, ...] = ()
    slope: float = 0.1


def test_a_record_stands_for_its_fields() -> None:
    def build(x: Value, *, axis: int = 0, moves: Shared = Shared()) -> tuple[Any, ...]:  # noqa: B008
        return axis, moves

    found = made(build)
    assert set(found.attributes) == {"axis", "steps", "slope"}
    assert (found.required, found.reals) == (frozenset(), {"slope": float(np.float32(0.1))})
    assert found(node(steps=(2, 2), axis=1), [X]) == (1, Shared((2, 2), found.reals["slope"]))
    assert found(node(), [X]) == (0, Shared((), found.reals["slope"]))
    assert [a.name for a in table.attributes_of(build)] == ["axis", "steps", "slope"]
