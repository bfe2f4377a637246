"""The register tile of a contraction as kernels read it: a row of the tile table, in elements and bytes.

Must not know what rows and columns mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch, Target
from sardonyx.llvm.vec import size_of, vector_of

SUFFIX = {"float": "f32", "double": "f64"}
"""How a kernel's symbol ends, by element type."""

STRIP_TILES = 4
"""Tiles that are passed on to their end in one call, while they are in L1."""


def vector_lanes(target: Target, dtype: str) -> int:
    """Elements of one machine vector of that dtype (`lanes` of the target is that of float)."""
    return target.lanes * 4 // size_of(dtype)


@dataclass(frozen=True, slots=True)
class TileShape:
    """The register tile of one element type: at most `max_rows` rows by `vectors` vectors of `lanes`."""

    dtype: str
    lanes: int
    max_rows: int
    vectors: int
    prefetch: Prefetch

    @staticmethod
    def of(goal: Goal, dtype: str) -> TileShape:
        """The tile of the goal's row for an element type."""
        row = goal.tile(SUFFIX[dtype])
        lanes = vector_lanes(goal.target, dtype)
        return TileShape(dtype, lanes, row.rows, row.vectors, goal.target.prefetch)

    @property
    def columns(self) -> int:
        """Columns of a full tile and of a packed panel."""
        return self.vectors * self.lanes

    @property
    def element(self) -> int:
        """Bytes of one element."""
        return size_of(self.dtype)

    @property
    def panel_row_bytes(self) -> int:
        """Bytes of one k step of a full panel, and of one row of a tile buffer."""
        return self.columns * self.element

    @property
    def tile_bytes(self) -> int:
        """Bytes of a tile buffer."""
        return self.max_rows * self.panel_row_bytes

    @property
    def suffix(self) -> str:
        """`f32` or `f64`."""
        return SUFFIX[self.dtype]

    @property
    def vector(self) -> str:
        """The LLVM type of one machine vector."""
        return vector_of(self.dtype, self.lanes)
