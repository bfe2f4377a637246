"""Instructions as data."""

from __future__ import annotations

from sardonyx.base.instruction import MultiplyAdd
from sardonyx.targets.x86_64 import isa


def test_a_mnemonic_is_the_first_word() -> None:
    assert MultiplyAdd("smopa za").mnemonic == "smopa"
    named = {tile.instruction.mnemonic for tile in isa.V3.tiles}
    assert named == {"vfmadd", "vpdpbusd", "vpmaddubsw", "vpmaddwd"}
