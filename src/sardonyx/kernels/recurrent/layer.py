"""Recurrent layers: what a kernel is generated for, its argument words, and where operands and states are.

Must not know formulas of cells, threads or the order of time.
"""

from __future__ import annotations

from enum import IntEnum, auto

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, fields
from sardonyx.base.digest import begun
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.kernels.access import Access
from sardonyx.kernels.recurrent.cell import Activation
from sardonyx.kernels.recurrent.short import OPERAND
from sardonyx.kernels.recurrent.sums import Panel
from sardonyx.kernels.share import ceil_div
from sardonyx.llvm.convert import memory_type
from sardonyx.llvm.lanes import Lanes
from sardonyx.llvm.types import vector_of
from sardonyx.llvm.vec import Function, V, int_


class Word(IntEnum):
    """Argument words; strides are in elements. Absent operands and results have address 0.

    GATES [T, B, D, gates * H] is the input's part of the gates, WEIGHTS (and INNER, of a GRU's hidden gate)
    are packed panels with a stride for the direction, SHORT (and SHORT_INNER) those of 24 bits. EXTRA is
    peepholes [D, 3 H] or the inner bias [D, H]. STATE is workspace of `slabs` times D * B * padded H
    elements: h of even and odd steps, then c, or z and r * h. Bit d of BACKWARD says that direction d runs
    from the end. COLUMNS, of 8-bit weights, is i32 [D, blocks of units, gates, 3, lanes]: the sum of a
    column, its zero point and the bits of its scale. RESTS, of those whose sums are short, is i32 [D,
    groups, 2] and more: how many dwords behind the direction's first one lies what is too much of the panel
    of a group, and of how many rows; each is its number and its weights. MATRIX (and MATRIX_INNER) are
    weights as matrix registers read them, with strides in dwords; MANY is the kernel for many rows.
    """

    STEPS = 0
    BATCH = auto()
    UNITS = auto()
    DIRECTIONS = auto()
    BACKWARD = auto()
    STATE = auto()
    GATES = auto()
    GATES_T = auto()
    GATES_B = auto()
    GATES_D = auto()
    WEIGHTS = auto()
    WEIGHTS_D = auto()
    INNER = auto()
    INNER_D = auto()
    SHORT = auto()
    SHORT_D = auto()
    SHORT_INNER = auto()
    SHORT_INNER_D = auto()
    EXTRA = auto()
    EXTRA_D = auto()
    LENS = auto()
    LENS_B = auto()
    H = auto()
    H_D = auto()
    H_B = auto()
    H_U = auto()
    C = auto()
    C_D = auto()
    C_B = auto()
    C_U = auto()
    COLUMNS = auto()
    COLUMNS_D = auto()
    RESTS = auto()
    RESTS_D = auto()
    MATRIX = auto()
    MATRIX_D = auto()
    MATRIX_INNER = auto()
    MATRIX_INNER_D = auto()
    MANY = auto()
    Y = auto()
    Y_T = auto()
    Y_D = auto()
    Y_B = auto()
    LAST_H = auto()
    LAST_H_D = auto()
    LAST_H_B = auto()
    LAST_C = auto()
    LAST_C_D = auto()
    LAST_C_B = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True)
