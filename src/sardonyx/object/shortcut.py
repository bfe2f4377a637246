"""IR of a run without Python: a built-in function of Python over the words of `base.shortcut`.

    sdx_shortcut(ptr self, ptr args, i64 count, ptr keywords) -> ptr
    sdx_texts(ptr self, ptr args, i64 count, ptr keywords) -> ptr

The first is written in shortcut.ll and runs programs by the executor's `sdx_solo`; the second, in texts.ll,
looks texts up. Must not know Python but by the addresses that it is given, nor any kernel. The text depends
only on the system's calling convention.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

from sardonyx.base.shortcut import (
    HASH_FACTOR,
    HASH_SHIFT,
    MOST_NAMES,
    MOST_NUMBERS,
    MOST_SEGMENTS,
    ROW_WAYS,
    STATION_COUNT,
    BoundRow,
    Interpreter,
    Lookup,
    ObjectBytes,
    Shortcut,
    StationBlock,
)
from sardonyx.base.target import Target
from sardonyx.object.executor import convention, indices

_FLAT = 0x101
"""Flags of numpy: contiguous in C's order, and aligned."""


def ir(target: Target) -> str:
    """The module for a target."""
    files = (Path(__file__).with_name(name) for name in ("shortcut.ll", "texts.ll"))
    return Template("\n".join(file.read_text(encoding="utf-8") for file in files)).substitute(
        indices(Shortcut, BoundRow, Lookup, StationBlock, Interpreter, ObjectBytes),
        lookup_words=str(Lookup.WORDS.value),
        row_ways=str(ROW_WAYS),
        station_count=str(STATION_COUNT),
        hash_factor=str(HASH_FACTOR - (1 << 64)),
        hash_shift=str(HASH_SHIFT),
        most_names=str(MOST_NAMES),
        most_numbers=str(MOST_NUMBERS),
        most_segments=str(MOST_SEGMENTS),
        most_objects=str(2 * MOST_NAMES),
        flat=str(_FLAT),
        swapped=str(ord(">")),
        host=convention(target),
    )
