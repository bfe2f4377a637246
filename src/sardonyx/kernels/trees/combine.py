"""How the weights of the leaves that are reached become one total."""

from __future__ import annotations

from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.vec import Function, V, float_

START = {"sum": 0.0, "min": float("inf"), "max": float("-inf")}


def start(combine: str) -> V:
    """What a total is before any leaf."""
    return float_(START[combine], "double")


def combined(f: Function, combine: str, old: V, new: V) -> V:
    """A total with one more weight."""
    a, b = Lanes(f, old), Lanes(f, new)
    match combine:
        case "min":
            return (b < a).choose(b, a).v
        case "max":
            return (b > a).choose(b, a).v
    return (a + b).v
