"""Resize and Upsample: separable, axis after axis, each a weighted sum of gathers at computed places.

Known sizes give constant tables of indices and weights; whole-number nearest upscaling is a view.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.assumed import assumed
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, const, dim_value, dims_vector, iota, scalar
from sardonyx.ops import operands
from sardonyx.ops.onnx.sampling import cubic_curve, cubic_weights
from sardonyx.ops.operands import needs_size
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints


@dataclass(frozen=True, slots=True)
class Policy:
    """How places between pixels are computed; the attributes of Resize."""

    mode: str = "nearest"
    transform: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation: float = 0.0


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis to resize: sizes before and after, and the scale (a rank-0 f32 value).

    `ratio` are a size before and one after whose quotient the scale is, as far as f32 can tell.
    """

    number: int
    n: Dim
    out: Dim
    scale: Value
    roi: tuple[Value, Value] | None = None
    ratio: tuple[Dim, Dim] | None = None

    @property
    def known_scale(self) -> float | None:
        """The scale as a number, if it is known."""
        return (
            float(self.scale.data.item())
            if self.scale.is_numeric_const and self.scale.data is not None
            else None
        )

    @property
    def grows(self) -> bool:
        """Whether the axis becomes longer, as far as scales or sizes tell."""
        known = self.known_scale
        return assumed(self.out) > assumed(self.n) if known is None else known > 1

    @property
    def factor(self) -> int | None:
        """The whole number by which the axis grows, if it surely does."""
        ratio = dims.floordiv(self.out, self.n) if self.n != 0 else None
        if not isinstance(ratio, int) or ratio < 1 or self.n * ratio != self.out:
            return None
        known = self.known_scale
        return ratio if known is None or known == ratio else None


def resize_axes(x: Value, axes: Sequence[Axis], policy: Policy) -> Value:
    """Resize each axis in turn; integer tensors are computed in f32 and truncated back."""
    axes = [a for a in axes if a.factor != 1 or a.roi is not None]
    if policy.mode == "nearest" and policy.transform != "tf_crop_and_resize":
        repeated = [a for a in axes if _repeats(a, policy)]
        x = _repeat(x, {a.number: a.factor or 1 for a in repeated})
        for axis in axes:
            if axis not in repeated:
                x = x.gather(_clamped(_rounded(_place(axis, policy), axis, policy), axis.n), axis.number)
        return x
    dtype = x.dtype
    y = x.cast(dt.F64 if dtype is dt.F64 else dt.F32)
    for axis in _smallest_first(axes):
        y = _blend(y, axis, policy)
    if dtype.is_int:
        info = np.iinfo(dtype.numpy)
        y = y.max(float(info.min)).min(float(info.max))
    return y.cast(dtype)


def _smallest_first(axes: Sequence[Axis]) -> list[Axis]:
    """The order that keeps few elements, and rows short: axes that grow come last, the inner ones first."""
    grow = [a.grows for a in axes]
    rest = [a for a, grows in zip(axes, grow, strict=True) if not grows]
    return [*rest, *(a for a, grows in zip(reversed(axes), reversed(grow), strict=True) if grows)]


def _repeats(axis: Axis, policy: Policy) -> bool:
    if axis.factor is None:
        return False
    match policy.transform:
        case "asymmetric":
            return policy.rounding in ("floor", "simple") or (
                axis.factor == 2 and policy.rounding == "round_prefer_floor"
            )
        case "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric":
            return policy.rounding.startswith("round_prefer") and not (
                policy.transform == "pytorch_half_pixel" and axis.out == 1
            )
        case "tf_half_pixel_for_nn":
            return policy.rounding == "floor"
    return False


def _repeat(x: Value, factors: dict[int, int]) -> Value:
    """Each element of an axis repeated in place, by its factor."""
    if not factors:
        return x
    split = [s for a, n in enumerate(x.shape) for s in ((n, 1) if a in factors else (n,))]
    wide = [s for a, n in enumerate(x.shape) for s in ((n, factors[a]) if a in factors else (n,))]
    return x.reshape(split).broadcast(wide).reshape([n * factors.get(a, 1) for a, n in enumerate(x.shape)])


def _steps(n: Dim, dtype: DType = dt.F32) -> Value:
    return const(np.arange(n, dtype=dtype.numpy)) if isinstance(n, int) else iota((n,), 0, dtype)


def _number(n: Dim, dtype: DType = dt.F32) -> Value:
    return dim_value(n, dtype)


