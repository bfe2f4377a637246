"""Which element types the primitives take; what breaks a rule here has no meaning in any later stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.prims import PRIMS


class Typed(Protocol):
    """What has an element type."""

    dtype: DType


_REAL = "fc"
_NUMBER = "fciu"
_PLAIN = "fciub"
_WHOLE = "iu"

_TAKES: dict[str, str] = {
    **dict.fromkeys(("sqrt", "exp", "log", "erf", "sigmoid"), _REAL),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan"), _REAL),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"), _REAL),
    **dict.fromkeys(("div", "mod", "fmod", "pow", "neg", "abs", "sign"), _NUMBER),
    **dict.fromkeys(("floor", "ceil", "round", "trunc"), _NUMBER),
    **dict.fromkeys(("add", "sub", "mul", "max", "min", "lt", "le", "and", "or", "xor", "not"), _PLAIN),
    **dict.fromkeys(("isnan", "isinf", "sum", "prod", "rmax", "rmin", "argmax", "argmin"), _PLAIN),
    **dict.fromkeys(("cumsum", "cumprod", "dot", "conv", "conv_transpose"), _NUMBER),
    **dict.fromkeys(("bitand", "bitor", "bitxor", "bitnot"), "iub"),
    **dict.fromkeys(("shl", "shr"), _WHOLE),
}
"""Kinds of the operands, by primitive; others take any tensor."""
_ALIKE: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("scatter_elements", "scatter_nd"), (0, 2)),
    **dict.fromkeys(("pad", "dot", "conv", "conv_transpose"), (0, 1)),
}
"""Operands that must be of one type."""
_POSITIONS = {"gather", "gather_elements", "gather_nd", "scatter_elements", "scatter_nd"}
"""Primitives whose second operand holds positions."""


def check(prim: str, args: Sequence[Typed]) -> None:
    """Raise ShapeError if a primitive has no meaning for operands of such types."""
    kind = PRIMS[prim].kind
    if kind in ("opaque", "control") or prim == "item":
        return
    types = [a.dtype for a in args]
    if dt.OBJECT in types:
        raise ShapeError(f"{prim} needs a tensor, not a sequence, map or optional")
    kinds = _TAKES.get(prim)
    if kinds is not None and any(t.kind not in kinds for t in types):
        raise ShapeError(f"{prim} is not defined for {', '.join(t.name for t in types)}")
    alike = types if prim == "concat" else [types[n] for n in _ALIKE.get(prim, ())]
    if any(t is not alike[0] for t in alike):
        raise ShapeError(f"{prim} of different element types {[t.name for t in alike]}")
    if prim == "where" and types[0] is not dt.BOOL:
        raise ShapeError(f"where needs a condition of type bool, not {types[0].name}")
    if prim in _POSITIONS and types[1].kind not in _WHOLE:
        raise ShapeError(f"the positions of {prim} must be integers, not {types[1].name}")
