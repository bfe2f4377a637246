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

_LEAST = 16
"""The least queries, keys and features for which matrix registers are worth what it takes to fill them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles and what is packed for them.

    Attributes:
        rows: those of a tile; a strip is some tiles.
        few_rows: how many rows of a head are multiplied by keys and values as they lie.
        columns: those of a panel, of which the last is stored whole.
        steps: what k is padded to.
        lanes: elements of a vector, to which rows of scores are padded.
        key_bytes: of a number of packed keys.
        value_bytes: of one of packed values.
        strip_bytes: of scores that are worked on at a time; at least those of one tile.
        tiles: what multiplies by keys and by values, if that is matrix registers.
    """

    rows: int
    few_rows: int
    columns: int
    steps: int
    lanes: int
    key_bytes: int
    value_bytes: int
    strip_bytes: int
    tiles: tuple[MatrixTile, MatrixTile] | None = None

    @staticmethod
    def of_vectors(goal: Goal) -> Layout:
        """That of tiles of vectors."""
        shape = TileShape.of(goal, "f32")
        rows, element = shape.max_rows, shape.element
        return Layout(rows, rows, shape.columns, 1, shape.lanes, element, element, STRIP_BYTES)

    @staticmethod
    def of_registers(goal: Goal, tiles: tuple[MatrixTile, MatrixTile]) -> Layout:
        """That of matrix registers."""
        shapes = [MatrixShape(tile) for tile in tiles]
        first = shapes[0]
        lanes = TileShape.of(goal, "f32").lanes
        keys, values = (shape.planes * shape.number_bytes for shape in shapes)
        few, step = _LEAST - 1, first.k_step
        return Layout(first.rows, few, first.rows, step, lanes, keys, values, STRIP_BYTES, tiles)

    @staticmethod
    def of(goal: Goal, q: Value, k: Value, v: Value) -> Layout:
        """For queries [..., M, D], keys [..., D, T] and values [..., T, E].

        An unknown number is taken for many. Exp turns what a score is off into a relative error, so scores
        are multiplied as exactly as can be.
        """
        tiles = goal.find_matrix("f32", everywhere=True), goal.find_matrix("f32")
        sizes = *q.shape[-2:], *v.shape[-2:]
        few = any(isinstance(n, int) and n < _LEAST for n in sizes)
        if few or tiles[0] is None or tiles[1] is None:
            return Layout.of_vectors(goal)
        return Layout.of_registers(goal, (tiles[0], tiles[1]))

    @property
    def symbol(self) -> str:
        """The name of the function."""
        return f"sdx_attention_{f'{self.tiles[0].name}_' if self.tiles else ''}f32"

    @property
    def arithmetic(self) -> str:
        """What multiplies, for people; nothing for vectors."""
        return "; ".join(dict.fromkeys(map(str, self.tiles or ())))

    def scratch_bytes(self, target: Target, total: Dim, depth: Dim, width: Dim) -> Dim:
        """Bytes that attention may use for sizes T, D and E.

        What its products use, packed keys, packed values, and a strip of scores.
        """

        def padded(size: Dim, multiple: int) -> Dim:
            return dims.ceildiv(size, multiple) * multiple

        keys = padded(total, self.columns) * padded(depth, self.steps) * self.key_bytes
        values = padded(width, self.columns) * padded(total, self.steps) * self.value_bytes
        strip = (padded(total, self.lanes) + self.lanes) * self.rows * 4
        return product_bytes(target) + keys + values + strip + self.strip_bytes
