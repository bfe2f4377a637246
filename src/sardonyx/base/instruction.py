"""Instructions of a machine, as data: general code asks for them by what they do. Must not write code."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """An intrinsic function of LLVM that is one instruction.

    Attributes:
        operation: what it computes, lane by lane: `scale` is x * 2^n of whole n, `exponent` the exponent of x
            as a float, `mantissa` x without it, in [0.75, 1.5), `pick` those elements of two vectors, one
            behind the other, that a vector of i32 between them numbers, `permute` those of one vector that
            the lowest bits of one behind it number, `round_bf16` the nearest number of bfloat16, in halves.
        type: the LLVM type of operands that are floats, and of the result.
        name: the intrinsic.
        operands: its arguments: the number of a source, or a constant with its type.
    """

    operation: str
    type: str
    name: str
    operands: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class MultiplyAdd:
    """What multiplies two vectors of numbers and adds the products to the lanes of a vector of sums.

    Attributes:
        name: its mnemonic, and then what registers it takes.
        intrinsic: LLVM's function of sums and operands; LLVM's own fma of floats if empty.
        operands: LLVM's type of both operands, a vector with as many bits as one of sums; that if empty.
        sum_register: LLVM's letter for a register of sums, if the intrinsic multiplies alone and another
            instruction adds; else empty.
        widen: LLVM's function of two vectors of 16 bits that adds pairs of products, where the intrinsic
            gives products of 16 bits; else empty.
        steps: of so many steps such products are added in 16 bits before they are widened.
    """

    name: str
    intrinsic: str = ""
    operands: str = ""
    sum_register: str = ""
    widen: str = ""
    steps: int = 1

    @property
    def mnemonic(self) -> str:
        """How assembly calls it."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class MatrixMultiply:
    """What multiplies two registers of rows and adds the product to a third one.

    All but `name` and `configuration` are LLVM's functions, which take registers by number.

    Attributes:
        name: its mnemonic.
        multiply: of the registers of sums, a and b.
        configure: of the address of `configuration`; all registers are zero afterwards.
        configuration: bytes that say how many rows of how many bytes each of the registers has.
        row_bytes_at: the first of its bytes that tell the bytes of rows, two a register.
        rows_at: the first of those that tell rows, one a register.
        release: gives the registers back.
        zero: of a register.
        load: of a register, an address, and how many bytes its rows are apart there.
        store: of the same.
        narrow: of two vectors of floats, those for the upper half first: the nearest numbers of half the
            bits, as one vector; empty if the registers hold what matrices hold.
    """

    name: str
    multiply: str
    configure: str
    configuration: bytes
    row_bytes_at: int
    rows_at: int
    release: str
    zero: str
    load: str
    store: str
    narrow: str = ""
