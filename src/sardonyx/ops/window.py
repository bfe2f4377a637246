"""`Window`: kernel sizes, strides, dilations, pads and output sizes of convolutions and pools, in one place.

Knows ONNX's rules of padding and rounding; must not know what happens inside a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.data_size import decided_by_feeds
from sardonyx.ir.premise import natural
from sardonyx.ir.value import Shape
from sardonyx.ops.table import Attributes

_MOST_TAPS = 1 << 24
Ints = Sequence[int]
Pads = Sequence[Dim]
"""All begins, then all ends; in a model they are numbers."""


@dataclass(frozen=True, slots=True)
class Steps(Attributes):
    """How a window moves: ONNX's attributes for the spatial axes, empty ones as ones and zeros."""

    dilations: Ints = ()
    pads: Pads = ()
    strides: Ints = ()


@dataclass(frozen=True, slots=True)
class Sliding(Steps):
    """How a window moves whose pads may follow from the sizes."""

    auto_pad: str = "NOTSET"


STEPS, SLIDING = Steps(), Sliding()
"""One position after the other, without pads."""


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over the spatial axes; `out` counts its positions, `low` and `high` are the pads.

    `asked` are the high pads that the attributes ask for; the last window may reach further, or less far.
    """

    kernel: Shape
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    low: Shape
    high: Shape
    asked: Shape
    out: Shape

    @staticmethod
    def of(
        spatial: Shape,
        kernel: Sequence[Dim],
        moves: Steps = STEPS,
        ceil_mode: int = 0,
        cut: bool = False,
    ) -> Window:
        """The window of ONNX's attributes over axes of sizes `spatial`.

        With `ceil_mode` the high pads are what the last window needs: less than nothing if that is known.
        With `cut` so are those of an axis that is too short for one window, but not by a whole stride.
        Raises ShapeError if an attribute has another length than `spatial`.
        """
        rank = len(spatial)
        steps = tuple(moves.strides) or (1,) * rank
        gaps = tuple(moves.dilations) or (1,) * rank
        borders = tuple(moves.pads) or (0,) * (2 * rank)
        auto_pad = moves.auto_pad if isinstance(moves, Sliding) else "NOTSET"
        for what, given, length in (
            ("kernel_shape", kernel, rank),
            ("strides", steps, rank),
            ("dilations", gaps, rank),
            ("pads", borders, 2 * rank),
        ):
            if len(given) != length:
                raise ShapeError(f"{what} {list(given)} must have {length} entries for {rank} spatial axes")
        if any(isinstance(k, int) and k < 0 for k in kernel):
            raise ShapeError(f"kernel_shape {list(kernel)} must not be negative")
        if prod(k for k in kernel if isinstance(k, int)) > _MOST_TAPS:
            raise ShapeError(f"kernel_shape {list(kernel)} has more than {_MOST_TAPS} places")
        if any(s < 1 for s in (*steps, *gaps)):
            raise ShapeError(f"strides {list(steps)} and dilations {list(gaps)} must be positive")
        rows = []
        for a in range(rank):
            extent = (kernel[a] - 1) * gaps[a] + 1
            before, after = borders[a], borders[a + rank]
            row = _along(spatial[a], extent, steps[a], before, after, auto_pad, bool(ceil_mode), cut)
            what = f"a window of {extent} does not fit into axis {a + 2} of {spatial[a]} with its pads"
            rows.append((*row[:3], natural(row[3], what)))
        low, high, asked, out = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Window(tuple(kernel), steps, gaps, low, high, asked, out)

    def along(self, axis: int, spatial: Shape) -> Window:
        """The window that slides along one axis alone, over axes of sizes `spatial`."""

        def alone(own: Sequence[Dim], other: Sequence[Dim]) -> Shape:
            return (*other[:axis], own[axis], *other[axis + 1 :])

        ones, zeros = (1,) * len(spatial), (0,) * len(spatial)
        low, high, asked = (alone(pads, zeros) for pads in (self.low, self.high, self.asked))
        strides, dilations = (
            (*ones[:axis], steps[axis], *ones[axis + 1 :]) for steps in (self.strides, self.dilations)
        )
        out = alone(self.out, spatial)
        return Window(alone(self.kernel, ones), strides, dilations, low, high, asked, out)

    @property
    def padded(self) -> bool:
        """Whether any window may reach outside of the data."""
        return any(p != 0 for p in (*self.low, *self.high))

    @property
    def past_pads(self) -> bool:
        """Whether a window may reach beyond the pads that were asked for."""
        return any(dims.at_least(p, q) is not True for p, q in zip(self.asked, self.high, strict=True))


def _along(
    n: Dim, extent: Dim, step: int, lo: Dim, hi: Dim, auto_pad: str, ceil_mode: bool, cut: bool
) -> tuple[Dim, Dim, Dim, Dim]:
    match auto_pad:
        case "SAME_UPPER" | "SAME_LOWER":
            count = dims.ceildiv(n, step)
            total = dims.maximum((count - 1) * step + extent - n, 0)
            half = dims.floordiv(total, 2)
            low, high = (half, total - half) if auto_pad == "SAME_UPPER" else (total - half, half)
            return low, high, high, count
        case "VALID":
            lo = hi = 0
        case "NOTSET" | "":
            pass
        case _:
            raise ShapeError(f"auto_pad {auto_pad!r} must be NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    room = n + (lo + hi) - extent
    if not ceil_mode and not (cut and isinstance(room, int) and room < 0):
        lacking = _lacking(room, step, n + lo) if cut and not decided_by_feeds(room) else 0
        return lo, hi + lacking, hi, dims.floordiv(room + lacking, step) + 1
    count = dims.ceildiv(room, step) + 1
    if dims.at_least(extent, hi + step) is not True:
        # A window that would start in the high pad is left out.
        count = dims.minimum(count, dims.ceildiv(n + lo, step))
    high = (count - 1) * step + extent - n - lo
    if isinstance(count, int) and count <= 0:
        # What is left to slide over has no negative size.
        high = dims.maximum(high, -n - lo)
    return lo, dims.maximum(high, 0) if dims.at_least(high, 0) is None else high, hi, count


def _lacking(room: Dim, step: int, begins: Dim) -> Dim:
    """What an axis lacks for one window, if that is less than a stride and there is anything to begin at."""
    if dims.at_least(room, 0) is True:
        return 0
    return dims.minimum(dims.maximum(0 - room, 0), (step - 1) * dims.minimum(begins, 1))
