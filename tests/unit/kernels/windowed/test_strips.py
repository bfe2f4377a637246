"""Strips fit the cache, and most of their lines are their own; where that cannot be there are none."""

from __future__ import annotations

from typing import Any

import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.kernels.windowed.strips import Strips
from sardonyx.targets.x86_64 import isa
from tests.unit.kernels.windowed.followed import graph_of, windowed


def strips_of(l2_bytes: int, how: str = "pads = [1,1,1,1]", **rest: Any) -> Strips | None:
    target = replace(isa.V4, l2_bytes=l2_bytes)
    (group,) = windowed(graph_of(target, how, **rest))[1]
    return Strips.of(group, Goal(target))


def test_what_fits_is_one_strip_of_many_panels() -> None:
    strips = strips_of(2 << 20, shape=(1, 16, 14, 14), channels=320)
    assert strips is not None
    assert (strips.strip, strips.lines, strips.rows) == (14, 14, 16)
    assert (strips.above, strips.left, strips.pitch) == (1, 1, 17)
    assert (strips.blocks, strips.of_panel, strips.panels) == (20, 2, 3)


@pytest.mark.parametrize("l2_bytes", [1 << 20, 2 << 20])
@pytest.mark.parametrize("size", [3, 5])
def test_a_large_image_is_cut(l2_bytes: int, size: int) -> None:
    pads, window = size // 2, (size, size)
    how = f"pads = [{pads},{pads},{pads},{pads}]"
    strips = strips_of(l2_bytes, how, shape=(1, 16, 112, 112), channels=96, window=window)
    assert strips is not None
    assert strips.strip < strips.lines
    assert strips.panels * strips.of_panel * strips.rows * strips.pitch * 64 <= l2_bytes // 2
    assert 2 * strips.common <= strips.strip * strips.step


@pytest.mark.parametrize(
    ("how", "common"), [("strides = [1,1]", 2), ("strides = [2,2]", 1), ("strides = [4,1]", 0)]
)
def test_strips_have_lines_in_common(how: str, common: int) -> None:
    strips = strips_of(1 << 20, how, shape=(1, 16, 112, 112), channels=96)
    assert strips is not None
    assert strips.common == common


def test_more_of_the_cache_is_taken_where_few_lines_are_the_own_of_a_strip() -> None:
    """Each panel reads 512 channels: a quarter of the cache holds 8 of 16 lines."""
    strips = strips_of(1 << 20, shape=(1, 512, 14, 14), channels=512)
    assert strips is not None
    assert strips.strip == strips.lines


def test_groups_are_panels_where_they_have_whole_blocks() -> None:
    grouped = {"first": "a = Conv<group = 2>(x, w, b) c = Relu(a)", "inner": 24}
    strips = strips_of(2 << 20, shape=(1, 48, 14, 14), channels=68, **grouped)
    assert strips is not None
    assert (strips.blocks, strips.of_panel, strips.panels) == (6, 3, 1)
    assert strips_of(2 << 20, shape=(1, 48, 14, 14), channels=40, **grouped) is None


def test_threads_find_enough_to_share() -> None:
    strips = strips_of(2 << 20, shape=(1, 16, 56, 56), channels=32)
    assert strips is not None
    assert -(-strips.lines // strips.strip) >= 3


def test_memory_is_that_of_a_strip() -> None:
    target = isa.V4
    (group,) = windowed(graph_of(target, "pads = [1,1,1,1]", shape=(1, 16, 14, 14), channels=32))[1]
    strips = Strips.of(group, Goal(target))
    assert strips is not None
    place = strips.place(group.parts[0].root)
    assert place.strides == (0, strips.rows * 17 * 16, 17 * 16, 16, 1)
    assert place.storage.size == 2 * place.strides[1]


@pytest.mark.parametrize(
    "case",
    [
        {"shape": (1, 16, 112, 4000), "l2_bytes": 1 << 20},
        {"how": "pads = [9,9,9,9]", "window": (19, 19), "shape": (1, 16, 112, 112), "l2_bytes": 1 << 20},
        {"shape": ("N", 16, "H", 20), "l2_bytes": 1 << 20},
    ],
    ids=["long lines", "high windows", "unknown lines"],
)
def test_there_are_none(case: dict[str, Any]) -> None:
    assert strips_of(**case) is None
