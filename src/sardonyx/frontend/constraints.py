"""The check of a node's inputs against the types that the ONNX schema of its operator allows.

Every version of an operator takes what any of its versions takes, and in any mixture that one of them takes.
Must not know what operators compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.errors import LoadError
from sardonyx.frontend.schemas import alike, formals
from sardonyx.ir.value import Value
from sardonyx.ops.elements import nature


def check(op: str, opset: int, domain: str, inputs: Sequence[Value | None]) -> None:
    """Raise LoadError if an input is of a type that the operator does not take, or not beside the others."""
    allowed = formals(op, opset, domain)
    seen: dict[str, DType] = {}
    for number, value in enumerate(inputs):
        if value is None or not allowed:
            continue
        name, types = allowed[min(number, len(allowed) - 1)]
        if not _fits(nature(value) if value.dtype is dt.OBJECT else _written(value.dtype), types):
            given = _written(value.dtype)
            raise LoadError(
                f"Type Error: Type '{given}' of input parameter ({name}) of operator ({op}) is invalid; "
                f"it may be {', '.join(sorted(types))}",
                kind="graph",
            )
        other = next((seen[n] for n in _alike(op, opset, domain, name) if n in seen), value.dtype)
        if other is not value.dtype and dt.OBJECT not in (other, value.dtype):
            raise LoadError(
                f"Type Error: Type parameter of Optype ({op}) bound to different types "
                f"({_written(other)} and {_written(value.dtype)}); cast its input {name}",
            )
        seen[name] = value.dtype


@cache
def _alike(op: str, opset: int, domain: str, name: str) -> tuple[str, ...]:
    """The inputs whose type that of an input must be."""
    return next((tuple(group) for group in alike(op, opset, domain) if name in group), ())


@cache
def _fits(given: str, types: frozenset[str]) -> bool:
    """Whether a type is one of those, or the beginning of a type that is no tensor's."""
    if given.startswith("tensor("):
        return given in types
    return any(text.startswith(given) and not text.startswith("tensor(") for text in types)


def _written(dtype: DType) -> str:
    return "sequence or map" if dtype is dt.OBJECT else f"tensor({dtype.onnx_name})"
