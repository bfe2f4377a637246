"""Elements that each lane chooses out of some vectors. Must not know memory, loops or kernels."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.target import Target
from sardonyx.llvm.vec import Function, V, int_


def looks_up(target: Target, type_: str) -> bool:
    """Whether a machine has instructions for it."""
    return any(target.instruction(name, type_) is not None for name in ("pick", "permute"))


def looked_up(f: Function, target: Target, vectors: Sequence[V], place: V) -> V:
    """In each lane the element at an i32 place of vectors of floats, one behind the other."""
    step = 2 if target.instruction("pick", vectors[0].type) else 1
    found = _among(f, target, vectors[-step:], place)
    for end in range(len(vectors) - step, 0, -step):
        is_before = f.icmp("ult", place, f.splat(int_(end * place.lanes, "i32"), place.lanes))
        found = f.select(is_before, _among(f, target, vectors[end - step : end], place), found)
    return found


def _among(f: Function, target: Target, vectors: Sequence[V], place: V) -> V:
    """The same of as many vectors as one instruction knows; places beyond give any of their elements."""
    type_ = vectors[0].type
    both = target.instruction("pick", type_)
    if both is not None:
        return f.call(both.name, type_, vectors[0], place, vectors[-1])
    one = target.instruction("permute", type_)
    assert one is not None, f"no instruction picks elements of {type_}"
    return f.call(one.name, type_, vectors[0], place)
