"""Operators that rename, reorder or repeat axes; all of them are index maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base.dim import Dim
from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value
from sardonyx.ops.demands import ranked
from sardonyx.ops.operands import axes as axes_of
from sardonyx.ops.operands import integer, integers, normal_axes, size, sizes, units
from sardonyx.ops.table import op

Ints = tuple[int, ...]


@op("Reshape", since=1)
def reshape_attribute(x: Value, *, shape: Ints = ()) -> Value:
    """The same elements under another shape."""
    return x.reshape(filled(x, shape, literal=True))


@op("Reshape", since=5)
def reshape(x: Value, shape: Value, *, allowzero: int = 0) -> Value:
    """The same elements under another shape; 0 keeps a size, -1 takes what is left."""
    literal = shape.is_numeric_const or _is_literal(shape)
    return x.reshape(
        filled(x, sizes(shape, "the input of sizes", -1 if literal else 0), literal, bool(allowzero))
    )


def filled(x: Value, wanted: tuple[Dim, ...], literal: bool, allowzero: bool = False) -> tuple[Dim, ...]:
    """The sizes that a Reshape means by `wanted`.

    `literal`: sizes unknown until run time may be 0 or -1 too. Computed sizes are taken as they are.
    """
    result: list[Dim] = []
    for axis, n in enumerate(wanted):
        if not allowzero and (isinstance(n, int) or literal):
            if n == 0 and axis >= x.rank:
                raise ShapeError(
                    f"shape {list(wanted)} keeps axis {axis}, which {list(x.shape)} does not have"
                )
            n = dims.where(dims.is_equal(n, 0), x.shape[axis], n) if axis < x.rank else n
        result.append(n)
    free = [a for a, n in enumerate(result) if n == -1]
    if len(free) > 1:
        raise ShapeError(f"shape {list(wanted)} leaves more than one size open")
    if not free and literal:
        free = [a for a, n in enumerate(result) if not isinstance(n, int) and dims.equal(n, -1) is None]
        return tuple(_rest(x, result, a) if a in free else n for a, n in enumerate(result))
    for axis in free:
        result[axis] = _left(x, result, axis)
    return tuple(result)


def _left(x: Value, shape: list[Dim], axis: int) -> Dim:
    known, whole = _beside(x, shape, axis, lambda n, size: n == size)
    return 0 if known == 0 else dims.floordiv(whole, known)


def _rest(x: Value, shape: list[Dim], axis: int) -> Dim:
    known, whole = _beside(x, shape, axis, dims.is_equal)
    left = dims.floordiv(whole, dims.maximum(known, 1))
    return dims.where(dims.is_equal(shape[axis], -1), left, shape[axis])


def _beside(x: Value, shape: list[Dim], axis: int, is_kept: Callable[[Dim, Dim], Dim]) -> tuple[Dim, Dim]:
    """The elements of the other axes, and those of `x`, but for axes that both have, which may be empty."""
    wanted = [1 if a == axis else n for a, n in enumerate(shape)]
    kept = [0 if a == axis else is_kept(n, x.shape[a]) for a, n in enumerate(wanted[: x.rank])]
    known, whole = (
        dims.product(dims.where(kept[a], 1, n) if a < len(kept) else n for a, n in enumerate(sizes))
        for sizes in (wanted, x.shape)
    )
    return known, whole


def _is_literal(shape: Value) -> bool:
    """Whether 0 and -1 mean more than a size in `shape`.

    They do where parts are fed, or differences of what is, and where Where chooses a constant of -1.
    """
    seen, left = set[tuple[int, bool]](), [(shape, False)]
    while left:
        value, is_choice = left.pop()
        if value.prim == "input" or (is_choice and value.is_numeric_const and np.any(value.data == -1)):
            return True
        if (value.id, is_choice) in seen:
            continue
        seen.add((value.id, is_choice))
        if value.prim == "where":
            left += [(branch, True) for branch in value.args[1:]]
        elif value.prim == "concat":
            left += [(part, is_choice) for part in value.args]
        elif value.kind in ("view", "index") and value.args:
            left.append((value.args[0], is_choice))
        elif value.prim in ("neg", "sub"):
            left += [(part, False) for part in value.args]
    return False


@op("Transpose", since=1)
def transpose(x: Value, *, perm: Ints | None = None) -> Value:
    """Axes in the order of `perm`, reversed by default."""
    return x.transpose(*(perm if perm is not None else reversed(range(x.rank))))


def squeezed(x: Value, axes: Ints | None) -> Value:
    """`x` without the given axes, which must have size 1; by default without all such axes."""
    if axes is None:
        are_units = units(x.shape, "whether a size to squeeze is 1")
        axes = tuple(axis for axis, is_unit in enumerate(are_units) if is_unit)
    for axis in axes:
        if dims.equal(x.shape[axis], 1) is False:
            raise ShapeError(f"axis {axis} of {list(x.shape)} does not have size 1")
    return x.reshape([n for a, n in enumerate(x.shape) if a not in axes])


@op("Squeeze", since=1)
def squeeze_attribute(x: Value, *, axes: Ints | None = None) -> Value:
    """Drop axes of size 1."""
    return squeezed(x, None if axes is None else normal_axes(axes, x.rank))


@op("Squeeze", since=13)
def squeeze(x: Value, axes: Value | None = None) -> Value:
    """Drop axes of size 1."""
    return squeezed(x, axes_of(axes, x))


def unsqueezed(x: Value, axes: Ints) -> Value:
    """`x` with axes of size 1 at these places of the result."""
    rest = iter(x.shape)
    return x.reshape([1 if a in axes else next(rest) for a in range(x.rank + len(axes))])


@op("Unsqueeze", since=1)
def unsqueeze_attribute(x: Value, *, axes: Ints) -> Value:
    """Insert axes of size 1."""
    return unsqueezed(x, normal_axes(axes, x.rank + len(axes)))


@op("Unsqueeze", since=13)
def unsqueeze(x: Value, axes: Value) -> Value:
    """Insert axes of size 1."""
    named = integers(axes, "axes")
    return unsqueezed(x, normal_axes(named, x.rank + len(named)))


@op("Flatten", since=1)
def flatten(x: Value, *, axis: int = 1) -> Value:
    """[product of sizes before `axis`, product of the rest]."""
    if not -x.rank <= axis <= x.rank:
        raise ShapeError(f"axis {axis} is out of range for shape {list(x.shape)}")
    axis = axis + x.rank if axis < 0 else axis
    return x.reshape((dims.product(x.shape[:axis]), dims.product(x.shape[axis:])))


@op("Expand", since=8)
def expand(x: Value, shape: Value) -> Value:
    """Repeat axes of size 1 so that the result broadcasts x with `shape`."""
    wanted = sizes(shape.reshape((shape.size,)), "the shape")
    return x.broadcast((1,) * (x.rank - len(wanted)) + wanted)


@op("Tile", since=1)
def tile_axis(x: Value, tiles: Value, axis: Value) -> Value:
    """Repeat one axis as a whole."""
    at = x.axis(integer(axis, "the axis"))
    return tiled(x, tuple(size(tiles, "tiles") if a == at else 1 for a in range(x.rank)))


@op("Tile", since=6)
def tile(x: Value, repeats: Value) -> Value:
    """Repeat each axis as a whole."""
    return tiled(x, sizes(repeats, "repeats"))


def tiled(x: Value, repeats: tuple[Dim, ...]) -> Value:
    """[n] -> [repeat, n] -> [repeat * n], for each axis."""
    if len(repeats) != x.rank:
        raise ShapeError(f"repeats {list(repeats)} do not fit the rank of {list(x.shape)}")
    split = [n for r, s in zip(repeats, x.shape, strict=True) for n in (r, s)]
    spread = x.reshape([n for s in x.shape for n in (1, s)]).broadcast(split)
    return spread.reshape([r * n for r, n in zip(repeats, x.shape, strict=True)])


@op("DepthToSpace", since=1)
def depth_to_space(x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """[N, C, H, W] -> [N, C / b², H * b, W * b]; blocks come before (DCR) or after (CRD) the channels."""
    ranked(x, "the input", 4)
    n, c, h, w = x.shape
    b, depth = blocksize, dims.floordiv(c, blocksize * blocksize)
    if mode == "DCR":
        y = x.reshape((n, b, b, depth, h, w)).transpose(0, 3, 4, 1, 5, 2)
    elif mode == "CRD":
        y = x.reshape((n, depth, b, b, h, w)).transpose(0, 1, 4, 2, 5, 3)
    else:
        raise UnsupportedOp(f'mode="{mode}"')
    return y.reshape((n, depth, h * b, w * b))


@op("SpaceToDepth", since=1)
def space_to_depth(x: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """[N, C, H, W] -> [N, C * b², H / b, W / b]."""
    ranked(x, "the input", 4)
    n, c, h, w = x.shape
    b = blocksize
    y = x.reshape((n, c, dims.floordiv(h, b), b, dims.floordiv(w, b), b))
    perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return y.transpose(*perm).reshape((n, c * (b * b), dims.floordiv(h, b), dims.floordiv(w, b)))


@op("Identity", since=1)
def identity(x: Value) -> Value:
    """x itself."""
    return x
