"""The check of a node's inputs against the types that the ONNX schema of its operator allows.

Every version of an operator takes what any of its versions takes. Must not know what operators compute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import onnx

from sardonyx.base import dtype as dt
from sardonyx.errors import LoadError
from sardonyx.ir.value import Value

_Allowed = tuple[str, frozenset[str]]
"""Name and type strings of one input."""


def check(op: str, opset: int, domain: str, inputs: Sequence[Value | None]) -> None:
    """Raise LoadError if an input is of a type that the operator is not defined for."""
    allowed = _allowed(op, opset, domain)
    for number, value in enumerate(inputs):
        if value is None or not allowed:
            continue
        name, types = allowed[min(number, len(allowed) - 1)]
        if not _fits(value, types):
            given = _type_of(value)
            raise LoadError(
                f"Type Error: Type '{given}' of input parameter ({name}) of operator ({op}) is invalid; "
                f"it may be {', '.join(sorted(types))}",
                kind="graph",
            )


def _fits(value: Value, types: frozenset[str]) -> bool:
    if value.dtype is dt.OBJECT:
        return any(not text.startswith("tensor") for text in types)
    return _type_of(value) in types or not any(text.startswith("tensor") for text in types)


def _type_of(value: Value) -> str:
    return "sequence or map" if value.dtype is dt.OBJECT else f"tensor({value.dtype.onnx_name})"


@cache
def _allowed(op: str, opset: int, domain: str) -> tuple[_Allowed, ...]:
    """What each input may be; the last one stands for the rest of a variadic one. Empty if nobody says."""
    try:
        schema = onnx.defs.get_schema(op, opset, domain)
    except onnx.defs.SchemaError:
        return ()
    types: dict[str, frozenset[str]] = {}
    for version in _versions(op, domain):
        for formal in version.inputs:
            types[formal.name] = types.get(formal.name, frozenset()) | frozenset(formal.types)
    return tuple((formal.name, types[formal.name]) for formal in schema.inputs)


def _versions(op: str, domain: str) -> Iterator[Any]:
    """All schemas of an operator, the newest first."""
    schema = onnx.defs.get_schema(op, domain=domain)
    yield schema
    while schema.since_version > 1:
        try:
            schema = onnx.defs.get_schema(op, schema.since_version - 1, domain)
        except onnx.defs.SchemaError:
            return
        yield schema
