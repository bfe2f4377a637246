"""The register tile of a contraction as kernels read it: a row of the tile table, in elements and bytes.

Must not know what rows and columns mean.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.base.instruction import MultiplyAdd
from sardonyx.base.policy import Goal
from sardonyx.base.target import Prefetch, Target
from sardonyx.llvm.types import size_of, vector_of
from sardonyx.passes.short_sums import IN_PAIRS, fits

SUM_TYPES = {"f32": "float", "f64": "double", "i32": "i32"}
"""The LLVM type of sums by their name in the tile table."""

BY_LEFT = {dt.F32: "f32", dt.F64: "f64", dt.BF16: "bf16", dt.I16: "i16", dt.U8: "i8"}
BY_RIGHT = {dt.F32: "f32", dt.F64: "f64", dt.BF16: "bf16", dt.I16: "i16", dt.I8: "i8"}
"""The operands of a tile by the element type of A, and by that of B."""


def operand_of(left: DType, weights: np.ndarray | None, goal: Goal) -> str:
    """The operands of the tile that multiplies elements of A by some weights, or by what is not known yet."""
    operand = BY_LEFT[left]
    tile = goal.tile(operand)
    if tile.limit and weights is not None and not fits(weights, tile):
        return IN_PAIRS
    return operand


SHORT_BYTES = 3
"""Bytes of a short number."""

STRIP_TILES = 4
"""Tiles that are passed on to their end in one call, while they are in L1."""


def vector_lanes(target: Target, dtype: str) -> int:
    """Elements of one machine vector of that dtype (`lanes` of the target is that of float)."""
    return target.lanes * 4 // size_of(dtype)


@dataclass(frozen=True, slots=True)
class TileShape:
    """The register tile of one kind of operands: at most `max_rows` rows by `vectors` vectors of `lanes`.

    `dtype` is the LLVM type of sums. One k step reads as many bytes of a row of A, and of a column of B, as a
    sum has: one element, or `depth` smaller ones. Of `short` numbers B holds the upper three bytes.
    """

    operand: str
    dtype: str
    lanes: int
    max_rows: int
    vectors: int
    depth: int
    instruction: MultiplyAdd
    prefetch: Prefetch
    block: int
    short: bool = False

    @staticmethod
    def of(goal: Goal, operand: str) -> TileShape:
        """The tile of the goal's row for its operands: `f32`, `f64`, `bf16`, `i16`, `i8`."""
        row = goal.tile(operand)
        dtype = SUM_TYPES[row.accumulator]
        lanes = vector_lanes(goal.target, dtype)
        facts = row.instruction, goal.target.prefetch, goal.target.channel_block
        return TileShape(operand, dtype, lanes, row.rows, row.vectors, row.k_step, *facts)

    @property
    def name(self) -> str:
        """What tells its micro-kernels from those of other tiles."""
        return f"{self.operand}short" if self.short else self.operand

    @property
    def block_bits(self) -> int:
        """The binary logarithm of `block`, the channels that lie side by side."""
        return self.block.bit_length() - 1

    @property
    def columns(self) -> int:
        """Columns of a full tile and of a packed panel."""
        return self.vectors * self.lanes

    @property
    def element(self) -> int:
        """Bytes of one sum, and of one k step of a row."""
        return size_of(self.dtype)

    @property
    def packed_bytes(self) -> int:
        """Bytes of one k step of a column of packed B."""
        return SHORT_BYTES if self.short else self.element

    @property
    def operand_bytes(self) -> int:
        """Bytes of one element of A."""
        return self.element // self.depth

    @property
    def a_type(self) -> str:
        """The LLVM type of one element of A."""
        return self.dtype if self.depth == 1 else f"i{8 * self.operand_bytes}"

    @property
    def is_float(self) -> bool:
        """Whether sums are floats; else they are integers that wrap around."""
        return not self.dtype.startswith("i")

    @property
    def panel_row_bytes(self) -> int:
        """Bytes of one k step of a full panel, and of one row of a tile buffer."""
        return self.columns * self.element

    @property
    def tile_bytes(self) -> int:
        """Bytes of a tile buffer."""
        return self.max_rows * self.panel_row_bytes

    @property
    def vector(self) -> str:
        """The LLVM type of one vector of sums."""
        return vector_of(self.dtype, self.lanes)
