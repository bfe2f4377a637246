"""Whether a convolution is computed by transforms, and with which tiles: a model of the cycles of each way.

Decides by sizes, channels and the target's vectors, units and caches. Its constants were measured on a
server core with AVX-512 and 1.25 MB of L2, as it is and held to AVX2, from 16 to 512 channels and from 7 to
112 pixels, and on one with units of whole vectors; those of matrix registers on one with AMX and 2 MB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.digits import are_whole
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.ir.value import Value
from sardonyx.kernels.contents import allows
from sardonyx.kernels.convolution.choose import chosen as on_matrices
from sardonyx.kernels.convolution.choose import cycles_of, is_signal
from sardonyx.kernels.convolution.cost import Sizes, has_whole_units, peak, sizes_of
from sardonyx.kernels.convolution.matrix import chosen as bytes_on_matrices
from sardonyx.kernels.digits.numbers import filters_have_digits
from sardonyx.kernels.tiles.matrix import MatrixShape
from sardonyx.kernels.tiles.shape import BY_LEFT, TileShape
from sardonyx.kernels.winograd.blocking import blocking, packed_sizes
from sardonyx.kernels.winograd.scheme import (
    FIVES,
    LARGEST_SAMPLE,
    ROWS,
    SQUARES,
    STEPPED,
    WHOLE_SQUARES,
    Scheme,
)

DIRECT = None
"""The choice of direct sums."""

_FORCED = {"f2": 2, "f4": 4}
"""Outputs of a tile along an axis of a square window that the user asks for."""

_GAIN, _SMALL_GAIN = 1.2, 1.05
"""How many times faster than direct sums it must be: it takes more memory, and rounds more.

