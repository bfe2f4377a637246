"""A target says what it can do."""

from __future__ import annotations

import pytest

from sardonyx.base.instruction import Instruction
from sardonyx.base.target import Target
from sardonyx.errors import TargetError


def test_features_and_whether_there_is_a_machine() -> None:
    target = Target("t", "x86_64-unknown-linux-gnu", "generic", ("fma", "avx512vnni"), 16)
    assert target.has("avx512vnni")
    assert not target.has("avx512"), "a part of a name is not a feature"
    assert target.is_machine
    assert not Target("reference", "", "", (), 16).is_machine


def test_an_instruction_is_found_by_operation_and_type() -> None:
    rows = (
        Instruction("scale", "<4 x float>", "narrow", (0,)),
        Instruction("scale", "<8 x float>", "wide", (0,)),
    )
    target = Target("t", "", "", (), 16, instructions=rows)
    assert target.instruction("scale", "<8 x float>") is rows[1]
    assert target.instruction("scale") is rows[0]
    assert target.instruction("scale", "<2 x double>") is None and target.instruction("pick") is None


@pytest.mark.parametrize("block", [8, 24, 0])
def test_blocks_of_channels_are_whole_vectors(block: int) -> None:
    with pytest.raises(TargetError, match=f"blocks of {block} channels with vectors of 16"):
        Target("t", "x86_64-unknown-none-elf", "generic", (), 16, channel_block=block)
    assert Target("t", "", "", (), 8, channel_block=8).channel_block == 8
