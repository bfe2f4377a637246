"""Half precision computed in single precision, from where its arithmetic begins to where it ends.

Weights are converted once; inputs, outputs and what is only moved keep their types. What a model casts to a
half and back is rounded, if nothing is done to it in between but moving.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, const, make

_ARITHMETIC = frozenset({"map", "reduce", "scan", "contract"})
_MOVEMENT = frozenset({"view", "index"})
_BITS = frozenset({"bitcast", "result"})


def widen(graph: Graph, goal: Goal) -> Graph:
    """Every arithmetic value of type float16 or bfloat16 as float32."""
    if not any(value.dtype.is_half for value in graph.order()):
        return graph
    wide = Wide()
    return graph.map(wide.change)


class Wide:
    """The halves of a graph with what they were before they were rounded, or are when they are read."""

    def __init__(self) -> None:
        self._computed: dict[int, Value] = {}
        self._cast: set[int] = set()
        self._read: dict[int, Value] = {}

    def change(self, value: Value, args: tuple[Value, ...]) -> Value:
        """A value over new arguments: a half is what it was computed as, rounded."""
        if not args or value.prim in _BITS or not any(a.dtype.is_half for a in (value, *args)):
            return rebuild(value, args)
        if value.prim == "cast":
            return self._changed_cast(value, args[0])
        moved = value.kind in _MOVEMENT and value.attrs.get("reduction", "none") == "none"
        computed = [a.id for a in args if a.id in self._computed]
        if value.kind not in _ARITHMETIC | _MOVEMENT or (moved and not computed):
            return rebuild(value, args)
        parts = tuple(map(self._single, args))
        if not value.dtype.is_half:
            return make(value.prim, parts, value.attrs, value.dtype, value.shape, value.results)
        single = make(value.prim, parts, _in_single(value.attrs), dt.F32, value.shape)
        if moved and self._cast.issuperset(computed):
            return self._noted_cast(rebuild(value, args), single, value)
        return self._rounded(single, value)

    def _changed_cast(self, value: Value, arg: Value) -> Value:
        source = arg if arg.id in self._cast else self._computed.get(arg.id, arg)
        if value.attrs.get("rounds"):
            return self._noted_cast(source.rounded(value.dtype), source.cast(dt.F32), value)
        return self._rounded(source.cast(dt.F32), value) if value.dtype.is_half else source.cast(value.dtype)

    def _noted_cast(self, narrow: Value, single: Value, value: Value) -> Value:
        """A half that the model asks for: rounded where it is read as such, but not to be computed with."""
        inherit(single, value.origins)
        self._computed[narrow.id] = single
        self._cast.add(narrow.id)
        return narrow

    def _rounded(self, single: Value, value: Value) -> Value:
        inherit(single, value.origins)
        narrow = single.cast(value.dtype)
        self._computed[narrow.id] = single
        return narrow

    def _single(self, value: Value) -> Value:
        """A half as float32. Views are of what they show as float32, so that other passes see them."""
        if not value.dtype.is_half:
            return value
        if value.id not in self._read:
            self._read[value.id] = self._computed.get(value.id) or self._converted(value)
        return self._read[value.id]

    def _converted(self, value: Value) -> Value:
        if value.is_numeric_const and value.data is not None:
            return const(value.data.astype(np.float32) if value.exact is None else value.exact)
        if value.kind == "view" and value.prim not in _BITS:
            parts = tuple(map(self._single, value.args))
            shown = make(value.prim, parts, value.attrs, dt.F32, value.shape)
            inherit(shown, value.origins)
            return shown
        return value.cast(dt.F32)


def _in_single(attrs: dict[str, Any]) -> dict[str, Any]:
    return {k: dt.F32 if isinstance(v, dt.DType) and v.is_half else v for k, v in attrs.items()}
