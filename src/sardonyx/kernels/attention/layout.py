"""How attention lays out what it keeps of a head, and what multiplies it. Must not know IR text."""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels.scratch import STRIP_BYTES, product_bytes
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import TileShape

STRIP_SHARE = 4
"""What a strip of scores may take of the second cache where vectors multiply."""

_LEAST = 16
"""The least queries, keys and features for which matrix registers are worth what it takes to fill them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles and what is packed for them.

    Attributes:
        rows: those of a tile; a strip is some tiles.
        few_rows: how many rows of a head are multiplied by keys and values as they lie; with vectors
            one strip too.
        columns: those of a panel, of which the last is stored whole.
        steps: what k is padded to.
        lanes: elements of a vector, to which rows of scores are padded.
        number_bytes: of a number of packed keys and values.
        strip_bytes: of scores that are worked on at a time; at least those of one tile, and with vectors the
            share of the second cache.
        tile: what multiplies, if that is matrix registers.
    """

    rows: int
    few_rows: int
    columns: int
    steps: int
    lanes: int
    number_bytes: int
    strip_bytes: int
    tile: MatrixTile | None = None

    @staticmethod
    def of_vectors(goal: Goal) -> Layout:
        """That of tiles of vectors."""
        shape = TileShape.of(goal, "f32")
        rows, element = shape.max_rows, shape.element
        return Layout(rows, rows, shape.columns, 1, shape.lanes, element, STRIP_BYTES)

    @staticmethod
    def of_registers(goal: Goal, tile: MatrixTile) -> Layout:
        """That of matrix registers."""
        shape = MatrixShape(tile)
        lanes = TileShape.of(goal, "f32").lanes
        each, few = shape.planes * shape.number_bytes, _LEAST - 1
        return Layout(shape.rows, few, shape.rows, shape.k_step, lanes, each, STRIP_BYTES, tile)

    @staticmethod
    def of(goal: Goal, q: Value, k: Value, v: Value) -> Layout:
        """For queries [..., M, D], keys [..., D, T] and values [..., T, E].

        An unknown number is taken for many. Exp turns what a score is off into a relative error, and what is
        mixed may be rounded to one of few points, so both products are as exact as can be.
        """
        tile = goal.find_matrix("f32", everywhere=True)
        sizes = *q.shape[-2:], *v.shape[-2:]
        few = any(isinstance(n, int) and n < _LEAST for n in sizes)
        return Layout.of_vectors(goal) if few or tile is None else Layout.of_registers(goal, tile)

    @property
    def symbol(self) -> str:
        """The name of the function."""
        return f"sdx_attention_{f'{self.tile.name}_' if self.tile else ''}f32"

    @property
    def arithmetic(self) -> str:
        """What multiplies, for people; nothing for vectors."""
        return str(self.tile or "")

    def scratch_bytes(self, target: Target, total: Dim, depth: Dim, width: Dim) -> Dim:
        """Bytes that attention may use for sizes T, D and E.

        What its products use, packed keys, packed values, and a strip of scores.
        """

        def padded(size: Dim, multiple: int) -> Dim:
            return dims.ceildiv(size, multiple) * multiple

        keys = padded(total, self.columns) * padded(depth, self.steps) * self.number_bytes
        values = padded(width, self.columns) * padded(total, self.steps) * self.number_bytes
        strip = (padded(total, self.lanes) + self.lanes) * self.rows * 4
        more = max(self.strip_bytes, 0 if self.tile else target.l2_bytes // STRIP_SHARE)
        return product_bytes(target) + keys + values + strip + more
