"""Every kind of group goes to the family that computes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, concat, const, make, many, placeholder
from sardonyx.kernels.families import NATIVE, contract_call, native_calls
from sardonyx.kernels.loops import Emissions

X = placeholder("x", dt.F32, (4, 6))
GOAL = Goal(targets.detect())
W = const(np.ones((6, 5), np.float32))


def kinds(*results: Value) -> list[tuple[str, str]]:
    """The kinds of groups and of their calls."""
    fusion = partition(Graph((X,), tuple((f"y{n}", v) for n, v in enumerate(results))), NATIVE)
    emissions, found = Emissions(GOAL.target), []
    for group in fusion.groups:
        calls = list(native_calls(group, fusion.places, GOAL, emissions))
        assert all(modules for _, modules in calls)
        found += [(group.kind, call.kind) for call, _ in calls] or [(group.kind, "")]
    return found


IMPORTED = """
import sys
import sardonyx.compiler.builder
prefix = "sardonyx.kernels."
print(*sorted({name.removeprefix(prefix).split(".")[0] for name in sys.modules if name.startswith(prefix)}))
"""


def test_families_are_imported_when_a_model_needs_them() -> None:
    imported = subprocess.check_output([sys.executable, "-c", IMPORTED], text=True).split()
    assert "families" in imported
    assert not {"attention", "convolution", "product", "recurrent", "short", "strassen", "winograd"} & set(
        imported
    )


def topk(x: Value) -> Sequence[Value]:
    return many("topk", (x,), {"k": 2, "axis": 1, "largest": True}, [(dt.F32, (4, 2)), (dt.I64, (4, 2))])


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([X.exp()], [("loops", "loops")]),
        ([X.dot(W)], [("contract", "gemm")]),
        ([X.dot(W).exp()], [("contract", "gemm")]),
        ([concat([X.exp(), X.log()], 0)], [("loops", "loops"), ("loops", "loops"), ("concat", "")]),
        ([X.exp().pad((1, 1), (0, 2))], [("loops", "loops"), ("padding", "move")]),
        (list(topk(X)), [("opaque", "sort")]),
    ],
)
def test_groups_and_their_calls(results: list[Value], expected: list[tuple[str, str]]) -> None:
    assert sorted(kinds(*results)) == sorted(expected)


def test_a_convolution_is_a_contraction_of_its_own() -> None:
    image = placeholder("image", dt.F32, (1, 3, 8, 8))
    attrs = {"strides": (1, 1), "dilations": (1, 1), "low": (0, 0), "high": (0, 0), "group": 1}
    y = make("conv", (image, const(np.ones((4, 3, 3, 3), np.float32))), attrs, dt.F32, (1, 4, 6, 6))
    fusion = partition(Graph((image,), (("y", y),)), NATIVE)
    (group,) = (g for g in fusion.groups if g.kind == "contract")
    call, modules = contract_call(group, fusion.places, GOAL, Emissions(GOAL.target))
    assert (call.kind, call.symbol) == ("conv", "sdx_conv_f32")
    assert "tall" in modules, "its outputs fit one vector"
    assert len(modules) == 5, "its end stays in registers"


def test_a_convolution_that_is_transformed_needs_the_kernels_of_contractions_too() -> None:
    x = placeholder("x", dt.F32, (1, 4, 58, 58, 16))
    w = const(np.full((64, 64, 3, 3), 0.5, np.float32))
    attrs = {"strides": (1, 1), "dilations": (1, 1), "group": 1, "channels": 64, "block": 16}
    y = make("conv_blocked", (x, w), attrs, dt.F32, (1, 4, 56, 56, 16))
    fusion = partition(Graph((x,), (("y", y),)), NATIVE)
    (group,) = (g for g in fusion.groups if g.kind == "contract")
    for winograd, symbol, count in (("f2", "sdx_winograd_2x2of3x3_f32", 5), ("off", "sdx_conv_f32", 4)):
        goal = Goal(replace(GOAL.target, matrices=()), Policy("fp32", winograd))
        call, modules = contract_call(group, fusion.places, goal, Emissions(GOAL.target))
        assert (call.kind, call.symbol, len(modules)) == ("conv", symbol, count)
