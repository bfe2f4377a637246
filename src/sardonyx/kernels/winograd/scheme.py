"""The ways to compute a convolution by transforms: which window, how many outputs a tile.

Decides which there are; must not know sizes, machines or kernels.
"""

from __future__ import annotations

from sardonyx.base.dataclass import dataclass
from sardonyx.kernels.winograd.cook_toom import Transforms, transforms


@dataclass(frozen=True, slots=True)
class Scheme:
    """Tiles of `outputs` lines and pixels under windows of `taps` lines and pixels.

    A window of one line is transformed along pixels alone.
    """

    outputs: tuple[int, int]
    taps: tuple[int, int]

    @property
    def name(self) -> str:
        """What symbols say."""
        return "of".join("x".join(map(str, sizes)) for sizes in (self.outputs, self.taps))

    @property
    def text(self) -> str:
        """For readers, as the literature has it."""
        lines, pixels = self.outputs
        return f"F({lines}x{pixels})" if self.has_lines else f"F({pixels}, {self.taps[1]})"

    @property
    def has_lines(self) -> bool:
        """Whether lines are transformed too."""
        return self.down.inputs > 1

    @property
    def down(self) -> Transforms:
        """The transforms along lines."""
        return transforms(self.outputs[0], self.taps[0])

    @property
    def across(self) -> Transforms:
        """The transforms along pixels."""
        return transforms(self.outputs[1], self.taps[1])

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

ROWS = {taps: Scheme((1, outputs), (1, taps)) for taps, outputs in ((3, 4), (5, 4), (7, 2))}
"""Those of windows of one line, by taps."""

ALL = (*SQUARES.values(), *ROWS.values())
