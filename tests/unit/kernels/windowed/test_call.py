"""A convolution and its windows become one call that stores nothing between them, or two where it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.arguments import Conv, Shift, Windowed
from sardonyx.kernels.call import Address, Entry, NativeCall
from sardonyx.kernels.families import contract_call, native_calls
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.windowed.call import windowed_call
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.windowed.followed import POOL, graph_of, windowed

GOAL = Goal(isa.V4)


def calls_of(how: str = "pads = [1,1,1,1]", **rest: Any) -> tuple[NativeCall | None, list[NativeCall]]:
    """The joined call, and those that compute the group."""
    fusion, (group,) = windowed(graph_of(isa.V4, how, **rest))
    emissions = Emissions(isa.V4)
    made = windowed_call(
        group, fusion.places, GOAL, emissions, lambda *own: contract_call(*own, GOAL, emissions)[0]
    )
    return made and made[0], [call for call, _ in native_calls(group, fusion.places, GOAL, emissions)]


def test_one_call_reads_and_writes_what_is_outside() -> None:
    made, calls = calls_of()
    assert made is not None
    assert [call.symbol for call in calls] == ["sdx_windowed"]
    assert [storage.kind for storage in made.reads].count("arena") <= 1
    assert len(made.writes) == 1
    assert all(w.storage in (*made.reads, *made.writes) for w in made.words if isinstance(w, Address))
    assert made.plan.startswith("40x16x1x1 stride (1, 1), blocked in, end in registers; ")
    assert made.plan.endswith(" lines at a time")


def test_words_of_both_follow_and_then_how_they_move() -> None:
    made, _ = calls_of()
    assert made is not None
    words = made.words
    assert words[Windowed.FIRST] == Entry("sdx_conv_f32")
    first, second = words[Windowed.FIRST_WORDS], words[Windowed.SECOND_WORDS]
    shifts = words[Windowed.FIRST_SHIFTS], words[Windowed.SECOND_SHIFTS]
    assert first == Conv.EPILOGUE_WORDS
    assert len(words) == Windowed.HEAD + first + second + sum(shifts) * Shift.WORDS  # type: ignore[operator,arg-type]
    assert words[Windowed.HEAD + Conv.BATCH] == 1


def test_digits_of_plain_input_work_on_strips() -> None:
    target = isa.with_features(isa.V4, {f for tile in isa.V4.matrices for f in tile.features})
    goal, emissions = Goal(target), Emissions(target)
    graph = graph_of(target, "strides = [2,2]", shape=(1, 3, 60, 60), then=POOL, taps=(7, 7))
    fusion, (group,) = windowed(graph)
    (call,) = (call for call, _ in native_calls(group, fusion.places, goal, emissions))
    assert call.symbol == "sdx_windowed"
    assert call.words[Windowed.FIRST] == Entry("sdx_conv_s8x6_plain_f32")


@pytest.mark.parametrize(("size", "is_flat"), [(7, True), (14, False)])
def test_pixels_of_short_lines_are_one_line_in_digits(size: int, *, is_flat: bool) -> None:
    target = isa.with_features(isa.V4, {f for tile in isa.V4.matrices for f in tile.features})
    goal, emissions = Goal(target), Emissions(target)
    graph = graph_of(target, "pads = [1,1,1,1]", shape=(1, 192, size, size), channels=192)
    fusion, (group,) = windowed(graph)
    ((call, _),) = native_calls(group, fusion.places, goal, emissions)
    assert call.words[Windowed.HEAD + Conv.WRAP] == (size if is_flat else 0)
    assert call.words[Windowed.COUNT_WORD] == (Conv.PIXELS if is_flat else Conv.LINES)


@pytest.mark.parametrize("taps", [(1, 1), (3, 3)])
def test_digits_of_blocks_work_on_strips_if_lines_are_not_multiplied_twice(taps: tuple[int, int]) -> None:
    target = isa.with_features(isa.V4, {f for tile in isa.V4.matrices for f in tile.features})
    goal, emissions = Goal(replace(target, l2_bytes=1 << 20)), Emissions(target)
    graph = graph_of(goal.target, "strides = [2,2]", shape=(1, 256, 40, 40), channels=256, taps=taps)
    fusion, (group,) = windowed(graph)
    first, *_ = (call for call, _ in native_calls(group, fusion.places, goal, emissions))
    assert (first.symbol == "sdx_windowed") == (taps == (1, 1))
    assert "tdpbssd" in first.arithmetic


@pytest.mark.parametrize(
    "case",
    [
        {"taps": (3, 3), "shape": (1, 64, 34, 34), "channels": 64},
        {"first": "a = Conv<group = 2>(x, w, b) c = Relu(a)", "shape": (1, 64, 20, 20), "inner": 32},
    ],
    ids=["transforms", "groups"],
)
def test_what_cannot_work_on_strips_stays_apart(case: dict[str, Any]) -> None:
    made, calls = calls_of(**case)
    assert made is None
    assert len(calls) == 3
