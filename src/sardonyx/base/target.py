"""What a machine can do, as plain data; no behaviour, no detection."""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.instruction import Instruction
from sardonyx.base.relocation import Relocations
from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.errors import TargetError


@dataclass(frozen=True, slots=True)
class Prefetch:
    """What a contraction asks for before it reads it.

    A lone tile asks for weights so many bytes ahead, `few_bytes` if it has few rows; of several tiles each
    asks for a part of those that follow. With more than one of `streams` a lone tile of few rows reads up to
    so many stretches side by side, and asks for `few_bytes` ahead in each of them, or for none: a machine may
    follow them by itself, with more requests than loads and prefetches may have. With `rows`, a tile asks for
    the rows that it reads at the next entry of its table too: of blocks of channels, which are far apart, no
    machine guesses the next. With `far_rows` a tile does so if it is told that they do not lie in L2. All is
    brought to the cache `level`, 1 or 2; 0 = nothing is asked for.
    """

    level: int
    alone_bytes: int = 0
    few_bytes: int = 0
    streams: int = 1
    rows: bool = False
    far_rows: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One instruction set with the widths and tiles that kernels read.

    `lanes` is the vector width in elements of 32 bits, `tiles` the register tiles of contractions, the
    preferred first, `matrices` those of matrix registers, `channel_block` how many channels of a pixel lie
    side by side where convolutional parts run blocked, a power of two and whole vectors, `abreast` how many
    vectors long statements compute with alternating instructions: more of a chain of instructions than a
    processor looks ahead, and what is constant is read once for all of them. A unit that multiplies takes
    `unit_lanes` elements of 32 bits at a time, 0 = whole vectors as far as is known. `tuning` are
    settings of LLVM's code generator beside the features. `instructions` are those of the machine that
    functions of numbers ask for, `executor` is the part of the executor's text that is written for it,
    `relocations` says how its code is linked, and `windows_convention` is LLVM's name of the calls of C on
    Windows; these follow from the name.
    """

    name: str
    triple: str
    cpu: str
    features: tuple[str, ...]
    lanes: int
    tiles: tuple[RegisterTile, ...] = ()
    matrices: tuple[MatrixTile, ...] = ()
    prefetch: Prefetch = Prefetch(0)
    channel_block: int = 16
    abreast: int = 1
    l1_bytes: int = 32 << 10
    l2_bytes: int = 1 << 20
    unit_lanes: int = 0
    tuning: tuple[str, ...] = ()
    instructions: tuple[Instruction, ...] = field(default=(), repr=False, compare=False)
    executor: str | None = field(default=None, repr=False, compare=False)
    relocations: Relocations | None = field(default=None, repr=False, compare=False)
    windows_convention: str = field(default="ccc", repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise TargetError if kernels could not step through a block of channels by whole vectors."""
        block = self.channel_block
        if block < 1 or block & block - 1 or block % self.lanes:
            raise TargetError(
                f"{self.name}: blocks of {block} channels with vectors of {self.lanes}; "
                "a block must be a power of two and whole vectors"
            )

    @property
    def is_machine(self) -> bool:
        """Whether there is machine code for it; the reference target has none."""
        return bool(self.triple)

    def instruction(self, operation: str, type_: str = "") -> Instruction | None:
        """The instruction for an operation on an LLVM type, or on any; None if the machine has none."""
        found = (row for row in self.instructions if row.operation == operation)
        return next((row for row in found if type_ in ("", row.type)), None)

    def has(self, feature: str) -> bool:
        """Whether an LLVM feature such as `avx512bf16` is present."""
        return feature in self.features
