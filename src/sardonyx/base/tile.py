"""The tiles of a target's tables, as data. Must not know how a kernel computes them."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.base.instruction import MatrixMultiply, MultiplyAdd


@dataclass(frozen=True, slots=True)
class RegisterTile:
    """What the innermost loop of a contraction holds in registers.

    Attributes:
        operand: what is multiplied: f32, f64, bf16, i16, or i8, which is unsigned bytes times signed ones;
            i8pairs are those whose weights are beyond the limit of i8.
        accumulator: that of the sums.
        rows: the most rows.
        vectors: the most vectors of a row.
        k_step: elements of k that one instruction consumes; packed operands are padded to a multiple of it.
        instruction: what multiplies and adds.
        features: what the machine needs for it beyond the target's level.
        precisions: the policies that allow it.
        limit: how much the magnitudes of those weights of one sign may sum up to whose products one sum of 16
            bits takes, two of a step, of as many steps as the instruction adds; 0 if there are no such sums.
    """

    operand: str
    accumulator: str
    rows: int
    vectors: int
    k_step: int
    instruction: MultiplyAdd
    features: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32", "strict", "bf16")
    limit: int = 0

    def __str__(self) -> str:
        return f"{self.operand} by {self.instruction.name}, sums in {self.accumulator}"


@dataclass(frozen=True, slots=True)
class MatrixTile:
    """What one instruction multiplies that adds the product of two registers of rows to a third.

    Attributes:
        operand: the type of the matrices: f32, or i8, which is unsigned bytes times signed ones; fixed24 are
            whole numbers of 24 bits, each row of A and column of B of which has a scale.
        number: that of what registers hold: bf16; u8s8 are unsigned bytes in the first, signed in the second;
            s8 are signed bytes, digits of base 256.
        accumulator: that of the sums.
        terms: 1 if a number of a matrix is rounded to one of a register. 3 if it is the sum of two, high and
            low: what is left out of the four products is that of both low ones. 6 if it is the sum of three,
            which hold all of a float: what is left out of the nine products is less than its last bit. Of
            digits these are sums of three levels, for products of 256^4, 256^3 and 256^2.
        rows: the rows of a register, and the columns of one of sums.
        row_bytes: bytes of a row.
        instruction: what multiplies and adds.
        features: what the machine needs for it beyond the target's level.
        precisions: the policies that allow it.
        everywhere: False if it serves products with constant weights alone: convolutions and attention stand
            in models that magnify what it leaves out.
    """

    operand: str
    number: str
    accumulator: str
    terms: int
    rows: int
    row_bytes: int
    instruction: MatrixMultiply
    features: tuple[str, ...]
    precisions: tuple[str, ...]
    everywhere: bool = True

    @property
    def name(self) -> str:
        """A word for it: `bf16`, `bf16x3`, `bf16x6`, `s8x6`."""
        return self.number if self.terms == 1 else f"{self.number}x{self.terms}"

    def __str__(self) -> str:
        return f"{self.operand} as {self.name} by {self.instruction.name}, sums in {self.accumulator}"
