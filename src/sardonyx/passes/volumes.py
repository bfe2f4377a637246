"""Convolutions of three and more spatial axes as ones of two: taps along the first axis become channels.

Two neighbouring axes along which a convolution does nothing are one axis. Otherwise each position of the
first axis is an image, whose channels are those of all positions that its taps reach. What is computed from
results one by one is computed of images, so that it stays part of the convolution. A convolution of single
pixels is a product as it lies, unless it multiplies small integers.
"""

from __future__ import annotations

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild
from sardonyx.ir.value import Shape, Value, make
from sardonyx.passes.decompose import has_few_rows
from sardonyx.passes.narrow import is_narrow

_SPATIAL = ("strides", "dilations", "low", "high")


def volumes(graph: Graph, goal: Goal) -> Graph:
    """Convolutions of three and more spatial axes as ones of two, but of single pixels or few channels."""
    return graph.map(_Volumes().rewrite) if "conv" in graph.primitives else graph


@dataclass(frozen=True, slots=True)
class _Images:
    """A tensor of rank 4, the steps by which such tensors are seen as volumes, and what they make of it."""

    value: Value
    steps: tuple[tuple[Shape, bool], ...] = ()

    def reshaped(self, shape: Shape, *, turned: bool = False) -> _Images:
        """The same seen in another shape, of which positions, if `turned`, come before channels."""
        return replace(self, steps=(*self.steps, (shape, turned)))

    def seen(self) -> Value:
        """The volume."""
        y = self.value
        for shape, turned in self.steps:
            y = y.reshape(shape)
            y = y.transpose(0, 2, 1, *range(3, y.rank)) if turned else y
        return y


class _Volumes:
    """What volumes of a graph are images of, by their ids."""

    def __init__(self) -> None:
        self.images: dict[int, _Images] = {}

    def rewrite(self, value: Value, args: tuple[Value, ...]) -> Value:
        """The value, over images if it is such a convolution or follows one."""
        value = rebuild(value, args)
        if value.rank < 5:
            return value
        found = self._mapped(value) if value.kind == "map" else _convolved(value)
        if found is None:
            return value
        made = found.seen()
        self.images[made.id] = found
        return made

    def _mapped(self, value: Value) -> _Images | None:
        """A map of images, numbers for all, and numbers for each channel."""
        known = next((self.images[a.id] for a in value.args if a.id in self.images), None)
        if known is None:
            return None
        parts = [self._part(arg, known) for arg in value.args]
        if any(part is None for part in parts):
            return None
        made = make(value.prim, tuple(p for p in parts if p), value.attrs, value.dtype, known.value.shape)
        return replace(known, value=made)

    def _part(self, arg: Value, like: _Images) -> Value | None:
        known = self.images.get(arg.id)
        if known is not None:
            return known.value if (known.steps, known.value.shape) == (like.steps, like.value.shape) else None
        if arg.rank == 0:
            return arg
        is_of_channels = all(n == 1 for n in (arg.shape[0], *arg.shape[2:]))
        return arg.reshape((1, arg.shape[1], 1, 1)) if is_of_channels else None


def _convolved(value: Value) -> _Images | None:
    """A convolution by images; None if it is something else."""
    if value.prim != "conv" or not value.args[1].is_const:
        return None
    if is_narrow(value):
        return _in_images(value)
    product = has_few_rows(value) or all(_is_idle(value, axis) for axis in range(value.rank - 2))
    return None if product or value.dtype is not dt.F32 else _in_images(value)


def _in_images(value: Value) -> _Images:
    """A convolution of rank 5 or more by convolutions of rank 4."""
    if value.rank == 4:
        return _Images(value)
    idle = [_is_idle(value, axis) for axis in range(value.rank - 2)]
    for axis in range(value.rank - 3):
        if idle[axis] and idle[axis + 1]:
            return _in_images(_merged(value, axis)).reshaped(value.shape)
    return _by_position(value)


def _is_idle(value: Value, axis: int) -> bool:
    """Whether a convolution does the same at every position of a spatial axis, and at nothing beside it."""
    at = value.attrs
    still: bool = at["strides"][axis] == 1 and at["low"][axis] == at["high"][axis] == 0
    return still and value.args[1].shape[2 + axis] == 1


def _merged(value: Value, axis: int) -> Value:
    """A convolution whose idle spatial axes `axis` and `axis` + 1 are one."""
    x, w = (_joined(arg, 2 + axis) for arg in value.args)
    attrs = dict(value.attrs)
    for name in _SPATIAL:
        attrs[name] = (*attrs[name][:axis], *attrs[name][axis + 1 :])
    y = _joined(value, 2 + axis)
    return make("conv", (x, w), attrs, value.dtype, y.shape)


def _joined(x: Value, axis: int) -> Value:
    size = dims.product(x.shape[axis : axis + 2])
    return x.reshape((*x.shape[:axis], size, *x.shape[axis + 2 :]))


def _by_position(value: Value) -> _Images:
    """A convolution whose images are the positions of the first spatial axis."""
    (x, w), at = value.args, value.attrs
    first, rest = {n: at[n][0] for n in _SPATIAL}, {n: at[n][1:] for n in _SPATIAL}
    taps = int(w.shape[2])  # type: ignore[arg-type]
    still = (0,) * len(rest["low"])
    seen = x.pad((0, 0, first["low"], *still), (0, 0, first["high"], *still))
    seen = seen.window((2,), (taps,), (first["strides"],), (first["dilations"],))
    batch, channels, positions = seen.shape[:3]
    images = seen.transpose(0, 2, 1, seen.rank - 1, *range(3, seen.rank - 1))
    images = images.reshape((dims.product((batch, positions)), dims.product((channels, taps)), *x.shape[3:]))
    weights = w.reshape((w.shape[0], dims.product(w.shape[1:3]), *w.shape[3:]))
    shape = (images.shape[0], value.shape[1], *value.shape[3:])
    found = _in_images(make("conv", (images, weights), {**at, **rest}, value.dtype, shape))
    return found.reshaped((batch, positions, *shape[1:]), turned=True)
