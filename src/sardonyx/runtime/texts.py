"""Texts as numbers by native code: it reads the objects of an array and asks a dictionary for each.

Decides whether an interpreter and an image allow that; must not know which step of a run it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sardonyx.base.named import NamedTuple
from sardonyx.base.shortcut import Shortcut
from sardonyx.runtime import allocate, interpreter
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.pointers import address_of

Array = np.ndarray[Any, Any]
Table = Mapping[str, int]
LookUp = Callable[[Array, Table], Array | None]
"""From texts and the numbers of known ones to those of all, -1 for others; None if something is no text."""

_NAME = b"texts"


class Lookup(NamedTuple):
    """A feed of a run whose texts become numbers, and how many those are."""

    feed: int
    table: Table
    size: int


def look_up(image: LoadedImage) -> LookUp | None:
    """The function of an image that looks texts up; None if this interpreter allows none."""
    known = interpreter.words()
    if known is None:
        return None
    words = allocate.aligned_words(Shortcut.WORDS)
    words[Shortcut.INTERPRETER] = address_of(known)
    held = words.view(interpreter.Held)
    held.owner = image, known
    native = interpreter.builtin(held, image.address("sdx_texts"), _NAME)

    def looked_up(texts: Array, table: Table) -> Array | None:
        if type(texts) is not np.ndarray or not texts.dtype.hasobject or not texts.flags.carray:
            return None
        numbers = np.empty(texts.shape, np.int64)
        return numbers if native(texts, table, numbers) else None

    return looked_up
