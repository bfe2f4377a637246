"""How x86-64 code refers to other code: by a distance from the reference, of 32 or 64 bits.

What loads an address from a table of the linker is rewritten to compute it: images have no such table.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from sardonyx.base.relocation import Bytes, Chosen, Offsets, Relocations

_MACHINE = 62
_PC32, _PLT32, _PC64 = 2, 4, 24
_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX = 9, 41, 42
_MOV, _LEA = 0x8B, 0x8D
_FROM_RIP, _REGISTER_BITS = 0x05, 0x38
"""The operand of an instruction: at a distance from the next one, and any register."""


def _distance(bits: int, code: Bytes, places: Offsets, wanted: Offsets) -> Chosen:
    distance = wanted - places
    written = distance.astype(f"<i{bits // 8}")
    spots = places[:, None] + np.arange(bits // 8)
    code[spots] = written.view(np.uint8).reshape(spots.shape)
    is_near: Chosen = np.equal(written, distance)
    return is_near


def _table_entry(code: Bytes, places: Offsets, wanted: Offsets) -> Chosen:
    """Rewrite `mov symbol@GOT(%rip), r` to `lea symbol(%rip), r`."""
    operand = code[places - 1] & (0xFF ^ _REGISTER_BITS)
    is_load: Chosen = np.equal(code[places - 2], _MOV) & np.equal(operand, _FROM_RIP)
    code[places[is_load] - 2] = _LEA
    return is_load & _distance(32, code, places, wanted)


RELOCATIONS = Relocations(
    "x86-64",
    _MACHINE,
    {
        **dict.fromkeys((_PC32, _PLT32), partial(_distance, 32)),
        _PC64: partial(_distance, 64),
        **dict.fromkeys((_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX), _table_entry),
    },
)
