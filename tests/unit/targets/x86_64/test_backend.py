"""The native backend makes calls of groups, and shares what is emitted within a model and no further."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal, Policy
from sardonyx.errors import UnsupportedOp
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import placeholder
from sardonyx.targets.x86_64 import isa
from sardonyx.targets.x86_64.backend import NATIVE, X86Backend
from tests.unit.runtime.programs import WRITTEN, f32, model, program


def test_equal_groups_share_what_is_emitted() -> None:
    x = placeholder("x", dt.F32, (4, 4))
    a, b = x.exp(), placeholder("z", dt.F32, (4, 4))
    graph = Graph((x, b), (("y", a), ("z", b.exp())))
    backend = X86Backend(Goal(targets.detect()))
    fusion = partition(graph, backend.native)
    symbols = [call.symbol for group in fusion.groups for call, _ in backend.calls(group, fusion.places)]
    assert len(symbols) == 2
    assert len(set(symbols)) == 1
    assert X86Backend(backend.goal).emissions is not backend.emissions


@pytest.mark.parametrize(("precision", "rounds"), [("bf16", True), ("fp32", False), ("strict", False)])
def test_halves_are_rounded_by_an_instruction_where_matrix_registers_round(
    precision: str, rounds: bool
) -> None:
    target = isa.with_features(isa.V4, isa.V4.matrices[0].features)
    backend = X86Backend(Goal(target, Policy(precision)))
    assert (backend.emissions.target.instruction("round_bf16") is not None) == rounds
    without = X86Backend(Goal(isa.with_features(isa.V4, ["avx512bf16"]), Policy(precision)))
    assert without.emissions.target.instruction("round_bf16") is None


def test_what_runs_in_python_is_told_and_may_be_refused() -> None:
    made = program(model(WRITTEN))
    assert [note.op for note in made.report.fallbacks]
    with pytest.raises(UnsupportedOp):
        program(model(WRITTEN), fallback="error")
    assert "topk" in NATIVE
    assert made.run([f32(2, 8)], [0])[0].shape == (2, 8)
