"""How a processor's machine code refers to other code, as a linker writes it. Must not know object files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from sardonyx.base.dataclass import dataclass

Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
Offsets: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Chosen: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Write: TypeAlias = Callable[[Bytes, Offsets, Offsets], Chosen]
"""(code, places, wanted) -> which of the places can hold a reference to the byte that is wanted.

Places and what they refer to are offsets in bytes from the start of the code, which is changed in place; it
will lie at an address that is not known.
"""


@dataclass(frozen=True, slots=True)
class Relocations:
    """Those of one processor.

    Attributes:
        name: the processor, for messages.
        machine: the number of the processor in the head of an ELF file.
        writers: how a reference is written, by the number of its type; the others are refused.
    """

    name: str
    machine: int
    writers: Mapping[int, Write]
