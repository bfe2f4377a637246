"""Rows of a shortcut: the segments of a run for known sizes, each with its memory and what may follow it.

Decides where the words of a row are, and which programs have rows; must not know when sizes are taken up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.shortcut import (
    MOST_NUMBERS,
    MOST_SEGMENTS,
    ROW_SETS,
    ROW_WAYS,
    BoundRow,
    Lookup,
    set_of,
)
from sardonyx.runtime import allocate
from sardonyx.runtime.allocate import Words
from sardonyx.runtime.bound import Arena, Bound, Frame, Resolved
from sardonyx.runtime.data import ProgramData, View
from sardonyx.runtime.pointers import address_of
from sardonyx.runtime.segments import Key

if TYPE_CHECKING:
    from sardonyx.runtime.program import Program

Shape = tuple[int, ...]
Patches = Sequence[tuple[int, int]]

READ_BYTES = {"i64": 8, "i32": 4, "u8": 1, "bool": 1}
"""Bytes of the types of which native code reads numbers."""
_PLACES = (BoundRow.ARRAYS, BoundRow.READS, BoundRow.RESULTS, BoundRow.NUMBERS, BoundRow.LOOKUPS)
_MISSES = 256
"""Runs that are repeated before it is asked whether these are most."""


def has_rows(data: ProgramData) -> bool:
    """Whether runs are native calls and numbers read between them, of arrays, into arrays."""
    *first, last = data.segments
    plain = all(i.type.startswith("tensor(") for i in (*data.inputs, *data.initializer_inputs))
    alone = data.closing is None and all(segment.host is None for segment in data.segments)
    whole = all(
        v.host < 0 and v.offset < 0 and data.storages[v.storage].kind == "output" for v in data.results
    )
    read = all(segment.after and len(segment.after) <= MOST_NUMBERS for segment in first) and not last.after
    views = [view for segment in first for view, _, _ in segment.after]
    return (
        (plain and alone and whole and read and len(first) < MOST_SEGMENTS)
        and not any(spec.kind == "host" for spec in data.storages)
        and all(view.dtype in READ_BYTES and data.storages[view.storage].kind != "const" for view in views)
    )


class Rows:
    """Rows by their keys, as native code finds them; in the place of an older one if there are many.

    Attributes:
        known: all of them, the oldest first.
    """

    __slots__ = ("_keys", "_oldest", "_words", "address", "known")

    def __init__(self, sets: int = ROW_SETS) -> None:
        self._words = allocate.aligned_words(max(1, sets * ROW_WAYS))
        self.address = address_of(self._words)
        self.known: dict[Key, Row] = {}
        self._keys: dict[int, Key] = {}
        self._oldest = 0

    def put(self, row: Row) -> bool:
        """Add a row of a new key; whether there was a free place."""
        first = ROW_WAYS * set_of(row.key)
        places = range(first, first + ROW_WAYS)
        self._oldest = (self._oldest + 1) % ROW_WAYS
        place = next((n for n in places if n not in self._keys), places[self._oldest])
        older = self._keys.get(place)
        self._words[place] = row.address
        self._keys[place], self.known[row.key] = row.key, row
        if older is not None:
            del self.known[older]
        return older is None

    def drop(self, key: Key) -> None:
        """Take a row out; runs that are under way hold it."""
        (place,) = (place for place, known in self._keys.items() if known == key)
        self._words[place] = 0
        del self._keys[place], self.known[key]

    def clear(self) -> None:
        """Take all rows out."""
        self._words[:] = 0
        self._keys.clear()
        self.known.clear()


class Row:
    """Memory for one segment of one run at a time, for one set of sizes; see `base.shortcut.BoundRow`.

    `before` is the row of the segment before, behind which the numbers `key` were read; of a first row, `key`
    has the number of axes of each input and their sizes.

    Args:
        number: of the segment.
        objects: how many there are before it.
        texts: the inputs that must be texts.

    Attributes:
        followers: the rows that follow.
        size_bytes: memory that it takes, and all that were made behind it.
    """

    __slots__ = (
        *("_addresses", "_held", "_missed", "_objects", "_outputs", "_served", "_words"),
        *("address", "followers", "key", "number", "object_count", "size_bytes"),
    )

    def __init__(
        self,
        program: Program,
        number: int,
        bound: Bound,
        key: Key,
        objects: int,
        texts: Collection[int] = (),
        *,
        before: Row | None = None,
    ) -> None:
        self.key, self._missed, self._served = key, 0, 0
        self.number, self.object_count = number, objects
        self._addresses: dict[int, int] = {} if before is None else dict(before._addresses)
        self._objects: dict[int, int] = {} if before is None else dict(before._objects)
        self._outputs: dict[int, int] = {} if before is None else dict(before._outputs)
        binder, segment = program.binders[self.number], program.data.segments[self.number]
        self.followers = Rows(ROW_SETS if segment.after else 0)
        arena = Arena(bound.arena_bytes) if bound.arena_bytes else None
        for storage in program.links.shared[self.number]:
            self._addresses[storage] = bound.address(storage, arena)
        frame = Frame(binder, bound)
        if arena is not None:
            frame.rebase(arena.address)
        lookups, held = _looked_up(bound, frame)
        lookups += _only_asked(key, texts, {lookup.feed for lookup in bound.lookups or ()})
        read = self._patched(bound, frame)
        made = [word for output in bound.outputs for word in _made(output, frame)]
        for storage, number, *_ in bound.outputs:
            self._objects[storage] = self._outputs[number] = self.object_count
            self.object_count += 1
        results = bound.closing or tuple(self._outputs[result.number] for result in bound.results)
        makers = [r if isinstance(r, int) else id(r) for r in results]
        numbers = [len(segment.after)]
        for resolved, (view, index, _) in zip(bound.after, segment.after, strict=True):
            numbers += self._number(resolved, view, index)
        self._words = words = _laid_out(key, made, read, makers, numbers, lookups)
        self.address, run = address_of(words), program.team.run
        self.size_bytes = bound.arena_bytes + 8 * (bound.template.size + words.size + held.size)
        words[BoundRow.OWNER], words[BoundRow.MADE] = id(self), len(bound.outputs)
        if segment.after:
            words[BoundRow.FOLLOWING] = self.followers.address
        else:
            words[BoundRow.NUMBERS] = 0
        if binder.functions:
            words[BoundRow.LAUNCH], words[BoundRow.HOLDS] = frame.launch.address, frame.launch.hold_gil
        if frame.launch.threads > 1:
            words[BoundRow.TEAM], words[BoundRow.ARGUMENT] = id(run), id(frame.launch)
        words[BoundRow.LOOKED_UP] = len(lookups) // Lookup.WORDS
        self._held = (bound, frame, arena, run, results, held)

    def along(self, keys: Iterable[Key]) -> Row | None:
        """The row behind these numbers, read one after the other, if there is one."""
        row: Row | None = self
        for key in keys:
            row = row.followers.known.get(key) if row is not None else None
        return row

    def behind(self, program: Program, bound: Bound, key: Key, begun: Row) -> Row:
        """Let the next segment follow for these numbers.

        While places are free, what the row `begun` of the first segment misses is learnt.
        """
        row = Row(program, self.number + 1, bound, key, self.object_count, before=self)
        if self.followers.put(row):
            begun._missed = 0
        begun.size_bytes += row.size_bytes
        return row

    def size(self) -> int:
        """How many rows there are from here on."""
        return 1 + sum(row.size() for row in self.followers.known.values())

    def is_missed(self) -> bool:
        """Note a run whose first segment was repeated by Python; whether more were than were completed."""
        self._missed += 1
        if self._missed < _MISSES:
            return False
        served = int(self._words[BoundRow.SERVED])
        before, self._served, self._missed = self._served, served, 0
        return served - before < _MISSES

    def _patched(self, bound: Bound, frame: Frame) -> list[int]:
        """Patches of what the segment reads of each object; what else it reads stays where it is."""
        read: dict[int, list[tuple[int, int]]] = {number: [*found] for _, number, found in bound.inputs}
        for storage, found in () if bound.lookups else bound.patches:
            if storage in self._objects:
                read.setdefault(self._objects[storage], []).extend(found)
                continue
            for position, offset in found:
                frame.words[position] = self._addresses[storage] + offset
        return [word for n in range(self.object_count) for word in _patches(read.get(n, ()), frame)]

    def _number(self, resolved: Resolved, view: View, index: int) -> tuple[int, int, int]:
        """The object of an element, how far behind its beginning (or where) it is, and its bytes."""
        at = resolved.offset
        for size, stride in zip(reversed(resolved.shape), reversed(resolved.strides), strict=True):
            at += index % size * stride
            index //= size
        item = READ_BYTES[view.dtype]
        if resolved.kind == "input":
            return resolved.number, at, item
        if resolved.kind in ("output", "whole"):
            return self._outputs[resolved.number], at, item
        return -1, self._addresses[resolved.storage] + at, item


def _laid_out(*parts: Sequence[int]) -> Words:
    """The words of a row, with the addresses of its parts: the key, and what these places point at."""
    words = allocate.aligned_words(BoundRow.KEY + sum(map(len, parts)))
    words[BoundRow.KEY :] = [word for part in parts for word in part]
    end = address_of(words) + 8 * BoundRow.KEY
    for place, part in zip(_PLACES, parts, strict=False):
        end += 8 * len(part)
        words[place] = end
    return words


def _looked_up(bound: Bound, frame: Frame) -> tuple[list[int], Words]:
    """The words of the texts that are looked up, and the memory of their numbers, which native code reads."""
    lookups = bound.lookups or ()
    numbers = allocate.aligned_words(max(1, sum(lookup.size for lookup in lookups)))
    words, address = [], address_of(numbers)
    for lookup, (_, patches) in zip(lookups, bound.patches if lookups else (), strict=True):
        words += [lookup.feed, id(lookup.table), lookup.size, address]
        for position, offset in patches:
            frame.words[position] = address + offset
        address += 8 * lookup.size
    return words, numbers


def _only_asked(key: Key, texts: Collection[int], seen: Collection[int]) -> Iterator[int]:
    """The words of inputs that must be texts, but for those that are looked up."""
    at = 0
    for number in range(max(texts, default=-1) + 1):
        rank = key[at]
        if number in texts and number not in seen:
            yield from (number, 0, prod(key[at + 1 : at + 1 + rank]), 0)
        at += 1 + rank


def _made(output: tuple[int, int, Shape, np.dtype[Any], Patches], frame: Frame) -> Iterator[int]:
    _, _, shape, dtype, patches = output
    yield from (id(dtype), len(shape), *shape)
    yield from _patches(patches, frame)


def _patches(patches: Patches, frame: Frame) -> Iterator[int]:
    yield len(patches)
    for position, offset in patches:
        yield from (frame.address + 8 * position, offset)
