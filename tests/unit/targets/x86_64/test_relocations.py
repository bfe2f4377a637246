"""Distances of 32 and 64 bits; a load from a table of addresses becomes the address itself."""

from __future__ import annotations

import numpy as np

from sardonyx.targets.x86_64.relocations import RELOCATIONS

PC32, PC64, REX_GOTPCRELX = 2, 24, 42
WRITERS = RELOCATIONS.writers


def offsets(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_distances_are_from_the_reference() -> None:
    code = np.zeros(32, np.uint8)
    assert WRITERS[PC32](code, offsets(4, 8), offsets(20, 0)).all()
    assert code[4:12].view("<i4").tolist() == [16, -8]
    assert WRITERS[PC64](code, offsets(16), offsets(1 << 40)).all()
    assert code[16:24].view("<i8").tolist() == [(1 << 40) - 16]


def test_what_is_too_far_is_told() -> None:
    code = np.zeros(16, np.uint8)
    assert WRITERS[PC32](code, offsets(0, 4), offsets(1 << 31, 8)).tolist() == [False, True]


def test_a_load_of_an_address_computes_it() -> None:
    mov = bytes.fromhex("488b0d00000000")
    call = bytes.fromhex("ff1500000000")
    code = np.frombuffer(bytearray(mov + call), np.uint8)
    held = WRITERS[REX_GOTPCRELX](code, offsets(3, 9), offsets(30, 30))
    assert held.tolist() == [True, False]
    assert bytes(code[:7]) == bytes.fromhex("488d0d1b000000"), "lea rcx, [rip + 27]"
    assert code[7] == 0xFF
