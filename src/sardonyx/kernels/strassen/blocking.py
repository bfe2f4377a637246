"""How many pairs of rows and of panels are worked on at a time, and where their data lie in scratch.

Pure arithmetic on compile-time sizes; must not know LLVM.
"""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.policy import Goal
from sardonyx.kernels.strassen.scheme import DIFFERENCES, PRODUCTS
from sardonyx.kernels.tiles.shape import TileShape

STRIP_PAIRS = 16
"""Pairs of rows whose results are given to their end together, while they are in L1."""

_LINE_ELEMENTS = 16
"""Elements of a cache line."""

_COLUMNS = 128
"""Columns on each side of the pairs of panels that are worked on together."""

_COLUMNS_TWICE = 1024
"""Columns that are worked on together where left operands are made for them."""

_PAIRS = 112
"""Pairs of rows that are worked on together: weights are read for all of them at once."""

_LEFT_BYTES = 4 << 20
"""The most that left operands take."""

_FULL_TILES = 5
"""Tiles of rows that are worth keeping in L2 together before the k range is cut."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """Pairs of rows, pairs of panels and k steps at a time; the pitch is in elements."""

    pairs: int
    panels: int
    steps: int
    pitch: int
    scratch_bytes: int


def blocking(half: int, columns: int, goal: Goal) -> Blocking:
    """For halves of k of so many steps, and so many columns.

    One left operand of all rows stays in L2 beside two panels. The left operands together do not, so they are
    read for several pairs of panels at once.
    """
    shape = TileShape.of(goal, "f32")
    pitch = _odd_lines(half)
    left_bytes = PRODUCTS * pitch * shape.element
    most = min(_PAIRS, _LEFT_BYTES // left_bytes)
    pairs = max(1, most // shape.max_rows) * shape.max_rows
    panels = max(1, min(_COLUMNS // shape.columns, columns // (2 * shape.columns)))
    beside = (_FULL_TILES * shape.max_rows + 2 * shape.columns) * shape.element
    steps = _steps(half, beside, goal, shape)
    used = scratch_bytes(pairs, shape) + pairs * (left_bytes + panels * product_row_bytes(shape))
    return Blocking(pairs, panels, steps, pitch, used)


@dataclass(frozen=True, slots=True)
class Twice:
    """The same where products of quarters are made of quarters too: fours of rows, and of panels."""

    fours: int
    panels: int
    steps: int
    scratch_bytes: int


def twice_blocking(quarter: int, columns: int, goal: Goal) -> Twice:
    """For quarters of k of so many steps, and so many columns.

    The left operands of one of seven products are made for all panels that are worked on together. They stay
    in L2 beside quarters of four panels and differences of these.
    """
    shape = TileShape.of(goal, "f32")
    fours = max(1, _PAIRS // (2 * shape.max_rows)) * shape.max_rows
    panels = max(1, min(_COLUMNS_TWICE, columns) // (4 * shape.columns))
    beside = PRODUCTS * fours * shape.element + (4 + len(DIFFERENCES)) * shape.panel_row_bytes
    steps = _steps(quarter, beside, goal, shape)
    left_bytes = PRODUCTS * _odd_lines(steps) * shape.element
    right_bytes = len(DIFFERENCES) * steps * shape.panel_row_bytes
    used = scratch_bytes(2 * fours, shape) + right_bytes
    used += fours * (left_bytes + (1 + 4 * panels) * product_row_bytes(shape))
    return Twice(fours, panels, steps, used)


def scratch_bytes(pairs: int, shape: TileShape) -> int:
    """Bytes of a strip of two panels, then of the scales and factors of the rows of a block."""
    return 4 * STRIP_PAIRS * shape.panel_row_bytes + 4 * pairs * shape.element


def product_row_bytes(shape: TileShape) -> int:
    """Bytes between the products of two pairs of rows."""
    return _odd_lines(PRODUCTS * shape.columns) * shape.element


def _steps(part: int, step_bytes: int, goal: Goal, shape: TileShape) -> int:
    """Steps of a part of k of which so many bytes each stay in L2: equal shares of it."""
    longest = goal.target.l2_bytes * 3 // 4 // step_bytes
    cuts = -(-part // max(shape.lanes, longest))
    return -(-part // (cuts * shape.lanes)) * shape.lanes


def _odd_lines(elements: int) -> int:
    """Rounded up to an odd number of cache lines: what lies so far apart is in different sets of a cache."""
    return (-(-elements // _LINE_ELEMENTS) | 1) * _LINE_ELEMENTS
