"""Recurrences of many rows on matrix registers: which layers, their weights, states as numbers of registers.

Each thread splits the states of its rows before a phase of a step. Must not know gates or cells.
"""

from __future__ import annotations

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import replace
from sardonyx.base.dim import Dim
from sardonyx.base.policy import Goal
from sardonyx.base.tile import MatrixTile
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.product.choose import have_parts
from sardonyx.kernels.product.pack import pack_matrix
from sardonyx.kernels.recurrent.layer import Layer, Memory, Word
from sardonyx.kernels.recurrent.short import MOST_ROWS
from sardonyx.kernels.recurrent.sums import Panel
from sardonyx.kernels.share import ceil_div, new_words, round_up
from sardonyx.kernels.tiles.matrix import ACROSS, SPARE_BYTES, MatrixShape, MatrixWords, kernels
from sardonyx.kernels.tiles.microkernel import CACHE_LINE
from sardonyx.kernels.tiles.registers import RegisterDescriptor
from sardonyx.kernels.tiles.split import define_split_rows
from sardonyx.llvm.types import size_of
from sardonyx.llvm.vec import Function, Module, V, int_

LEAST_ROWS = MOST_ROWS + 1
"""Rows from which on registers are faster than vectors, if weights are the sums of several numbers."""

_LEAST_UNITS, _LEAST_OF_BOTH, _LEAST_OF_ROUNDED = 32, 192, 128
"""The least units of a layer; of one of unknown rows, which has kernels for few and for many; of one of any
rows whose weights are rounded to half the bytes."""

_HEAD_BYTES = CACHE_LINE
"""In front of the states: whether any is special, which only careful sums multiply."""


def chosen(r: Value, rows: Dim, goal: Goal) -> MatrixTile | None:
    """The tile for states times constant weights r[D, H, gates * H] of a layer whose rows may be many."""
    tile = goal.find_matrix("f32")
    if tile is None or r.dtype is not dt.F32 or not r.is_numeric_const or r.data is None:
        return None
    units = r.data.shape[1]
    if not serves_all(units, rows, tile) and (isinstance(rows, int) or units < _LEAST_OF_BOTH):
        return None
    return tile if r.data.size and allows(r, have_parts) else None


def serves_all(units: int, rows: Dim, tile: MatrixTile) -> bool:
    """Whether a layer needs no kernel for fewer rows."""
    if tile.terms == 1 and units >= _LEAST_OF_ROUNDED:
        return True
    return isinstance(rows, int) and rows >= LEAST_ROWS and units >= _LEAST_UNITS


def packed(gates: np.ndarray, panel: Panel, tile: MatrixTile) -> np.ndarray:
    """Weights [D, K, gates, H] as [D, groups, words]: what registers read of each panel."""
    whole = replace(panel, short=False).pack(gates)
    return pack_matrix(whole.reshape(*whole.shape[:3], -1), tile)


def scratch_bytes(rows: Dim, units: Dim, tile: MatrixTile) -> Dim:
    """Bytes of scratch for the states of all rows."""
    shape = MatrixShape(tile)
    steps = dims.floordiv(units + (shape.k_step - 1), shape.k_step)
    whole = dims.floordiv(rows + (shape.rows - 1), shape.rows) * shape.rows
    return whole * (steps * (tile.row_bytes * len(shape.held)) + CACHE_LINE) + (_HEAD_BYTES + SPARE_BYTES)


class States:
    """The states of a thread's rows in scratch, plane after plane of a row."""

    def __init__(self, memory: Memory, scratch: V, tile: MatrixTile) -> None:
        f = self.f = memory.f
        self.shape, self.scratch = MatrixShape(tile), scratch
        self.spare = f.gep(scratch, int_(_HEAD_BYTES), "i8")
        self.rows_at = f.gep(self.spare, int_(SPARE_BYTES), "i8")
        units = round_up(f, memory.word[Word.UNITS], self.shape.k_step)
        self.steps = ceil_div(f, units, int_(self.shape.k_step))
        self.plane = f.mul(units, int_(self.shape.number_bytes))
        self.pitch = f.add(f.mul(self.plane, int_(len(self.shape.held))), int_(CACHE_LINE))

    def row(self, number: V) -> V:
        """Where the row of that number, of those of the thread, is."""
        return self.f.gep(self.rows_at, self.f.mul(number, self.pitch), "i8")


