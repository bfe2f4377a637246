"""Answers kept for questions that were asked before, byte by byte the same.

Off unless a model's configuration asks for it. Must not know what a question means.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Sequence

from sardonyx.protocol.datatypes import Array, to_raw

Key = tuple[Hashable, bytes]


class ResponseCache:
    """The least recently used answers give way beyond `limit` bytes of tensors."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Key, list[Array]] = OrderedDict()

    @staticmethod
    def key(form: Hashable, feeds: Sequence[Array]) -> Key:
        """What a question is told by: its form, and a digest of its tensors."""
        digest = hashlib.blake2b(digest_size=20)
        for array in feeds:
            digest.update(to_raw(array))
        return form, digest.digest()

    def get(self, key: Key) -> list[Array] | None:
        """The answer, which nobody may write to; None if there is none."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, answer: list[Array]) -> None:
        """Keep an answer, unless it alone is too large."""
        size = sum(array.nbytes for array in answer)
        if size > self._limit or key in self._kept:
            return
        kept = [array.copy() for array in answer]
        for array in kept:
            array.flags.writeable = False
        self._kept[key] = kept
        self._bytes += size
        while self._bytes > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= sum(array.nbytes for array in dropped)
