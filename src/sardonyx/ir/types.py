"""Which element types the primitives take; what breaks a rule here is supported by no later stage."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.prims import PRIMS


class Typed(Protocol):
    """What has an element type."""

    dtype: DType


def check(prim: str, args: Iterable[Typed]) -> None:
    """Raise ShapeError if a primitive is not defined for operands of such types."""
    _check(prim, *[a.dtype for a in args])


@lru_cache(maxsize=1 << 12)
def _check(prim: str, *types: DType) -> None:
    row = PRIMS[prim]
    if row.kind in ("opaque", "control") or prim == "result":
        return
    if dt.OBJECT in types:
        raise ShapeError(f"{prim} needs a tensor, not a sequence, map or optional")
    if row.takes and not {t.kind for t in types}.issubset(row.takes):
        raise ShapeError(f"{prim} is not defined for {', '.join(t.onnx_name for t in types)}")
    alike = types if prim == "concat" else [types[n] for n in row.alike]
    different = set(alike)
    if len(different) > 1 and not (row.kind == "contract" and different == {dt.U8, dt.I8}):
        raise ShapeError(f"{prim} of different element types {[t.onnx_name for t in alike]}")
    if prim == "where" and types[0] is not dt.BOOL:
        raise ShapeError(f"where needs a condition of type bool, not {types[0].onnx_name}")
    if row.positions and types[1].kind not in "iu":
        raise ShapeError(f"the positions of {prim} must be integers, not {types[1].onnx_name}")