The latter where lines are transformed too, weights stay in L2, and units take all lanes of AVX-512.
"""

_BESIDE_REGISTERS = 1.05
"""How many times faster matrix registers must be said to multiply points than without transforms, or than
vectors multiply them: they take more memory, and round more.
"""

_CHAINS = 8
"""Sums of vectors that are under way at a time at the rate of many."""

_CACHED_BYTES = 8 << 20
"""Weights of at most so many are read from a shared cache."""


@dataclass(frozen=True, slots=True)
class _Rates:
    """What a core's vectors reach: `sums` of direct convolutions and `products` of points, of the peak.

    `point_cycles` are those for one point of a block of channels, to transform it along lines too or along
    pixels alone and keep it in L2, or to bring it back, `bytes_per_cycle` what is read from a shared cache or
    from memory.
    """

    sums: float
    products: float
    point_cycles: Mapping[bool, float]
    bytes_per_cycle: Mapping[bool, float]

    @staticmethod
    def of(target: Target) -> _Rates:
        """Those of a target."""
        return _WHOLE if has_whole_units(target) else _COMMON


_COMMON = _Rates(0.9, 0.85, {True: 10.0, False: 6.0}, {True: 5.0, False: 2.8})
_WHOLE = _Rates(0.99, 0.95, {True: 5.0, False: 3.0}, {True: 8.0, False: 6.0})
"""Where a machine tells that its units take all lanes of AVX-512."""

_WEIGHT_CYCLES = {True: 0.16, False: 0.1}
"""For a byte of weights to be read beside products, digits on matrix registers or floats on vectors: those of
a network do not stay in L2 from one run to the next."""

_SPILLED_CYCLES = 0.1
"""For a byte of digits that do not stay in L2."""

_ROW_CYCLES, _LEAST_ROWS = 1.75, 10
"""For a row of matrix registers to be multiplied; fewer rows wait for sums as long as these."""

_CALL_CYCLES = 230.0
"""For a register of columns, whatever its steps: its sums are stored and joined."""

_DIGIT_CYCLES, _SUM_CYCLES = 11.0, 1.0
"""For one point of a block of channels to be made and cut into digits, and for one of outputs to be brought
back."""


def chosen(anchor: Value, goal: Goal) -> Scheme | None:
    """Which tiles; DIRECT for direct sums."""
    if goal.policy.winograd == "off" or not _fits(anchor, goal):
        return DIRECT
    found = _asked(anchor, goal)
    if found is DIRECT or not _may_transform(anchor):
        return DIRECT
    if goal.policy.winograd == "auto" and bytes_on_matrices(anchor, goal):
        return DIRECT
    tile = on_matrices(anchor, goal)
    if tile is None:
        return found
    direct = cycles_of(anchor, tile, goal) if tile.terms > 1 else 0
    return found if _beside_registers(_sizes(anchor, [found]), found, goal) <= direct else DIRECT


def _beside_registers(sizes: Sizes, scheme: Scheme, goal: Goal) -> float:
    """What a scheme takes, to be compared with what matrix registers take."""
    taken = cycles(sizes, scheme, goal)
    if scheme.tile:
        return taken * _BESIDE_REGISTERS
    weights = blocking(sizes.channels, sizes.outputs, scheme, goal).traffic.weight_bytes
    return taken + weights * _WEIGHT_CYCLES[False]


def _sizes(anchor: Value, schemes: Sequence[Scheme]) -> Sizes:
    """Those of a group, with lines and pixels as the schemes have them, whose window may lie across."""
    sizes = sizes_of(anchor)
    sizes = replace(sizes, outputs=sizes.outputs // anchor.attrs["group"])
    if schemes and not schemes[0].has_lines and tuple(anchor.args[1].shape[2:]) != schemes[0].taps:
        return replace(sizes, lines=sizes.pixels, pixels=sizes.lines, steps=sizes.steps[::-1])
    return sizes


def _asked(anchor: Value, goal: Goal) -> Scheme | None:
    """Which tiles where its weights allow for any: most convolutions have none, and need not be looked at."""
    schemes = _with_registers(_schemes(anchor), anchor, goal)
    sizes = _sizes(anchor, schemes)
    forced = _FORCED.get(goal.policy.winograd)
    if forced is None:
        return fastest(sizes, schemes, goal)
    asked = [scheme for scheme in schemes if scheme.outputs == (forced, forced)] or schemes
    return min(asked, key=lambda scheme: cycles(sizes, scheme, goal)) if asked else DIRECT


def fastest(sizes: Sizes, schemes: Sequence[Scheme], goal: Goal) -> Scheme | None:
    """The choice that the model says takes the fewest cycles."""
    if not schemes:
        return DIRECT
    taken = _beside_registers if any(scheme.tile for scheme in schemes) else cycles
    best = min(schemes, key=lambda scheme: taken(sizes, scheme, goal))
    gain = direct_cycles(sizes, best, goal) / cycles(sizes, best, goal)
    return best if gain >= _least_gain(sizes, best, goal) else DIRECT


def _least_gain(sizes: Sizes, scheme: Scheme, goal: Goal) -> float:
    """How many times faster than direct sums a scheme must be."""
    weights = blocking(sizes.channels, sizes.outputs, scheme, goal).traffic.weight_bytes
    is_small = scheme.has_lines and weights <= goal.target.l2_bytes
    return _SMALL_GAIN if is_small and has_whole_units(goal.target) else _GAIN


def direct_cycles(sizes: Sizes, scheme: Scheme, goal: Goal) -> float:
    """What direct sums take where a scheme would serve."""
    sums = sizes.batch * sizes.lines * sizes.pixels * sizes.outputs
    most = peak(goal.tile(BY_LEFT[scheme.samples]), goal)
    return sums * math.prod(scheme.taps) * sizes.channels / (most * _Rates.of(goal.target).sums)


def cycles(sizes: Sizes, scheme: Scheme, goal: Goal) -> float:
    """What a scheme takes: the longer of its arithmetic and of reading what does not stay in L2.

    Matrix registers multiply about as fast as weights are read, so that both count.
    """
    tile = goal.tile(scheme.operand)
    along = zip((sizes.lines, sizes.pixels), scheme.outputs, sizes.steps, strict=True)
    tiles = sizes.batch * math.prod(step * math.ceil(size / (n * step)) for size, n, step in along)
    cut = blocking(sizes.channels, sizes.outputs, scheme, goal)
    points = scheme.points * tiles / 16
    if scheme.tile:
        products = scheme.points * _on_registers(sizes, tiles, scheme, goal)
        transformed = points * (sizes.channels * _DIGIT_CYCLES + sizes.outputs * _SUM_CYCLES)
        weights = max(cut.traffic.weights_of(tiles, cut.tiles), cut.traffic.weight_bytes)
        spilled = cut.traffic.spilled_of(tiles, cut.tiles)
        return transformed + products + weights * _WEIGHT_CYCLES[True] + spilled * _SPILLED_CYCLES
    rates = _Rates.of(goal.target)
    moved = points * (sizes.channels / tile.k_step + sizes.outputs)
    transformed = moved * rates.point_cycles[scheme.has_lines]
    cached = cut.traffic.weight_bytes <= _CACHED_BYTES
    memory = cut.traffic.bytes_of(tiles, cut.tiles) / rates.bytes_per_cycle[cached]
    waiting = max(1, _CHAINS / (tiles * tile.vectors))
    rate = peak(tile, goal) * rates.products
    summed = tiles * sizes.channels * sizes.outputs * waiting / rate
    return max(scheme.points * summed + transformed, memory)


def _on_registers(sizes: Sizes, tiles: int, scheme: Scheme, goal: Goal) -> float:
    """What the products of one point take on matrix registers."""
    assert scheme.tile is not None
    matrix = MatrixShape(scheme.tile)
    channels, outputs = packed_sizes(sizes.channels, sizes.outputs, scheme, goal)
    steps, columns = channels // matrix.k_step, outputs // scheme.tile.rows
    calls = math.ceil(tiles / scheme.tile.rows)
    rows = max(_LEAST_ROWS, tiles / calls)
    return calls * columns * (rows * steps * len(matrix.terms) * _ROW_CYCLES + _CALL_CYCLES)


def _fits(anchor: Value, goal: Goal) -> bool:
    """Whether the kernels can compute it; a panel of weights must hold whole blocks of channels."""
    shape = TileShape.of(goal, "f32")
    if shape.columns % shape.block:
        return False
    x, w, *laid_out = anchor.args
    at = anchor.attrs
    if (
        anchor.prim != "conv_blocked"
        or "missing" in at
        or x.rank != 5
        or laid_out
        or w.data is None
        or not w.data.size
    ):
        return False
    is_stepped = at["strides"] == (2, 2)
    if is_stepped and (at["dilations"] != (1, 1) or tuple(w.shape[2:]) != (3, 3)):
        return False
    if not is_stepped and at["strides"] != (1, 1):
        return False
    if at["group"] > 1 and not _has_whole_groups(anchor, shape):
        return False
    is_rare = is_stepped or at["group"] > 1 or tuple(w.shape[2:]) == FIVES[0].taps
    if is_rare and any(goal.find_matrix(operand) for operand in ("f32", "fixed24")):
        return False
    if x.dtype in WHOLE_SQUARES:
        return int(at["group"]) == 1 and not is_stepped
    return anchor.dtype is dt.F32 and x.dtype is dt.F32 and goal.policy.may_transform


def _has_whole_groups(anchor: Value, shape: TileShape) -> bool:
    """Whether each group reads whole blocks of channels, in order, and gives whole panels."""
    w, at = anchor.args[1], anchor.attrs
    outputs, channels = (int(n) for n in w.shape[:2])  # type: ignore[arg-type]
    are_full = channels % shape.block == 0 and outputs // int(at["group"]) % shape.columns == 0
    return are_full and not at.get("runs")


def _schemes(anchor: Value) -> Sequence[Scheme]:
    """Those of its window: of a square one, or of one that is one line or one pixel wide."""
    x, w = anchor.args
    lines, pixels = (int(n) for n in w.shape[2:])  # type: ignore[arg-type]
    is_square = (lines, pixels) == (3, 3)
    if whole := WHOLE_SQUARES.get(x.dtype):
        assert w.data is not None
        return tuple(scheme for scheme in whole.values() if is_square and is_exact(scheme, w.data))
    if anchor.attrs["strides"] == (2, 2):
        return STEPPED
    if is_square:
        return tuple(SQUARES.values())
    if (lines, pixels) == FIVES[0].taps:
        return FIVES
    row = ROWS.get(max(lines, pixels)) if 1 in (lines, pixels) else None
    return (row,) if row else ()


def _with_registers(schemes: Sequence[Scheme], anchor: Value, goal: Goal) -> Sequence[Scheme]:
    """Those, and those of floats on matrix registers whose numbers are digits, if these serve."""
    tile, (x, w) = goal.find_matrix("fixed24"), anchor.args
    if tile is None or goal.target.channel_block != tile.rows or x.dtype is not dt.F32 or is_signal(x):
        return schemes
    if not allows(w, filters_have_digits):
        return schemes
    return (*schemes, *(replace(scheme, tile=tile) for scheme in schemes))


def _may_transform(anchor: Value) -> bool:
    """Whether weights are integers, or finite and not whole: sums of whole numbers are to stay exact."""
    x, w = anchor.args
    if x.dtype in WHOLE_SQUARES:
        return True
    return allows(w, _are_finite_and_not_whole)


def _are_finite_and_not_whole(w: np.ndarray) -> bool:
    return bool(np.isfinite(w).all()) and not are_whole(w)


def is_exact(scheme: Scheme, w: np.ndarray) -> bool:
    """Whether transforms of integers lose nothing: points of w[OC, IC, 3, 3] fit 16 bits, sums fit 32."""
    wide = np.abs(w.astype(np.int64))
    growth = math.prod(max(sum(map(abs, row)) for row in t.weights) for t in (scheme.down, scheme.across))
    largest_sum = LARGEST_SAMPLE * int(wide.sum((1, 2, 3)).max(initial=0))
    even = scheme.divisor & -scheme.divisor
    return int(growth * int(wide.max(initial=0))) < 1 << 15 and largest_sum * even < 1 << 31
