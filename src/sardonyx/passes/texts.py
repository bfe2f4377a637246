"""Texts that are only compared with known ones become numbers where they enter the graph.

One step in Python then numbers all texts of a tensor, and native code does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Value, const, make

_VIEWS = frozenset({"broadcast", "gather", "reshape", "slice", "transpose", "window"})


def texts(graph: Graph, goal: Goal) -> Graph:
    """Comparisons and look-ups of texts as those of their numbers; -1 is any other text."""
    order = graph.order()
    sources = [v for v in order if v.dtype is dt.STRING and v.data is None and v.prim not in _VIEWS]
    if not sources:
        return graph
    uses = graph.uses()
    kept = {v.id for _, v in graph.outputs} | {u.value.id for u in graph.data_sizes.values()}
    numbered: dict[int, _Numbered] = {}
    for source in sources:
        found = _Numbered(source)
        if found.collect(source, uses, kept) and found.keys:
            numbered.update(dict.fromkeys(found.values, found))
    if not numbered:
        return graph
    return graph.map(lambda value, args: _rewrite(value, args, numbered))


class _Numbered:
    """A source of texts, its views, and the texts that any of them is compared with."""

    def __init__(self, source: Value) -> None:
        self.source = source
        self.values = [source.id]
        self.keys: dict[str, int] = {}

    def collect(self, value: Value, uses: Mapping[int, list[Value]], kept: set[int]) -> bool:
        """Note what is compared; False if anything else is done with the texts."""
        if value.id in kept:
            return False
        for user in uses.get(value.id, ()):
            if user.prim in _VIEWS and user.args[0] is value:
                self.values.append(user.id)
                if not self.collect(user, uses, kept):
                    return False
            elif (known := _compared(user, value)) is not None:
                for text in known.data.flat if known.data is not None else ():
                    self.keys.setdefault(text, len(self.keys))
            else:
                return False
        return True

    def numbers(self, source: Value) -> Value:
        """The numbers of the texts of the rewritten source."""
        return make("text_numbers", (source,), {"keys": tuple(self.keys)}, dt.I64, source.shape)

    def known(self, texts: Value) -> Value:
        """The numbers of known texts."""
        assert texts.data is not None
        return const(np.array([self.keys[t] for t in texts.data.flat], np.int64).reshape(texts.data.shape))

    def table(self, lookup: Value) -> Value:
        """What a look-up gives for each number; the last entry is for other texts, whose number is -1."""
        keys, values, default = (a.data for a in lookup.args[1:])
        assert keys is not None
        assert values is not None
        assert default is not None
        table = np.full(len(self.keys) + 1, default.reshape(-1)[0], values.dtype)
        for key, value in reversed([*zip(keys.flat, values.flat, strict=True)]):
            table[self.keys[key]] = value
        return const(table)


def _compared(user: Value, value: Value) -> Value | None:
    """The known texts that `user` compares `value` with."""
    if user.prim == "eq":
        other = user.args[1] if user.args[0] is value else user.args[0]
        return other if other.is_numeric_const and other.dtype is dt.STRING else None
    if user.prim == "lookup" and user.args[0] is value:
        keys, values, default = user.args[1:]
        known = all(a.is_numeric_const for a in (keys, values, default))
        return keys if known and values.dtype.is_native else None
    return None


def _rewrite(value: Value, args: tuple[Value, ...], numbered: Mapping[int, _Numbered]) -> Value:
    users = [numbered[a.id] for a in value.args if a.id in numbered]
    if not users:
        return rebuild(value, args)
    found = users[0]
    new = [found.numbers(a) if old is found.source else a for a, old in zip(args, value.args, strict=True)]
    if value.prim in _VIEWS:
        return make(value.prim, tuple(new), value.attrs, dt.I64, value.shape)
    if value.prim == "eq":
        numbers = tuple(found.known(v) if v.dtype is dt.STRING else v for v in new)
        return make("eq", numbers, value.attrs, value.dtype, value.shape)
    return found.table(value).gather(new[0], 0)