def _unscaled(x: Value, axis: Axis) -> Value:
    """A place over the scale; ties and whole numbers stay what they are where sizes make the scale."""
    if axis.ratio is None:
        return x / axis.scale
    before, after = axis.ratio
    return x * _number(before, x.dtype) / _number(after, x.dtype)


def _whole(axis: Axis, dtype: DType) -> Value:
    """The output size before it was rounded."""
    if axis.ratio is None:
        return axis.scale.cast(dtype) * _number(axis.n, dtype)
    before, after = axis.ratio
    return _number(axis.n, dtype) * _number(after, dtype) / _number(before, dtype)


def _place(axis: Axis, policy: Policy) -> Value:
    """The place in the input of every output element, [out].

    It is f64 where it is rounded, many depend on it, or it may lie outside.
    """
    decides = axis.ratio and (policy.mode == "nearest" or policy.antialias)
    dtype = dt.F64 if axis.roi or decides else dt.F32
    x, one = _steps(axis.out, dtype), _number(axis.out).le(scalar(1, dt.F32))
    match policy.transform:
        case "half_pixel":
            return _unscaled(x + 0.5, axis) - 0.5
        case "pytorch_half_pixel":
            place = _unscaled(x + 0.5, axis) - 0.5
            return one.where(place * 0.0, place)
        case "half_pixel_symmetric":
            middle = _number(axis.n, dtype) * 0.5
            offset = middle * (1.0 - _number(axis.out, dtype) / _whole(axis, dtype))
            return offset + _unscaled(x + 0.5, axis) - 0.5
        case "asymmetric":
            return _unscaled(x, axis)
        case "tf_half_pixel_for_nn":
            return _unscaled(x + 0.5, axis)
        case "align_corners":
            return x * (_number(axis.n, dtype) - 1.0) / _span(axis, dtype)
        case "tf_crop_and_resize" if axis.roi is not None:
            start, end = axis.roi
            last = _number(axis.n, dtype) - 1.0
            inner = x * (end - start) * last / _span(axis, dtype)
            middle = x * 0.0 + (end - start) * last * 0.5
            return one.where(middle, inner) + start * last
    raise UnsupportedOp(f"coordinate_transformation_mode {policy.transform!r} is not supported")


def _span(axis: Axis, dtype: DType) -> Value:
    """The unrounded output size less one; 1 where that is nothing."""
    span = _whole(axis, dtype) - 1.0
    return span.eq(0.0).where(scalar(1, dtype), span)


def _rounded(place: Value, axis: Axis, policy: Policy) -> Value:
    match policy.rounding:
        case "round_prefer_floor":
            return (place - 0.5).unary("ceil")
        case "round_prefer_ceil":
            return (place + 0.5).unary("floor")
        case "floor":
            return place.unary("floor")
        case "ceil":
            return place.unary("ceil")
        case "simple":
            return axis.scale.lt(1.0).where(place.unary("ceil"), place.unary("floor"))
    raise UnsupportedOp(f"nearest_mode {policy.rounding!r} is not supported")


def _clamped(place: Value, n: Dim) -> Value:
    return place.max(0.0).min(_number(n - 1, place.dtype)).cast(dt.I32)


