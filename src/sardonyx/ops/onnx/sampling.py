"""Reading a tensor between its elements: weighted sums of gathers; GridSample and AffineGrid.

Knows coordinates, weights and borders; must not know convolutions or resizing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.place import blocks
from sardonyx.ir.rows import is_row, picks_many
from sardonyx.ir.value import Value, dim_value, iota, make, map_, scalar
from sardonyx.ops.demands import ANY, at_least, ranked, shaped
from sardonyx.ops.operands import sizes
from sardonyx.ops.table import op


@dataclass(frozen=True, slots=True)
class Border:
    """What lies outside of the data: `zeros`, the `border` pixel, or a `reflection`."""

    mode: str = "zeros"
    align_corners: bool = False

    def place(self, p: Value, n: Dim) -> Value:
        """A real place along an axis of size n, brought inside where the mode says so."""
        if self.mode == "border":
            inside = p.max(0.0).min(dim_value(n - 1, p.dtype))
            if self.align_corners:
                return inside
            # Up to half a pixel outside belongs to the outer pixels.
            near = scalar(-0.5, p.dtype).le(p).logical_and(p.le(dim_value(n, p.dtype) - 0.5))
            return near.where(p, inside)
        return self._reflected(p, n) if self.mode == "reflection" else p

    def pixel(self, place: Value, n: Dim) -> tuple[Value, Value | None]:
        """The element number (int32, in range) of an integral place, and whether it exists (None: always).

        That of NaN is 0.
        """
        last = dim_value(n - 1, place.dtype)
        exists = None
        if self.mode == "zeros":
            exists = scalar(0, place.dtype).le(place).logical_and(place.le(last))
        elif self.mode == "reflection":
            place = self._reflected(place, n)
        return place.max(0.0).min(last).cast(dt.I32).max(0), exists

    def _reflected(self, p: Value, n: Dim) -> Value:
        low = 0.0 if self.align_corners else -0.5
        span = dim_value(n - 1 if self.align_corners else n, p.dtype).max(1.0)
        t = map_("fmod", (p - low).abs(), span * 2.0)
        return t.le(span).where(t, span * 2.0 - t) + low


def cubic_curve(x: Value, a: float) -> tuple[Value, Value]:
    """Keys' kernel at distance x: the piece for x up to 1, and the piece from 1 to 2."""
    near = (x * (a + 2) - (a + 3)) * x * x + 1.0
    far = ((x * a - 5 * a) * x + 8 * a) * x - 4 * a
    return near, far


def cubic_weights(ratio: Value, a: float) -> list[Value]:
    """Weights of the neighbours -1, 0, 1, 2 of a place `ratio` after neighbour 0."""
    near, far = 0, 1
    return [
        cubic_curve(ratio + 1.0, a)[far],
        cubic_curve(ratio, a)[near],
        cubic_curve(1.0 - ratio, a)[near],
        cubic_curve(2.0 - ratio, a)[far],
    ]


def _taps(place: Value, n: Dim, mode: str, border: Border) -> list[tuple[Value, Value]]:
    if mode == "nearest":
        index, exists = border.pixel(place, n)
        one = scalar(1, place.dtype)
        return [(index, one if exists is None else exists.where(one, 0.0))]
    first = place.unary("floor")
    ratio = place - first
    weights = [1.0 - ratio, ratio] if mode == "linear" else cubic_weights(ratio, -0.75)
    taps = []
    for offset, weight in enumerate(weights, 0 if mode == "linear" else -1):
        index, exists = border.pixel(first + float(offset), n)
        taps.append((index, weight if exists is None else exists.where(weight, 0.0)))
    return taps


def _side_by_side(x: Value, axis: int) -> bool:
    """Whether elements along the axis lie side by side where x, or what it is a view of, was made."""
    while x.args and x.data is None:
        source = x.args[0]
        match x.prim:
            case "transpose":
                axis = x.attrs["perm"][axis]
            case "reshape":
                runs = next((r for r in blocks(source.shape, x.shape) or () if axis in r[1]), None)
                if runs is None or runs[1][-1] != axis:
                    return False
                axis = runs[0][-1]
            case "slice":
                if x.attrs["step"][axis] != 1:
                    return False
            case _:
                if x.kind != "map" or source.shape != x.shape:
                    break
        x = source
    return all(n == 1 for n in x.shape[axis + 1 :])


def _reads_pixels(x: Value, points: Dim, pixels: Dim, mode: str) -> bool:
    """Whether x[n, g, c, *] is read a pixel at a time, all channels of it."""
    if not is_row(x.shape[2]):
        return False
    return _side_by_side(x, 2) or (mode != "nearest" and picks_many(points, pixels))


