"""`Window`: kernel sizes, strides, dilations, pads and output sizes of convolutions and pools, in one place.

Knows ONNX's rules of padding and rounding; must not know what happens inside a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError
from sardonyx.ir.value import Shape

Ints = Sequence[int]


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over the spatial axes; `out` counts its positions, `low` and `high` are the pads."""

    kernel: Shape
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    low: Shape
    high: Shape
    out: Shape

    @staticmethod
    def of(
        spatial: Shape,
        kernel: Sequence[Dim],
        strides: Ints = (),
        dilations: Ints = (),
        pads: Ints = (),
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
    ) -> Window:
        """The window of ONNX's attributes over axes of sizes `spatial`.

        With `ceil_mode` the high pads are what the last window needs: less than nothing if that is known.
        Raises ShapeError if an attribute has another length than `spatial`.
        """
        rank = len(spatial)
        steps = tuple(strides) or (1,) * rank
        gaps = tuple(dilations) or (1,) * rank
        borders = tuple(pads) or (0,) * (2 * rank)
        for what, given, length in (
            ("kernel_shape", kernel, rank),
            ("strides", steps, rank),
            ("dilations", gaps, rank),
            ("pads", borders, 2 * rank),
        ):
            if len(given) != length:
                raise ShapeError(f"{what} {list(given)} must have {length} entries for {rank} spatial axes")
        if any(s < 1 for s in (*steps, *gaps)):
            raise ShapeError(f"strides {list(steps)} and dilations {list(gaps)} must be positive")
        low: list[Dim] = []
        high: list[Dim] = []
        out: list[Dim] = []
        for a in range(rank):
            extent = (kernel[a] - 1) * gaps[a] + 1
            before, after = borders[a], borders[a + rank]
            lo, hi, count = _along(spatial[a], extent, steps[a], before, after, auto_pad, bool(ceil_mode))
            low.append(lo)
            high.append(hi)
            out.append(count)
        return Window(tuple(kernel), steps, gaps, tuple(low), tuple(high), tuple(out))

    @property
    def padded(self) -> bool:
        """Whether any window may reach outside of the data."""
        return any(p != 0 for p in (*self.low, *self.high))


def _along(
    n: Dim, extent: Dim, step: int, lo: int, hi: int, auto_pad: str, ceil_mode: bool
) -> tuple[Dim, Dim, Dim]:
    match auto_pad:
        case "SAME_UPPER" | "SAME_LOWER":
            count = dims.ceildiv(n, step)
            total = dims.maximum((count - 1) * step + extent - n, 0)
            half = dims.floordiv(total, 2)
            return (half, total - half, count) if auto_pad == "SAME_UPPER" else (total - half, half, count)
        case "VALID":
            lo = hi = 0
        case "NOTSET" | "":
            pass
        case _:
            raise ShapeError(f"auto_pad {auto_pad!r} is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if not ceil_mode:
        return lo, hi, dims.floordiv(n + (lo + hi) - extent, step) + 1
    count = dims.ceildiv(n + (lo + hi) - extent, step) + 1
    if dims.at_least(extent, hi + step) is not True:
        # A window that would start in the high pad is left out.
        count = dims.minimum(count, dims.ceildiv(n + lo, step))
    high = (count - 1) * step + extent - n - lo
    return lo, dims.maximum(high, 0) if dims.at_least(high, 0) is None else high, count
