"""Where words of a constant right operand lie that matrix registers read. Must not know what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.kernels.tiles.matrix import MatrixShape

Array = np.ndarray[Any, Any]


class Panels:
    """Panels [N / columns][head of columns][steps][plane][register of columns][row][column] in words[count].

    A last panel of at most half the columns is one register wide; n is whole registers. A head has `head`
    words a column.
    """

    def __init__(self, words: Array, n: int, shape: MatrixShape, head: int = 0) -> None:
        narrow, whole = shape.tile.rows, n // shape.rows * shape.rows
        self._parts: list[tuple[slice, Array, Array]] = []
        for columns, registers in ((slice(0, whole), shape.rows // narrow), (slice(whole, n), 1)):
            panels = words.reshape(n, -1)[columns].reshape(-1, registers * narrow * (len(words) // n))
            if len(panels):
                at = head * registers * narrow
                steps = panels[:, at:].reshape(len(panels), -1, shape.planes, registers, narrow, narrow)
                self._parts.append((columns, panels[:, :at], steps))

    def write_heads(self, heads: Array) -> None:
        """Write the head[N] of each column."""
        for columns, to, _ in self._parts:
            to[...] = heads[columns].reshape(to.shape)

    def write(self, plane: int, at: int, words: Array) -> None:
        """Write the words[step, row, N] of one plane, the first step of which is number `at`."""
        for columns, _, steps in self._parts:
            panels, _, _, registers, rows, width = steps.shape
            part = words[..., columns].reshape(-1, rows, panels, registers, width)
            steps[:, at : at + len(part), plane] = part.transpose(2, 0, 3, 1, 4)