def define_split(module: Module, layer: Layer, goal: Goal, phase: int) -> str:
    """Add `void @name(ptr args, ptr scratch, i64 d, i64 step, i64 row0, i64 row1)`; returns its name.

    It splits the states that the weights of a phase multiply.
    """
    tile = goal.find_matrix("f32")
    assert tile is not None
    splits = [define_split_rows(module, MatrixShape(tile), careful=careful) for careful in (False, True)]
    name = f"{layer.symbol}_split{phase}"
    params = [("args", "ptr"), ("scratch", "ptr"), *((n, "i64") for n in ("d", "step", "row0", "row1"))]
    f = Function(module, name, params, internal=True, attributes="nounwind noinline")
    args, scratch, d, step, row0, row1 = f.params
    memory = Memory(f, layer, goal, args)
    states = States(memory, scratch, tile)
    state = memory.state(int_(3) if phase else f.binary("and", step, int_(1)), d, row0)
    row_bytes = f.mul(memory.pitch, int_(size_of(layer.compute)))
    strides = new_words(f, dict(enumerate((states.pitch, states.plane, row_bytes))), 3)
    operands = states.rows_at, state, f.sub(row1, row0), memory.word[Word.UNITS], strides
    special = f.call(splits[0], "i64", *operands)
    with f.when(f.icmp("ne", special, int_(0))):
        f.call(splits[1], "i64", *operands)
    f.store(special, scratch)
    f.ret()
    f.finish()
    return name


class Registers:
    """Writes the sums of a panel in a function being written."""

    def __init__(self, module: Module, panel: Panel, memory: Memory, scratch: V, tile: MatrixTile) -> None:
        f = self.f = memory.f
        self.panel, self.tile = panel, tile
        self.states = states = States(memory, scratch, tile)
        self.kernels = kernels(module, states.shape)
        words: dict[int, V] = {
            MatrixWords.A_ROW: states.pitch,
            MatrixWords.A_LOW: states.plane,
            MatrixWords.TILE_ROW: int_(panel.row_bytes),
        }
        self.descriptor = RegisterDescriptor.of(f, states.shape, words, states.spare)
        special = f.load(scratch, "i64")
        self.descriptor.set_finite(MatrixWords.A_FINITE, states.plane, special)

    @property
    def rows(self) -> int:
        """Rows of a full tile."""
        return self.states.shape.rows

    def group_bytes(self) -> V:
        """Bytes of the weights of a group of units."""
        shape = self.states.shape
        each = self.panel.vectors * shape.register_bytes * shape.planes
        return self.f.mul(self.states.steps, int_(each))

    def sum(self, first: V, rows: V, weights: V, tile: V) -> None:
        """Sum the tile of up to `rows` of the thread's rows from that one on."""
        f, shape, a = self.f, self.states.shape, self.states.row(first)
        few = f.icmp("sle", rows, int_(self.tile.rows))
        for vector in range(0, self.panel.vectors, ACROSS):
            columns = min(ACROSS, self.panel.vectors - vector)
            step = columns * shape.register_bytes * shape.planes
            self.descriptor.set({MatrixWords.B_STEP: int_(step)})
            kernel = f.select(few, *(by_rows[columns - 1] for by_rows in self.kernels))
            into = f.gep(tile, int_(vector * self.panel.vector_bytes), "i8")
            self.descriptor.sum(kernel, a, weights, self.states.steps, into)
            weights = f.gep(weights, f.mul(self.states.steps, int_(step)), "i8")