def sample(x: Value, places: Sequence[Value], mode: str, border: Border, scale: Value | None = None) -> Value:
    """x[n, g, c, *] read at places[a][n, g, p...] along each spatial axis a: y[n, g, c, p...].

    `mode` is nearest (places are integral), linear or cubic. What is read at a point is multiplied by
    scale[n, g, p...].
    """
    n, g, c, *spatial = x.shape
    points = places[0].shape[2:]
    count, pixels = dims.product(points), dims.product(spatial)
    at_least(pixels, dims.minimum(count, 1), "a picture has too few pixels to be read at any point")
    flat = x.reshape((n, g, c, pixels))
    by_pixel = _reads_pixels(x, count, pixels, mode)
    rows = flat.transpose(0, 1, 3, 2) if by_pixel else flat
    total: Value | None = None
    axes = [_taps(p, size, mode, border) for p, size in zip(places, spatial, strict=True)]
    for taps in itertools.product(*axes):
        index, weight = taps[0]
        for (i, w), size in zip(taps[1:], spatial[1:], strict=True):
            index, weight = index * dim_value(size, dt.I32) + i, weight * w
        weight = weight.broadcast((*places[0].shape[:2], *points))
        if by_pixel:
            index, weight = index.reshape((n, g, *points, 1)), weight.reshape((n, g, *points, 1))
            pixel = make("gather_nd", (rows, index), {"batch_dims": 2}, x.dtype, (n, g, *points, c))
        else:
            spread = index.reshape((n, g, 1, count)).broadcast((n, g, c, count))
            weight = weight.reshape((n, g, 1, count))
            pixel = make("gather_elements", (flat, spread), {"axis": 3}, x.dtype, (n, g, c, count))
        part = pixel * weight.cast(x.dtype)
        total = part if total is None else total + part
    assert total is not None
    if scale is not None:
        total = total * scale.reshape((n, g, *points, 1) if by_pixel else (n, g, 1, count))
    last = 2 + len(points)
    return total.transpose(0, 1, last, *range(2, last)) if by_pixel else total.reshape((n, g, c, *points))


def linear_sample(x: Value, places: Sequence[Value], scale: Value | None) -> Value:
    """`sample` between pixels, with zeros outside."""
    return sample(x, places, "linear", Border(), scale)


_MODES = {
    "bilinear": "linear",
    "bicubic": "cubic",
    "linear": "linear",
    "cubic": "cubic",
    "nearest": "nearest",
}


@op("GridSample", since=16)
def grid_sample(
    x: Value, grid: Value, *, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros"
) -> Value:
    """x read at the places of `grid` (-1 to 1 over each spatial axis, last axis first)."""
    if mode not in _MODES or padding_mode not in ("zeros", "border", "reflection"):
        raise UnsupportedOp(f"GridSample with mode {mode!r}, padding_mode {padding_mode!r} is not supported")
    border = Border(padding_mode, bool(align_corners))
    ranked(x, "the input", 3, ANY)
    rank = x.rank - 2
    ranked(grid, "the grid", x.rank)
    points = grid.shape[1:-1]
    grid = shaped(grid, "the grid", x.shape[0], *points, rank)
    places = []
    for a in range(rank):
        size = x.shape[2 + a]
        column = grid.slice((0,) * (grid.rank - 1) + (rank - 1 - a,), (*grid.shape[:-1], 1))
        t = column.reshape((grid.shape[0], 1, *points)) + 1.0
        last = dim_value(size - 1, t.dtype)
        p = t * 0.5 * last if align_corners else (t * dim_value(size, t.dtype) - 1.0) * 0.5
        p = p.unary("round") if _MODES[mode] == "nearest" else p
        # Around a place beyond the border the taps of a cubic curve differ, until all are the outer pixel.
        beyond = padding_mode == "border" and _MODES[mode] == "cubic"
        places.append(p if beyond else border.place(p, size))
    y = sample(x.reshape((x.shape[0], 1, *x.shape[1:])), places, _MODES[mode], border)
    return y.reshape((x.shape[0], x.shape[1], *points))


@op("AffineGrid", since=20)
def affine_grid(theta: Value, size: Value, *, align_corners: int = 0) -> Value:
    """grid[n, p, :] = theta[n] @ (x, y, ..., 1) of every output position p, in -1 to 1."""
    n, _, *spatial = sizes(size, "the size")
    rank = len(spatial)
    if rank not in (2, 3):
        raise ShapeError(f"AffineGrid needs 4 or 5 sizes, not {rank + 2}")
    theta = shaped(theta, "theta", n, rank, rank + 1)
    total = theta.slice((0, 0, rank), (n, rank, 1)).reshape((n, rank, *(1,) * rank))
    for number, a in enumerate(reversed(range(rank))):
        along = iota([spatial[a] if b == a else 1 for b in range(rank)], a, theta.dtype)
        extent = dim_value(spatial[a], theta.dtype)
        steps = along * 2.0 / (extent - 1.0) if align_corners else (along * 2.0 + 1.0) / extent
        factor = theta.slice((0, 0, number), (n, rank, 1)).reshape((n, rank, *(1,) * rank))
        total = total + factor * (steps - 1.0)
    return total.broadcast((n, rank, *spatial)).transpose(0, *range(2, rank + 2), 1)
