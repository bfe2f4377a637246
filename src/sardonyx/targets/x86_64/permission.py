"""The registers that a system lends to a process which asks for them: the tiles of AMX.

Linux saves their 8 KB at a switch of threads only for processes that asked; for others the first tile
instruction is illegal. Must not know which instructions a CPU has.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18


@cache
def tiles_are_granted() -> bool:
    """Whether this process may use tile registers; asked once, for all threads and forked processes."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0)


def granted(features: frozenset[str]) -> frozenset[str]:
    """The features that the system lets this process use; those of AMX are asked for where a CPU has them."""
    matrices = frozenset(name for name in features if name.startswith("amx-"))
    return features - matrices if matrices and not tiles_are_granted() else features
