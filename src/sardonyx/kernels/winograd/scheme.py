"""The ways to compute a convolution by transforms: which window, how many outputs a tile, of what numbers.

Decides which there are; must not know sizes, machines or kernels.
"""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.dtype import DType
from sardonyx.base.tile import MatrixTile
from sardonyx.kernels.winograd.cook_toom import (
    Transforms,
    stepped_transforms,
    transforms,
    whole_transforms,
)

LARGEST_SAMPLE = 255
"""The magnitude of integers: what convolutions in 16 bits are given are bytes, and differences of two."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """Tiles of `outputs` lines and pixels under windows of `taps` lines and pixels.

    A window of one line is transformed along pixels alone. Samples are floats, or integers of at most
    LARGEST_SAMPLE; points of integers are multiplied in 16 bits, and summed modulo 2^32. Those of floats are
    multiplied by vectors, or by a `tile` of matrix registers. Windows of neighbouring outputs are one or two
    pixels apart, a `step`.
    """

    outputs: tuple[int, int]
    taps: tuple[int, int]
    samples: DType = dt.F32
    tile: MatrixTile | None = None
    step: int = 1

    @property
    def name(self) -> str:
        """What symbols say, the operands of products last."""
        sizes = "of".join("x".join(map(str, sizes)) for sizes in (self.outputs, self.taps))
        sizes += f"by{self.step}" if self.step > 1 else ""
        numbers = self.tile.name if self.tile else self.samples.name
        return "_".join(dict.fromkeys((sizes, numbers, self.operand)))

    @property
    def operand(self) -> str:
        """What products take."""
        return "f32" if self.samples is dt.F32 else "i16"

    @property
    def is_whole(self) -> bool:
        """Whether numbers are integers."""
        return self.samples is not dt.F32

    @property
    def text(self) -> str:
        """For readers, as the literature has it."""
        lines, pixels = self.outputs
        if not self.has_lines:
            return f"F({pixels}, {self.taps[1]})"
        window = "" if self.taps == (3, 3) else ", {}x{}".format(*self.taps)
        return f"F({lines}x{pixels}{window}{f' by {self.step}' if self.step > 1 else ''})"

    @property
    def has_lines(self) -> bool:
        """Whether lines are transformed too."""
        return self.down.inputs > 1

    @property
    def down(self) -> Transforms:
        """The transforms along lines."""
        return self._transforms(0)

    @property
    def across(self) -> Transforms:
        """The transforms along pixels."""
        return self._transforms(1)

    def _transforms(self, axis: int) -> Transforms:
        made = whole_transforms if self.is_whole else transforms if self.step == 1 else stepped_transforms
        return made(self.outputs[axis], self.taps[axis])

    @property
    def divisor(self) -> int:
        """What sums of products are multiples of."""
        return self.down.divisor * self.across.divisor

    @property
    def points(self) -> int:
        """Products of a tile."""
        return self.down.inputs * self.across.inputs

    @property
    def pixels(self) -> int:
        """Outputs of a tile."""
        return self.outputs[0] * self.outputs[1]


SQUARES = {n: Scheme((n, n), (3, 3)) for n in (2, 4)}
"""Those of windows of 3x3, by outputs along an axis."""

WHOLE_SQUARES = {of: {n: Scheme((n, n), (3, 3), of) for n in SQUARES} for of in (dt.I16, dt.U8)}
"""Those of integers, by what samples are."""

FIVES = (Scheme((2, 2), (5, 5)),)
"""Those of windows of 5x5: as many points as of the larger tiles of 3x3."""

STEPPED = tuple(Scheme((n, n), (3, 3), step=2) for n in SQUARES)
"""Those of windows of 3x3 two pixels apart."""

ROWS = {taps: Scheme((1, outputs), (1, taps)) for taps, outputs in ((3, 4), (5, 4), (7, 2))}
"""Those of windows of one line, by taps."""

_ON_REGISTERS = (*SQUARES.values(), *ROWS.values())
FLOATS = (*_ON_REGISTERS, *FIVES, *STEPPED)
WHOLE = tuple(scheme for squares in WHOLE_SQUARES.values() for scheme in squares.values())
ALL = (*FLOATS, *WHOLE)


def on_registers(tile: MatrixTile) -> tuple[Scheme, ...]:
    """Those of floats whose points a tile of matrix registers multiplies."""
    return tuple(replace(scheme, tile=tile) for scheme in _ON_REGISTERS)
