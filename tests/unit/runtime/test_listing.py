"""A program as text: calls, barriers, jumps, checks and memory, one a line."""

from __future__ import annotations

from sardonyx.runtime.listing import text
from tests.unit.runtime.programs import NONZERO, linear, model, program

BRANCH = """
g (float[N] x, bool c) => (float[N] y) { y = If (c) <
    then_branch = t () => (float[N] a) { a = Exp(x) },
    else_branch = e () => (float[N] b) { b = Neg(x) }
> }
"""


def listed(source: str | bytes) -> list[str]:
    data = model(source) if isinstance(source, str) else source
    return text(program(data).data).splitlines()


def test_calls_and_memory() -> None:
    lines = listed(linear())
    assert lines[0] == "segment 0: sizes N"
    assert sum(line.startswith("  call sdx_gemm_") for line in lines) == 1
    assert lines[-1].startswith("output y: storage")


def test_sizes_that_are_read_on_the_way_begin_another_segment() -> None:
    lines = listed(NONZERO)
    assert sum(line.startswith("segment") for line in lines) > 1
    assert any("from element" in line and line.startswith("  size") for line in lines)
    assert any(line.startswith("storage") and "arena f32" in line for line in lines)


def test_jumps_name_their_condition() -> None:
    lines = listed(BRANCH)
    assert any("jump to call" in line and "unless byte 0 of storage" in line for line in lines)
    assert "  barrier" in lines
