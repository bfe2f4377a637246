"""A goal picks the first register tile that element type, features and policy allow."""

from __future__ import annotations

import pytest

from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.policy import Goal, Policy, text_of
from sardonyx.base.target import Target
from sardonyx.base.tile import RegisterTile
from sardonyx.errors import CompileError

PLAIN = RegisterTile("f32", "f32", rows=4, vectors=2, k_step=1, instruction=MultiplyAdd("fma"))
FAST = RegisterTile("f32", "f32", 2, 2, 8, MultiplyAdd("matrix"), features=("matrix",), precisions=("bf16",))


def target(*features: str) -> Target:
    return Target("m", "m-none-elf", "m", features, lanes=4, tiles=(FAST, PLAIN))


@pytest.mark.parametrize(
    ("features", "precision", "tile"),
    [
        (("matrix",), "bf16", FAST),
        (("matrix",), "fp32", PLAIN),
        ((), "bf16", PLAIN),
        (("matrix",), "strict", PLAIN),
    ],
)
def test_the_first_that_fits(features: tuple[str, ...], precision: str, tile: RegisterTile) -> None:
    assert Goal(target(*features), Policy(precision)).tile("f32") is tile


def test_none_that_fits() -> None:
    with pytest.raises(CompileError, match="m has no register tile for i8"):
        Goal(target()).tile("i8")


def test_only_strict_fixes_the_order_of_sums() -> None:
    assert [Policy(p).fixed_order for p in ("fp32", "strict", "bf16")] == [False, True, False]


def test_a_tile_says_what_it_computes_with() -> None:
    assert str(PLAIN) == "f32 by fma, sums in f32"


def test_only_strict_forbids_transforms() -> None:
    assert [Policy(p).may_transform for p in ("fp32", "strict", "bf16")] == [True, False, True]


def test_goals_that_differ_have_other_texts() -> None:
    goals = [Goal(target()), Goal(target("matrix")), Goal(target(), Policy("strict"))]
    assert len({text_of(goal) for goal in goals}) == 3
    assert text_of(Goal(target())) == text_of(goals[0])


@pytest.mark.parametrize(
    ("weight_bytes", "strassen", "streams"),
    [
        (32 << 20, "auto", False),
        (33 << 20, "auto", True),
        (1 << 30, "auto", True),
        (2 << 30, "off", False),
    ],
)
def test_what_is_kept_beside_weights_follows_from_their_size(
    weight_bytes: int, strassen: str, *, streams: bool
) -> None:
    goal = Goal(target()).over(weight_bytes)
    assert (goal.policy.strassen, goal.streams) == (strassen, streams)
    assert goal.keeps_once == (weight_bytes > 1 << 30)
    asked = Goal(target(), Policy(strassen="on", short_weights="on"))
    assert asked.over(weight_bytes).policy == asked.policy


def test_a_goal_knows_whether_results_grow() -> None:
    assert [Goal(target()).over(0, grows=grows).grows for grows in (False, True)] == [False, True]
