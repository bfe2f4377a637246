"""Facts about operators are read off their functions and schemas; how they are written is decided here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sardonyx.base import dtype as dt
from sardonyx.ops.onnx import control
from sardonyx.tools import operators
from sardonyx.tools.operators import NATIVE, NOWHERE, notation, opsets, place, types, without_formula


def schema(since: int, deprecated: bool = False, domain: str = "", **facts: Any) -> Any:
    return SimpleNamespace(since_version=since, deprecated=deprecated, domain=domain, **facts)


def formal(*kinds: str) -> Any:
    return SimpleNamespace(types=kinds)


@pytest.mark.parametrize(
    ("dtypes", "text"),
    [
        ({dt.F16, dt.F32, dt.F64}, ["f16-f64"]),
        ({dt.F16, dt.F64}, ["f16", "f64"]),
        ({dt.BF16, *operators.EIGHT_BITS}, ["bf16", "f8"]),
        ({dt.F8E4M3FN}, ["f8e4m3fn"]),
        ({dt.I8, dt.I16, dt.I64, dt.BOOL}, ["i8-i16", "i64", "bool"]),
        (set(), []),
    ],
)
def test_types_in_short(dtypes: Any, text: list[str]) -> None:
    assert list(notation(dtypes)) == text


def test_opsets() -> None:
    newest = operators.newest_opset("")
    versions = [SimpleNamespace(since=1), SimpleNamespace(since=13)]
    assert opsets(versions, []) == "1, 13"  # type: ignore[arg-type]
    assert opsets(versions, [schema(1), schema(14)]) == f"1, 13 to {newest}"  # type: ignore[arg-type]
    assert opsets([], [schema(7), schema(9, deprecated=True)]) == "7 to 8"
    assert opsets([], [schema(newest)]) == str(newest)
    assert operators.newest_opset("no such domain") == 0


def test_types_of_the_newest_valid_schema() -> None:
    allowed = SimpleNamespace(allowed_type_strs=["tensor(float)", "tensor(string)", "seq(tensor(float))"])
    history = [schema(1, type_constraints=[allowed], inputs=[], outputs=[]), schema(2, deprecated=True)]
    assert types(history, NATIVE) == ("f32", "string, seq")
    assert types(history, "host: x") == ("", "f32, string, seq")
    assert types(history, NOWHERE) == types(history[1:], NATIVE) == ("", "")
    plain = [
        schema(1, type_constraints=[], inputs=[formal("tensor(int64)")], outputs=[formal("tensor(bool)")])
    ]
    assert types(plain, NATIVE) == ("i64, bool", "")


def fact(name: str, domain: str = "") -> operators.Fact:
    return next(row for row in operators.facts() if (row.domain, row.name) == (domain, name))


def test_where_operators_run() -> None:
    from sardonyx.ops import register_all

    register_all()
    assert (fact("Relu").runs, fact("If").runs, fact("Loop").runs) == (
        NATIVE,
        operators.BODIES,
        operators.BODIES,
    )
    assert fact("Relu").meaning and fact("Relu").opsets.endswith(f" to {operators.newest_opset('')}")
    rows = [(row.domain, row.name) for row in operators.facts()]
    assert rows == sorted(rows) and len(rows) == len(set(rows))


def test_what_has_a_schema_alone() -> None:
    nothing = {
        "has_function": False,
        "has_context_dependent_function": False,
        "min_input": 1,
        "min_output": 1,
    }
    body = schema(1, name="Any", **{**nothing, "has_function": True})
    assert without_formula(body) == operators.FUNCTION
    assert without_formula(schema(1, name="NoSuchOperator", **nothing)) == NOWHERE
    assert without_formula(schema(1, name="Abs", **nothing)) == "host: ONNX's reference"


def test_algorithms_of_a_function_and_those_it_calls() -> None:
    operators.load_algorithms()

    def build(kind: str = "plain") -> Any:
        return [lambda: ("scan", kind)]

    assert {"scan", "plain"} & set(
        operators.strings(
            next(code for code in operators.codes(build.__code__) if code.co_name == "<lambda>")
        )
    )
    assert operators.algorithms(build) <= set(operators.PRIMS)
    builds = [
        function
        for name, function in vars(control).items()
        if getattr(function, "__module__", "") == control.__name__ and hasattr(function, "__code__")
    ]
    found = set().union(*(operators.algorithms(function) for function in builds))
    assert found and all(operators.PRIMS[name].kind in operators.KINDS for name in found)


def test_text_is_the_business_of_types() -> None:
    def build() -> Any:
        return "to_text"

    assert place(SimpleNamespace(build=build)) == NATIVE  # type: ignore[arg-type]
