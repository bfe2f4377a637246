"""A named value is its number to those who ask for one, and itself through copies; a plain int is not one."""

from __future__ import annotations

import copy
import pickle

import pytest

from sardonyx.ort.enums import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, NamedValue

KINDS = (GraphOptimizationLevel, ExecutionMode, ExecutionOrder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_gives_the_member_itself(kind: type[NamedValue]) -> None:
    for name, member in kind.__members__.items():
        assert kind(int(member)) is member is getattr(kind, name)
        assert (member.name, str(member)) == (name, f"{kind.__name__}.{name}")
        assert pickle.loads(pickle.dumps(member)) is member
        assert copy.deepcopy(member) is member


def test_a_number_without_a_name_is_kept() -> None:
    odd = GraphOptimizationLevel(7)
    assert (odd.value, odd.name, repr(odd)) == (7, "???", "<GraphOptimizationLevel.???: 7>")


def test_values_equal_their_numbers_and_have_no_order() -> None:
    level = GraphOptimizationLevel.ORT_ENABLE_ALL
    assert level == 99
    assert level != "ORT_ENABLE_ALL"
    assert {99: "there"}[level] == "there"
    assert [10, 20][ExecutionMode.ORT_PARALLEL] == 20
    with pytest.raises(TypeError):
        assert level > GraphOptimizationLevel.ORT_DISABLE_ALL  # type: ignore[operator]
    with pytest.raises(TypeError):
        GraphOptimizationLevel("1")  # type: ignore[arg-type]