class Layer:
    """What a recurrence kernel is generated for.

    `kind` is lstm, gru, gru_reset (reset before the product) or rnn; `extra` tells of peepholes or an inner
    bias, `ragged` of sequence lengths, `quantised` of 8-bit weights, `short` of weights of 24 bits.
    `matrix` ones are summed on matrix registers; another `hands_over` many rows to such a kernel, or to one
    that reads floats.
    """

    kind: str
    dtype: DType
    activations: tuple[Activation, ...]
    clip: float | None = None
    extra: bool = False
    ragged: bool = False
    input_forget: bool = False
    quantised: bool = False
    short: bool = False
    matrix: bool = False
    hands_over: bool = False

    @property
    def symbol(self) -> str:
        """The name of the kernel."""
        text = repr([getattr(self, field.name) for field in fields(self)][2:])
        return f"sdx_{self.kind}_{self.dtype.name}_{begun(text.encode(), 4).hexdigest()}"

    @property
    def weights(self) -> tuple[Word, Word]:
        """The words of the weights of both phases; their strides come next."""
        if self.matrix:
            return Word.MATRIX, Word.MATRIX_INNER
        return (Word.SHORT, Word.SHORT_INNER) if self.short else (Word.WEIGHTS, Word.INNER)

    @property
    def compute(self) -> str:
        """The LLVM type of states and weights."""
        return "double" if self.dtype is dt.F64 else "float"

    @property
    def slabs(self) -> int:
        """States of the size of h that the workspace holds."""
        return {"lstm": 3, "gru": 2, "gru_reset": 4, "rnn": 2}[self.kind]

    def panels(self, goal: Goal) -> tuple[Panel, ...]:
        """The register tiles of the phases of a step: (block of units, gates)."""
        if self.quantised:
            return (Panel.of(goal, self.operand(goal), 1, 4),)
        cuts = {"lstm": [(1, 4)], "gru": [(1, 3)], "gru_reset": [(2, 2), (4, 1)], "rnn": [(4, 1)]}[self.kind]
        return tuple(Panel.of(goal, self.operand(goal), units, gates) for units, gates in cuts)

    def operand(self, goal: Goal) -> str:
        """What the register tiles multiply."""
        if self.quantised:
            return "i8" if goal.find_tile("i8") else "i16"
        return OPERAND if self.short else "f64" if self.dtype is dt.F64 else "f32"


_ADDRESSES = frozenset(
    {
        *(Word.STATE, Word.GATES, Word.WEIGHTS, Word.INNER, Word.COLUMNS, Word.RESTS, Word.EXTRA),
        *(Word.SHORT, Word.SHORT_INNER, Word.MATRIX, Word.MATRIX_INNER, Word.MANY),
        *(Word.LENS, Word.H, Word.C, Word.Y, Word.LAST_H, Word.LAST_C),
    }
)


class Memory:
    """Words and addresses that the driver and the steps have in common."""

    def __init__(self, f: Function, layer: Layer, goal: Goal, args: V) -> None:
        self.f, self.layer, self.target = f, layer, goal.target
        self.panel = layer.panels(goal)[0]
        self.lanes = self.panel.lanes
        self.vector = vector_of(layer.compute, self.lanes)
        self.word: dict[Word, V] = {
            w: f.word(args, w, "ptr" if w in _ADDRESSES else "i64") for w in Word if w is not Word.WORDS
        }
        self.access = Access(f, layer.dtype, goal.target)
        self.element = memory_type(layer.dtype)
        self.blocks = ceil_div(f, self.word[Word.UNITS], int_(self.lanes))
        self.pitch = f.mul(self.blocks, int_(self.lanes))
        self.slab = f.mul(f.mul(self.word[Word.DIRECTIONS], self.word[Word.BATCH]), self.pitch)

    def state(self, slab: V, direction: V, row: V) -> V:
        """The address of a row of a workspace state."""
        f = self.f
        at = f.add(
            f.mul(slab, self.slab), f.mul(f.add(f.mul(direction, self.word[Word.BATCH]), row), self.pitch)
        )
        return f.gep(self.word[Word.STATE], at, self.layer.compute)

    def at(self, word: Word, *terms: tuple[V, Word]) -> V:
        """The address of an operand's row: its base plus index times stride for each term."""
        f = self.f
        offset = int_(0)
        for index, stride in terms:
            offset = f.add(offset, f.mul(index, self.word[stride]))
        return f.gep(self.word[word], offset, self.element)

    def mask(self, column: V) -> V:
        """The lanes of a block of units that exist."""
        return self.f.tail_mask(self.f.sub(self.word[Word.UNITS], column), self.lanes)

    def load(self, row: V, column: V, mask: V) -> Lanes:
        """A vector of an operand in compute type; zeros where the mask is off."""
        return Lanes(self.f, self.access.load_lanes(row, column, mask))

    def store(self, value: Lanes, row: V, column: V, mask: V) -> None:
        """Store the lanes of the mask in memory type."""
        self.access.store_lanes(value.v, row, column, mask)

    def load_state(self, row: V, column: V) -> Lanes:
        """A vector of a workspace row."""
        return Lanes(self.f, self.f.load(self.f.gep(row, column, self.layer.compute), self.vector))

    def store_state(self, value: Lanes, row: V, column: V, mask: V) -> None:
        """Store into a workspace row; lanes without a unit become 0."""
        f = self.f
        kept = f.select(mask, value.v, V("zeroinitializer", value.v.type))
        f.store(kept, f.gep(row, column, self.layer.compute))
