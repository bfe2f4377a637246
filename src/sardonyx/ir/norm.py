"""A value that is another one with each channel scaled, shifted and maybe limited from below.

Decides what counts as that and composes the constants; must not know who reads it.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.ir.value import Array, Value


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """max(source * scale + shift, low), in blocks of channels: scale and shift [blocks, lanes], float32."""

    source: Value
    scale: Array
    shift: Array
    low: float


def norm_of(value: Value, inlined: frozenset[int]) -> Norm | None:
    """The norm that a value [N, blocks, H, W, lanes] is of what is below all `inlined` maps.

    None if it is none, if a constant is not finite, or if `low` is above 0, which empty lanes are.
    """
    low, steps, root = -np.inf, list[tuple[str, Array]](), value
    while value is root or (value.id in inlined and value.kind == "map"):
        operand = _constant(value)
        if operand is None or value.dtype is not dt.F32:
            return None
        known, number = operand
        if value.prim == "max" and value is root and number.size == 1 and number.item() <= 0:
            low = number.item()
        elif value.prim in ("add", "mul") and _is_by_channel(known, root):
            steps.append((value.prim, number[0, :, 0, 0]))
        else:
            return None
        value = next(a for a in value.args if a is not known)
    if value.shape != root.shape or value.is_const:
        return None
    scale = np.ones([int(root.shape[axis]) for axis in (1, 4)])  # type: ignore[arg-type]
    shift = np.zeros_like(scale)
    with np.errstate(over="ignore", invalid="ignore"):
        for prim, number in reversed(steps):
            scale, shift = (scale * number, shift * number) if prim == "mul" else (scale, shift + number)
        narrow = scale.astype(np.float32), shift.astype(np.float32)
    return Norm(value, *narrow, low) if np.isfinite(narrow).all() else None


def _constant(value: Value) -> tuple[Value, Array] | None:
    """The constant operand of a map of two, and its content."""
    known = [a for a in value.args if a.is_numeric_const]
    if value.kind != "map" or len(value.args) != 2 or len(known) != 1:
        return None
    assert known[0].data is not None
    return known[0], known[0].data


def _is_by_channel(value: Value, root: Value) -> bool:
    """Whether a constant has one number for all, or for each channel."""
    most = (1, root.shape[1], 1, 1, root.shape[4])
    return value.rank == len(most) and all(n in (1, m) for n, m in zip(value.shape, most, strict=True))
