"""One register tile of a target's table, as data. Must not know how a kernel computes it."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.instruction import MultiplyAdd


@dataclass(frozen=True, slots=True)
class RegisterTile:
    """What the innermost loop of a contraction holds in registers.

    Attributes:
        operand: what is multiplied: f32, f64, i16, or i8, which is unsigned bytes times signed ones.
        accumulator: that of the sums.
        rows: the most rows.
        vectors: the most vectors of a row.
        k_step: elements of k that one instruction consumes; packed operands are padded to a multiple of it.
        instruction: what multiplies and adds.
        features: what the machine needs for it beyond the target's level.
        precisions: the policies that allow it.
    """

    operand: str
    accumulator: str
    rows: int
    vectors: int
    k_step: int
    instruction: MultiplyAdd
    features: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32", "strict", "bf16")

    def __str__(self) -> str:
        return f"{self.operand} by {self.instruction.name}, sums in {self.accumulator}"
