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
_MIXES = frozenset({"concat", "where"})


def texts(graph: Graph, goal: Goal) -> Graph:
    """Comparisons and look-ups of texts as those of their numbers; -1 is any other text."""
    order = [v for v in graph.order() if v.dtype is dt.STRING and v.data is None]
    if not order:
        return graph
    uses = graph.uses()
    kept = {v.id for _, v in graph.outputs} | {u.value.id for u in graph.data_sizes.values()}
    numbered: dict[int, _Numbered] = {}
    for value in order:
        found = _Numbered()
        for part in _parts(value):
            found.know(part)
            if part.id in numbered and numbered[part.id] is not found:
                found = numbered[part.id].merged(found, numbered)
        found.values.append(value)
        found.note(value, uses, value.id in kept)
        numbered[value.id] = found
    numbered = {id_: found for id_, found in numbered.items() if found.keys and not found.is_read}
    if not numbered:
        return graph
    return graph.map(lambda value, args: _rewrite(value, args, numbered))


def _parts(value: Value) -> tuple[Value, ...]:
    """The tensors of texts that a tensor of texts shows elements of; none if it makes texts."""
    if value.prim in _VIEWS:
        return value.args[:1]
    return tuple(a for a in value.args if a.dtype is dt.STRING) if value.prim in _MIXES else ()


class _Numbered:
    """Tensors that show texts of each other.

    Attributes:
        keys: the numbers of the texts that any of them is compared with, or that is mixed with theirs.
        is_read: whether anything is done with their texts but to compare or show them.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.keys: dict[str, int] = {}
        self.is_read = False

    def merged(self, other: _Numbered, numbered: dict[int, _Numbered]) -> _Numbered:
        """The larger of both with all of the other, which is `numbered` so from now on."""
        large, small = (self, other) if len(self.values) >= len(other.values) else (other, self)
        large.values += small.values
        large.is_read |= small.is_read
        for text in small.keys:
            large.keys.setdefault(text, len(large.keys))
        numbered.update((value.id, large) for value in small.values)
        return large

    def know(self, texts: Value) -> None:
        """Number texts, if they are known."""
        for text in texts.data.flat if texts.data is not None else ():
            self.keys.setdefault(text, len(self.keys))

    def note(self, value: Value, uses: Mapping[int, list[Value]], is_kept: bool) -> None:
        """Note what `value` is compared with."""
        self.is_read |= is_kept
        for user in uses.get(value.id, ()):
            known = _compared(user, value)
            if known is not None:
                self.know(known)
            is_shown = user.dtype is dt.STRING and any(part is value for part in _parts(user))
            self.is_read |= known is None and not is_shown

    def numbers(self, texts: Value) -> Value:
        """The numbers of texts."""
        if texts.data is None:
            return make("text_numbers", (texts,), {"keys": tuple(self.keys)}, dt.I64, texts.shape)
        found = [self.keys[text] for text in texts.data.flat]
        return const(np.array(found, np.int64).reshape(texts.data.shape))

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
    shown = (value,) if _parts(value) else value.args
    found = next((numbered[v.id] for v in shown if v.id in numbered), None)
    if found is None:
        return rebuild(value, args)
    if value.prim == "lookup":
        numbers = found.numbers(args[0]) if args[0].dtype is dt.STRING else args[0]
        return found.table(value).gather(numbers, 0)
    new = tuple(found.numbers(a) if a.dtype is dt.STRING else a for a in args)
    dtype = value.dtype if value.prim == "eq" else dt.I64
    return make(value.prim, new, value.attrs, dtype, value.shape)
