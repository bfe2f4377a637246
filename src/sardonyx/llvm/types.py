"""The types of LLVM as its text names them: scalars and vectors, their lanes and bytes."""

from __future__ import annotations

import re
from functools import cache

_MANGLED = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16", "ptr": "p0"}
_SIZES = {"float": 4, "double": 8, "half": 2, "bfloat": 2, "ptr": 8}


@cache
def lanes_of(type_: str) -> int:
    """The lanes of a vector type; 1 for a scalar."""
    return int(type_[1 : type_.index(" ")]) if type_.startswith("<") else 1


@cache
def scalar_of(type_: str) -> str:
    """The element type of a vector type, or the type itself."""
    return type_[type_.index(" x ") + 3 : -1] if type_.startswith("<") else type_


@cache
def vector_of(scalar: str, lanes: int) -> str:
    """`<lanes x scalar>`, or the scalar type for one lane."""
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


@cache
def mangle(type_: str) -> str:
    """The suffix that overloaded intrinsics carry for a type, e.g. `v16f32`."""
    scalar = scalar_of(type_)
    lanes = f"v{type_[1 : type_.index(' ')]}" if type_.startswith("<") else ""
    return lanes + _MANGLED.get(scalar, scalar)


@cache
def size_of(scalar: str) -> int:
    """Bytes of one element in memory."""
    if scalar in _SIZES:
        return _SIZES[scalar]
    assert re.fullmatch(r"i\d+", scalar), f"no size for {scalar}"
    return max(1, int(scalar[1:]) // 8)
