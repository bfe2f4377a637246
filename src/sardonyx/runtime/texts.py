"""Texts read by native code: whether the objects of an array are texts, and which numbers stand for them.

Decides whether this interpreter allows that; must not know which step of a run it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from operator import is_
from typing import Any

import numpy as np

from sardonyx.base.named import NamedTuple
from sardonyx.base.shortcut import Shortcut
from sardonyx.runtime import allocate, interpreter
from sardonyx.runtime.image import LoadedImage
from sardonyx.runtime.pointers import address_of

Array = np.ndarray[Any, Any]
Table = Mapping[str, int]
Native = Callable[[Array, Table | None, Array], bool]
"""`sdx_texts`; see `object/texts.ll`."""

_NAME = b"texts"
_MOST_TEXTS = 1 << 18
_image: LoadedImage | None = None
_native: Native | None = None


class Lookup(NamedTuple):
    """A feed of a run whose texts become numbers, and how many those are."""

    feed: int
    table: Table
    size: int


def offer(image: LoadedImage) -> None:
    """Have texts read by the code of this image, which is kept, if none was offered before."""
    global _image
    _image = _image or image


def side_by_side(fed: object) -> Array | None:
    """An array of objects, side by side, for one of texts of fixed width or of objects that are apart.

    None for all else, and for so many texts that their memory must be asked for.
    """
    if type(fed) is not np.ndarray or fed.size > _MOST_TEXTS:
        return None
    is_apart = fed.dtype == object and not fed.flags.c_contiguous
    return np.asarray(fed, dtype=object, order="C") if is_apart or fed.dtype.kind == "U" else None


def are_texts(objects: Array) -> bool:
    """Whether all elements of an object array are str; asks none of them, for that may run code."""
    native = _reader() if _is_plain(objects) else None
    if native is not None:
        return native(objects, None, objects)
    return all(map(is_, map(type, objects.ravel().tolist()), repeat(str)))


def numbers(texts: Array, table: Table) -> Array | None:
    """The number of each text, -1 of those that the dictionary lacks.

    None if something is not exactly a str, or if this is left to Python.
    """
    native = _reader() if _is_plain(texts) else None
    if native is None:
        return None
    found = allocate.empty(texts.shape, np.int64)
    return found if native(texts, table, found) else None


def _is_plain(texts: Array) -> bool:
    return (
        type(texts) is np.ndarray
        and texts.dtype == object
        and (flags := texts.flags).c_contiguous
        and flags.aligned
    )


def _reader() -> Native | None:
    global _native
    if _native is None and _image is not None:
        known = interpreter.words()
        if known is not None:
            _native = _made(_image, known)
    return _native


def _made(image: LoadedImage, known: allocate.Words) -> Native:
    words = allocate.aligned_words(Shortcut.WORDS)
    words[Shortcut.INTERPRETER] = address_of(known)
    held = words.view(interpreter.Held)
    held.owner = image, known
    made: Native = interpreter.builtin(held, image.address("sdx_texts"), _NAME)
    return made
