"""What is known of values that are not tensors: sequences and optionals, and of the tensors in them.

A value of type OBJECT keeps it in `results`: ((element type, element sizes),), with -1 for a size that is not
known, UNKNOWN_RANK if nothing is said of their number and MIXED_RANK if it differs; () if nothing is known at
all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Shape, Value

Elements = tuple[tuple[DType, Shape], ...]
UNKNOWN_RANK: Shape = (-2,)
MIXED_RANK: Shape = (-3,)


def elements(value: Value) -> Elements:
    """What is known of the tensors in a sequence or optional; for a tensor, what it is itself."""
    return value.results if value.dtype is dt.OBJECT else ((value.dtype, value.shape),)


def declared(dtype: DType, shape: Sequence[Dim] | None) -> Elements:
    """The elements of an input declared with this shape; a name in it is not a size that anything binds."""
    if shape is None:
        return ((dtype, UNKNOWN_RANK),)
    return ((dtype, tuple(n if isinstance(n, int) else -1 for n in shape)),)


def join(a: Elements, b: Elements) -> Elements:
    """What is known of the tensors of either of two sequences. Raises ShapeError if their types differ."""
    if not a or not b:
        return a or b
    ((d, s),), ((e, t),) = a, b
    if d is not e:
        raise ShapeError(f"a sequence cannot hold tensors of types {d.onnx_name} and {e.onnx_name}")
    if UNKNOWN_RANK in (s, t):
        return ((d, t if s == UNKNOWN_RANK else s),)
    if MIXED_RANK in (s, t) or len(s) != len(t):
        return ((d, MIXED_RANK),)
    return ((d, tuple(_either(m, n) for m, n in zip(s, t, strict=True))),)


def _either(m: Dim, n: Dim) -> Dim:
    return m if m == n else -1


def nature(value: Value) -> str:
    """The beginning of the type string of a value: seq(, optional(seq(, ...; "" if unknown."""
    if value.dtype is not dt.OBJECT:
        return "tensor("
    if value.prim == "optional":
        return f"optional({nature(value.args[0])}" if value.args else f"optional({value.attrs['type']}"
    if value.prim.startswith("sequence"):
        return "seq("
    return str(value.attrs.get("type", ""))
