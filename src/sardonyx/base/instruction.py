"""One instruction of a machine, as data: general code asks for it by its operation. Must not know LLVM."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """An intrinsic function of LLVM that is one instruction.

    Attributes:
        operation: what it computes, lane by lane: `scale` is x * 2^n of whole n, `exponent` the exponent of x
            as a float, `mantissa` x without it, in [0.75, 1.5), `pick` those elements of two vectors, one
            behind the other, that a vector of i32 between them numbers.
        type: the LLVM type of operands that are floats, and of the result.
        name: the intrinsic.
        operands: its arguments: the number of a source, or a constant with its type.
    """

    operation: str
    type: str
    name: str
    operands: tuple[int | str, ...]