def _neighbours(place: Value, axis: Axis, policy: Policy) -> list[tuple[Value, Value]]:
    """Places and weights of the elements around every place (2 for linear, 4 for cubic)."""
    before = place.unary("floor")
    ratio = place - before
    weights = [1.0 - ratio, ratio] if policy.mode == "linear" else cubic_weights(ratio, policy.cubic_a)
    places = [before + float(k) for k in range(0 if policy.mode == "linear" else -1, len(weights) // 2 + 1)]
    if policy.exclude_outside:
        last = _number(axis.n - 1, place.dtype)
        inside = [scalar(0, place.dtype).le(p).logical_and(p.le(last)) for p in places]
        weights = [ok.where(w, 0.0) for ok, w in zip(inside, weights, strict=True)]
        total = _total(weights)
        weights = [w / total.eq(0.0).where(scalar(1, place.dtype), total) for w in weights]
    return list(zip(places, weights, strict=True))


def _total(parts: Sequence[Value]) -> Value:
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def _antialiased(y: Value, place: Value, axis: Axis, policy: Policy) -> Value:
    """Each output as the weighted sum of the elements in its reach, the ends of the axis repeated."""
    reach = 1 if policy.mode == "linear" else 2
    shrunk = _shrinking(axis, place.dtype)
    first = (place - scalar(reach, place.dtype) / shrunk).unary("floor")
    taps = _most_taps(axis, reach)
    steps = first + _steps(taps, place.dtype).reshape((taps, 1))
    distance = ((steps - place) * shrunk).abs()
    near, far = cubic_curve(distance, policy.cubic_a)
    if policy.mode == "linear":
        weights = (1.0 - distance).max(0.0)
    else:
        weights = distance.le(1.0).where(near, distance.lt(2.0).where(far, 0.0))
    if policy.exclude_outside:
        last = _number(axis.n - 1, place.dtype)
        inside = scalar(0, place.dtype).le(steps).logical_and(steps.le(last))
        weights = inside.where(weights, 0.0)
    wide = [taps, axis.out] + [1] * (y.rank - axis.number - 1)
    weights = (weights / weights.sum(0)).cast(y.dtype).reshape(wide)
    terms = y.gather(_clamped(steps, axis.n), axis.number) * weights
    shape = [axis.out if a == axis.number else n for a, n in enumerate(y.shape)]
    return terms.sum(axis.number).reshape(shape)


def _shrinking(axis: Axis, dtype: DType) -> Value:
    """The scale where it shrinks, else 1; exact where sizes make it."""
    if axis.ratio is None:
        return axis.scale.min(1.0).cast(dtype)
    before, after = axis.ratio
    return (_number(after, dtype) / _number(before, dtype)).min(1.0)


def _most_taps(axis: Axis, reach: int) -> Dim:
    """How many elements an output reaches: however out was rounded, the scale is at least (out - 1/2) / n."""
    return dims.maximum(2 * reach, dims.ceildiv(4 * reach * axis.n, 2 * dims.maximum(axis.out, 1) - 1)) + 1


def _blend(y: Value, axis: Axis, policy: Policy) -> Value:
    place = _place(axis, policy)
    wide = tuple(axis.out if a == axis.number else 1 for a in range(y.rank))
    if policy.mode == "nearest":
        result = y.gather(_clamped(_rounded(place, axis, policy), axis.n), axis.number)
    elif policy.antialias:
        result = _antialiased(y, place, axis, policy)
    else:
        taps = _neighbours(place, axis, policy)
        result = _total(
            [y.gather(_clamped(p, axis.n), axis.number) * w.cast(y.dtype).reshape(wide) for p, w in taps]
        )
    if policy.transform != "tf_crop_and_resize":
        return result
    last = _number(axis.n - 1, place.dtype)
    outside = place.lt(0.0).logical_or(last.lt(place)).reshape(wide)
    return outside.where(scalar(policy.extrapolation, y.dtype), result)


def scaled(n: Dim, scale: float) -> Dim:
    """floor(n * scale), the product rounded to f32."""
    single = float(np.float32(scale))
    numerator, denominator = single.as_integer_ratio()
    if denominator <= 1 << 16 and not isinstance(n, int):
        return dims.floordiv(n * numerator, denominator)
    return dims.function("scaled", n, struct.unpack("<q", struct.pack("<d", single))[0])


def axes_by_scales(x: Value, scales: Value, axes: Sequence[int], roi: Value | None = None) -> list[Axis]:
    """The axes of a `scales` tensor: out = floor(n * scale)."""
    if not isinstance(scales.size, int):
        raise needs_size(scales.size, "the number of scales")
    if scales.size != len(axes):
        raise ShapeError(
            f"scales of shape {list(scales.shape)} must have one entry for each of the axes {list(axes)}"
        )
    scales = scales.cast(dt.F32).reshape((scales.size,))
    sizes = tuple(x.shape[a] for a in axes)
    if scales.is_numeric_const and scales.data is not None:
        out = tuple(scaled(n, float(s)) for n, s in zip(sizes, scales.data.reshape(-1), strict=True))
    else:
        out = operands.sizes(
            (dims_vector(sizes).cast(dt.F32) * scales).unary("floor").cast(dt.I64), "the scales"
        )
    return [
        Axis(a, sizes[i], out[i], _element(scales, i), _region(roi, i, len(axes))) for i, a in enumerate(axes)
    ]


def _element(vector: Value, index: int) -> Value:
    return vector.reshape((vector.size,)).slice((index,), (1,)).reshape(())


def _region(roi: Value | None, index: int, count: int) -> tuple[Value, Value] | None:
    if roi is None:
        return None
    return _element(roi.cast(dt.F64), index), _element(roi.cast(dt.F64), index + count)


def axes_by_sizes(
    x: Value, sizes: Value, axes: Sequence[int], keep: str = "stretch", roi: Value | None = None
) -> list[Axis]:
    """The axes of a `sizes` tensor: scale = out / n, or one scale for all if the aspect ratio is kept."""
    before = tuple(x.shape[a] for a in axes)
    if not isinstance(sizes.size, int):
        raise needs_size(sizes.size, "the number of sizes")
    if sizes.size != len(axes):
        raise ShapeError(
            f"sizes of shape {list(sizes.shape)} must have one entry for each of the axes {list(axes)}"
        )
    wanted = operands.sizes(sizes.reshape((sizes.size,)), "the sizes")
    pairs: list[tuple[Dim, Dim]] = list(zip(before, wanted, strict=True))
    if keep == "stretch":
        out, ratios = wanted, [_number(o) / _number(n) for n, o in pairs]
    else:
        each = sizes.cast(dt.F32) / dims_vector(before).cast(dt.F32)
        one = each.reduce("rmin" if keep == "not_larger" else "rmax", (0,))
        whole = (dims_vector(before).cast(dt.F32) * one + 0.5).unary("floor")
        out, ratios = operands.sizes(whole.cast(dt.I64), "the sizes"), [one.reshape(())] * len(axes)
        pairs = _kept(pairs, keep)
    return [
        Axis(a, before[i], out[i], ratios[i], _region(roi, i, len(axes)), pairs[i] if pairs else None)
        for i, a in enumerate(axes)
    ]


def _kept(pairs: Sequence[tuple[Dim, Dim]], keep: str) -> list[tuple[Dim, Dim]]:
    """For each axis the sizes that decide the scale of all; none if they are unknown."""
    known = [(n, o) for n, o in pairs if isinstance(n, int) and isinstance(o, int) and n > 0]
    if len(known) < len(pairs):
        return []
    choose = min if keep == "not_larger" else max
    return [choose(known, key=lambda pair: Fraction(pair[1], pair[0]))] * len(pairs)


@op("Resize", since=11)
def resize_11(
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Value:
    """Resize of all axes, without antialiasing."""
    return resize(
        x,
        roi,
        scales,
        sizes,
        coordinate_transformation_mode=coordinate_transformation_mode,
        cubic_coeff_a=cubic_coeff_a,
        exclude_outside=exclude_outside,
        extrapolation_value=extrapolation_value,
        mode=mode,
        nearest_mode=nearest_mode,
    )


@op("Resize", since=18)
def resize(
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
    *,
    antialias: int = 0,
    axes: Ints = (),
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Value:
    """x read at the places that `coordinate_transformation_mode` gives, between pixels as `mode` says."""
    numbers = [x.axis(a) for a in axes] or list(range(x.rank))
    region = roi if coordinate_transformation_mode == "tf_crop_and_resize" else None
    given = [v is not None and v.size != 0 for v in (scales, sizes)]
    if all(given):
        raise ShapeError("Resize takes scales or sizes, not both")
    if scales is not None and given[0]:
        plan = axes_by_scales(x, scales, numbers, region)
    elif sizes is not None and given[1]:
        plan = axes_by_sizes(x, sizes, numbers, keep_aspect_ratio_policy, region)
    else:
        raise ShapeError("Resize needs scales or sizes")
    policy = Policy(
        mode,
        coordinate_transformation_mode,
        nearest_mode,
        cubic_coeff_a,
        bool(exclude_outside),
        bool(antialias),
        extrapolation_value,
    )
    return resize_axes(x, plan, policy)


_OLD = {"nearest": "nearest", "linear": "linear", "bilinear": "linear"}


@op("Resize", since=10)
def resize_10(x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    """x read at out / scale; nearest rounds up when shrinking and down when growing."""
    return resize_axes(
        x, axes_by_scales(x, scales, range(x.rank)), Policy(_OLD[mode], "asymmetric", "simple")
    )


@op("Upsample")
def upsample_1(x: Value, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Value:
    """Upsample the two axes of an image."""
    if x.rank != 4:
        raise ShapeError(f"a tensor of shape {list(x.shape)}: images [N, C, H, W] are needed")
    return upsample_7(
        x, scales=(1.0, 1.0, height_scale, width_scale), mode="linear" if mode == "bilinear" else mode
    )


@op("Upsample", since=7)
def upsample_7(x: Value, *, scales: Sequence[float], mode: str = "nearest") -> Value:
    """Upsample by scales known in the model."""
    return resize_10(x, const(np.asarray(scales, dtype=np.float32)), mode=mode)


@op("Upsample", since=9)
def upsample(x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    """x read at out / scale."""
    return resize_10(x, scales, mode=mode)
