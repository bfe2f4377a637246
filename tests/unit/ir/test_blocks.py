"""Which blocks are added up to lines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sardonyx.ir.blocks import by_lines


@pytest.mark.parametrize(
    ("kernel", "strides", "expected"),
    [
        ((3, 3), (2, 2), True),
        ((1,), (1,), True),
        ((40, 3), (40, 2), True),
        ((3, 33), (1, 1), False),
        ((3, 3), (1, 9), False),
        ((33, 33, 3), (1, 1, 1), False),
        ((3, 0), (1, 1), False),
        ((0, 3), (1, 1), False),
    ],
)
def test_lines_are_short_and_close(kernel: Sequence[int], strides: Sequence[int], expected: bool) -> None:
    assert by_lines(kernel, strides) is expected
