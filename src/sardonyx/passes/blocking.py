"""Runs convolutional parts with a block of b channels of a pixel side by side: [N, C/b, H, W, b].

How many is a fact of the target. The layout is explicit: a blocked tensor is a 5-D value. Whoever can use the
blocked form of an operand does, and the plain form is only made where it is asked for.
A tensor of shape [N, C, H, W, rest...] has the blocked shape [N, ceil(C/b), H, W, b, rest...].
"""

from __future__ import annotations

from typing import Any

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild, renamed
from sardonyx.ir.value import Shape, Value, concat, make, map_, scalar
from sardonyx.passes.narrow import is_narrow
from sardonyx.passes.packing import packed
from sardonyx.passes.transposed import phases

_MIN_CHANNELS = 16
_STARTS = ("conv", "conv_transpose")
"""What may run blocked where nothing before it does."""


def blocking(graph: Graph, goal: Goal) -> Graph:
    """Convolutions and what surrounds them in blocked layout; reorders only where other operations begin."""
    if graph.primitives.isdisjoint(_STARTS):
        return graph
    forms = _Forms(goal)
    for value in graph.order():
        forms.visit(value)
    return graph.renewed(forms.plain)


def block(x: Value, size: int) -> Value:
    """[N, C, H, W, rest...] -> [N, C/size, H, W, size, rest...], missing channels zero."""
    channels = _channels(x)
    blocks = -(-channels // size)
    low = (0,) * x.rank
    high = (0, blocks * size - channels, *(0,) * (x.rank - 2))
    split = x.pad(low, high).reshape((x.shape[0], blocks, size, *x.shape[2:]))
    rest = range(5, split.rank)
    return split.transpose(0, 1, 3, 4, 2, *rest)


def unblock(x: Value, channels: int) -> Value:
    """The inverse of `block`."""
    rest = range(5, x.rank)
    joined = x.transpose(0, 1, 4, 2, 3, *rest)
    n = x.shape[0]
    flat = joined.reshape((n, x.shape[1] * x.shape[4], x.shape[2], x.shape[3], *x.shape[5:]))
    return flat.slice((0,) * flat.rank, (n, channels, *flat.shape[2:]))


def _channels(x: Value) -> int:
    assert isinstance(x.shape[1], int)
    return x.shape[1]


def two_dimensional(value: Value) -> Value | None:
    """The same operation over [N, C, 1, L] for a tensor [N, C, L], if it is one that may run blocked."""
    if (
        value.rank != 3
        or not isinstance(value.shape[1], int)
        or (value.prim not in _PER_AXIS and value.kind != "map")
    ):
        return None
    if not value.args or any(a.rank != 3 for a in value.args if a.rank > 0):
        return None
    args = tuple(a if a.rank == 0 else with_row(a) for a in value.args)
    attrs = dict(value.attrs)
    for name, unit in _PER_AXIS.get(value.prim, {}).items():
        row = attrs[name]
        attrs[name] = (unit, *row) if len(row) == 1 else (*row[:2], unit, *row[2:])
    if value.prim == "concat" and attrs["axis"] == 2:
        attrs["axis"] = 3
    shape = (*value.shape[:2], 1, *value.shape[2:])
    return make(value.prim, args, attrs, value.dtype, shape)


def with_row(value: Value) -> Value:
    """[N, C, L] as [N, C, 1, L]."""
    return value.reshape((*value.shape[:2], 1, *value.shape[2:]))


_PER_AXIS: dict[str, dict[str, int]] = {
    "conv": {"strides": 1, "dilations": 1, "low": 0, "high": 0},
    "conv_transpose": {"strides": 1, "dilations": 1, "low": 0, "out": 1},
    "pad": {"low": 0, "high": 0},
    "slice": {"start": 0, "size": 1, "step": 1},
    "concat": {},
}
"""Per operation, the attributes with one entry a spatial axis (or an axis), and the entry of the new axis."""


class _Forms:
    """What has become of the values of a graph that were visited, by their ids.

    Each has a blocked form, a plain one, or, once somebody asked for it, both. What is [N, C, L] is blocked
    as the `rows` [N, C, 1, L].
    """

    def __init__(self, goal: Goal) -> None:
        self.goal, self.block = goal, goal.target.channel_block
        self.forms: dict[int, Value] = {}
        self.plains: dict[int, Value] = {}
        self.rows: dict[int, Value] = {}

    def visit(self, value: Value) -> None:
        """Make the blocked form of a value if it should have one, else the plain one."""
        flat = two_dimensional(value) if value.rank == 3 and self.may_be_blocked(value) else None
        form = self.upsample(value) or self.form(value if flat is None else flat)
        if form is None:
            made = self.over_channels(value) or rebuild(value, tuple(map(self.plain, value.args)))
            self.plains[value.id] = renamed(made, value)
            return
        form = renamed(form, value)
        if flat is not None:
            self.rows[value.id] = value = renamed(with_row(value), value)
        self.forms[value.id] = form

    def plain(self, value: Value) -> Value:
        """A value, or constants or a row that only a form needs, in plain layout."""
        if value.id not in self.plains:
            self.plains[value.id] = renamed(self._plain(value), value)
        return self.plains[value.id]

    def _plain(self, value: Value) -> Value:
        if value.id in self.forms:
            return unblock(self.forms[value.id], _channels(value))
        if value.id in self.rows:
            return self.plain(self.rows[value.id]).reshape(value.shape)
        return self.plain(value.args[0]).reshape(value.shape) if value.prim == "reshape" else value

    def may_be_blocked(self, value: Value) -> bool:
        """Whether an operation over [N, C, L] begins a blocked part, or has an operand that is blocked."""
        if value.prim in _STARTS or any(a.id in self.rows for a in value.args):
            return True
        rows = (with_row(a) for a in value.args if a.rank == 3 and a.prim == "reshape")
        return any(row.id in self.forms for row in rows)

    def form(self, value: Value) -> Value | None:
        """The blocked form, if this operation should run blocked."""
        if value.rank < 4 or not isinstance(value.shape[1], int) or not value.args:
            return None
        match value.prim:
            case "conv":
                return self.conv(value)
            case "conv_transpose":
                return self.conv_transpose(value)
            case "pad" | "slice":
                return self.spatial(value)
            case "window":
                return self.window(value)
            case "reshape":
                return self.reshape(value)
            case "concat":
                return self.concat(value)
            case "gather":
                return self.gather(value)
        match value.kind:
            case "map":
                return self.map(value)
            case "reduce":
                return self.reduce(value)
        return None

    def get(self, value: Value) -> Value | None:
        """The blocked form of an argument that has one."""
        return self.forms.get(value.id)

    def blocked(self, value: Value) -> Value:
        """An argument in blocked layout, for which it may have to be reordered."""
        form = self.get(value)
        return block(self.plain(value), self.block) if form is None else form

    def conv(self, value: Value) -> Value | None:
        x, w = value.args
        group = value.attrs["group"]
        if value.rank != 4 or not (value.dtype is dt.F32 or is_narrow(value)) or not _packable(w, group):
            return None
        outputs, per = _channels(value), int(w.shape[1])  # type: ignore[arg-type]
        low, high = value.attrs["low"], value.attrs["high"]
        if group > 1 and per == 1 and outputs == group:
            return self.depthwise(value)
        known, w = self.get(x), self.plain(w)
        attrs = {k: value.attrs[k] for k in ("strides", "dilations", "group")} | {"channels": outputs}
        shape = (value.shape[0], -(-outputs // self.block), *value.shape[2:], self.block)
        if known is None and per < _MIN_CHANNELS and group == 1 and value.dtype is dt.F32:
            source = self.plain(x).pad((0, 0, *low), (0, 0, *high))
        else:
            source = self.blocked(x).pad((0, 0, *low, 0), (0, 0, *high, 0))
        return self.contraction(source, w, attrs, shape, value.dtype)

    def contraction(self, x: Value, w: Value, attrs: dict[str, Any], shape: Shape, dtype: DType) -> Value:
        """A convolution in blocked layout; weights that are fed are laid out for it first."""
        fed = not w.is_numeric_const and self.goal.target.is_machine
        laid_out = (packed(w, self.goal, blocked=x.rank == 5),) if fed else ()
        attrs = {**attrs, "block": self.block}
        return make("conv_blocked", (x, w, *laid_out), attrs, dtype, shape)

    def conv_transpose(self, value: Value) -> Value | None:
        x, w = value.args
        one = value.attrs["group"] == 1
        if value.rank != 4 or value.dtype is not dt.F32 or not one or not _packable(w, 1):
            return None
        blocks = -(-_channels(value) // self.block)
        p = phases(rebuild(value, (x, self.plain(w))), blocks * self.block)
        source = self.blocked(x)
        n, (high, wide) = x.shape[0], p.counts
        results = []
        for part in p.parts:
            split = (n, *part.sizes, blocks, high, wide, self.block)
            if part.weights is None:
                results.append(scalar(0, value.dtype).broadcast(split))
                continue
            padded = source.pad((0, 0, *part.low, 0), (0, 0, *part.high, 0))
            attrs = {"strides": (1, 1), "dilations": part.dilations, "group": 1}
            attrs["channels"] = part.weights.shape[0]
            shape = (n, dims.product(part.sizes) * blocks, high, wide, self.block)
            sums = self.contraction(padded, part.weights, attrs, shape, value.dtype)
            results.append(sums.reshape(split))
        rows, columns = p.strides
        y = p.joined(results, 1).transpose(0, 3, 4, 1, 5, 2, 6)
        y = y.reshape((n, blocks, high * rows, wide * columns, self.block))
        return y.slice((0, 0, *p.start, 0), (n, blocks, *value.shape[2:], self.block))

    def upsample(self, value: Value) -> Value | None:
        """reshape(broadcast(reshape(x, [N, C, H, 1, W, 1]), [N, C, H, s, W, t])): nearest upscaling."""
        if value.prim != "reshape" or value.rank != 4 or value.args[0].prim != "broadcast":
            return None
        repeated = value.args[0]
        split = repeated.args[0]
        source = split.args[0] if split.prim == "reshape" else split
        form = self.get(self.rows.get(source.id, source))
        if form is None or repeated.rank != 6 or any(n != 1 for n in form.shape[5:]):
            return None
        form = form.reshape(form.shape[:5])
        n, blocks, high, wide, lanes = form.shape
        if any(
            dims.equal(m, k) is not True for m, k in zip(split.shape[2:], (high, 1, wide, 1), strict=True)
        ):
            return None
        rows, columns = repeated.shape[3], repeated.shape[5]
        spread = form.reshape((n, blocks, high, 1, wide, 1, lanes))
        spread = spread.broadcast((n, blocks, high, rows, wide, columns, lanes))
        return spread.reshape((n, blocks, high * rows, wide * columns, lanes))

    def depthwise(self, value: Value) -> Value:
        x, w = value.args
        form, w = self.blocked(x), self.plain(w)
        low, high, at = value.attrs["low"], value.attrs["high"], value.attrs
        kernel = tuple(int(k) for k in w.shape[2:])  # type: ignore[arg-type]
        views = form.pad((0, 0, *low, 0), (0, 0, *high, 0)).window(
            (2, 3), kernel, at["strides"], at["dilations"]
        )
        channels = _channels(value)
        blocks = -(-channels // self.block)
        taps = w.reshape((channels, *kernel)).pad((0, 0, 0), (blocks * self.block - channels, 0, 0))
        taps = taps.reshape((1, blocks, 1, 1, self.block, *kernel)).transpose(0, 1, 2, 3, 5, 6, 4)
        product = views.transpose(0, 1, 2, 3, 5, 6, 4) * taps
        return product.sum(4, 5).reshape((*product.shape[:4], self.block))

    def map(self, value: Value) -> Value | None:
        forms = [self.get(a) for a in value.args]
        if not any(f is not None for f in forms):
            return None
        if any(
            f is None and not self._blocks_cheaply(a, value) for f, a in zip(forms, value.args, strict=True)
        ):
            return None
        parts = [self._operand(a) if f is None else f for a, f in zip(value.args, forms, strict=True)]
        if value.prim in ("cast", "bitcast"):
            return parts[0].cast(value.dtype) if value.prim == "cast" else None
        return map_(value.prim, *parts)

    def _blocks_cheaply(self, arg: Value, value: Value) -> bool:
        if not isinstance(arg.shape[1], int):
            return False
        return arg.shape[1] == 1 or arg.is_const or arg.size != value.size or value.rank == 4

    def _operand(self, arg: Value) -> Value:
        if arg.shape[1] == 1:
            return self.plain(arg).reshape((*arg.shape[:4], 1, *arg.shape[4:]))
        return block(self.plain(arg), self.block)

    def reduce(self, value: Value) -> Value | None:
        form = self.get(value.args[0])
        axes = value.attrs.get("axes")
        if form is None or axes is None or 1 in axes or 0 in axes:
            return None
        return form.reduce(value.prim, [a if a < 4 else a + 1 for a in axes])

    def over_channels(self, value: Value) -> Value | None:
        """A reduction over channels too, in plain layout, of a blocked form whose lanes are all channels.

        In whatever order numbers come, they give the same.
        """
        if value.kind != "reduce" or not (value.prim in ("rmax", "rmin") or value.dtype.kind in "iu"):
            return None
        source = value.args[0]
        form, axes = self.get(self.rows.get(source.id, source)), value.attrs.get("axes")
        if form is None or axes is None or 1 not in axes or _channels(source) % self.block:
            return None
        wide = [3 if (a, source.rank) == (2, 3) else a + (a > 3) for a in axes]
        return form.reduce(value.prim, (*wide, 4)).reshape(value.shape)

    def spatial(self, value: Value) -> Value | None:
        form = self.get(value.args[0])
        if form is None:
            return None
        channels = _channels(value)
        if value.prim == "pad":
            low, high = value.attrs["low"], value.attrs["high"]
            if low[1] != 0 or high[1] != 0:
                return None
            return form.pad(_wide(low, 0), _wide(high, 0), self.plain(value.args[1]))
        start, size, step = value.attrs["start"], value.attrs["size"], value.attrs["step"]
        whole = start[1] == 0 and size[1] == value.args[0].shape[1] and step[1] == 1
        if not whole and not (
            isinstance(start[1], int)
            and start[1] % self.block == 0
            and channels % self.block == 0
            and step[1] == 1
        ):
            return None
        start = (start[0], start[1] if whole else start[1] // self.block, *start[2:])
        size = (size[0], form.shape[1] if whole else channels // self.block, *size[2:])
        return form.slice(_wide(start, 0), _wide(size, self.block), (*step[:4], 1, *step[4:]))

    def window(self, value: Value) -> Value | None:
        form, at = self.get(value.args[0]), value.attrs
        if form is None or form.rank != 5 or any(a not in (2, 3) for a in at["axes"]):
            return None
        return form.window(at["axes"], at["kernel"], at["strides"], at["dilations"])

    def reshape(self, value: Value) -> Value | None:
        """Only size-1 axes after the fourth come or go."""
        source = value.args[0]
        form = self.get(source)
        if form is None or any(
            dims.equal(m, n) is not True for m, n in zip(source.shape[:4], value.shape[:4], strict=False)
        ):
            return None
        if any(n != 1 for n in (*source.shape[4:], *value.shape[4:])):
            return None
        return form.reshape((*form.shape[:5], *value.shape[4:]))

    def concat(self, value: Value) -> Value | None:
        forms = [self.get(a) for a in value.args]
        axis = value.attrs["axis"]
        if axis >= 4 or sum(f is not None for f in forms) * 2 < len(forms):
            return None
        if not all(isinstance(a.shape[1], int) for a in value.args):
            return None
        if axis == 1 and any(_channels(a) % self.block for a in value.args[:-1]):
            return None
        return concat([self.blocked(a) for a in value.args], axis)

    def gather(self, value: Value) -> Value | None:
        form, axis = self.get(value.args[0]), value.attrs["axis"]
        if form is None or axis not in (2, 3) or value.args[1].rank != 1 or form.rank != 5:
            return None
        return form.gather(self.plain(value.args[1]), axis)


def _packable(w: Value, group: int) -> bool:
    """Whether the kernel can have these weights: constants, or fed ones of known sizes in one group."""
    depthwise = w.shape[0] == group and w.shape[1] == 1
    return w.is_numeric_const or (all(isinstance(n, int) for n in w.shape) and (group == 1 or depthwise))


def _wide(row: tuple[Dim, ...], channel: int) -> tuple[Dim, ...]:
    return (*row[:4], channel, *row[4:])
