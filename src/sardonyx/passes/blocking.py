"""Runs convolutional parts with a block of b channels of a pixel side by side: [N, C/b, H, W, b].

How many is a fact of the target. The layout is explicit: a blocked tensor is a 5-D value. Whoever can use the
blocked form of an operand does, and the plain form is only made where it is asked for. Channels that are
shuffled, split or joined stay where they lie (`Blocked`): who reads them reads them there. Groups of a
convolution begin at whole blocks where few lanes stay empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph, rebuild, renamed
from sardonyx.ir.value import Shape, Value, concat, const, make, map_, scalar
from sardonyx.passes.blocked import Blocked, block, channels_of, joined, runs_of
from sardonyx.passes.far_taps import missing_zeros
from sardonyx.passes.few_channels import along_lines, of_squares
from sardonyx.passes.grown import grown
from sardonyx.passes.narrow import is_narrow
from sardonyx.passes.packing import packed
from sardonyx.passes.signals import two_dimensional, with_row
from sardonyx.passes.single_channels import (
    convolved,
    convolved_by_lines,
    fills,
    of_single_channels,
    repeated,
    stored,
    summed_by_lines,
    to_few_channels,
)
from sardonyx.passes.transposed import phases

_MIN_CHANNELS = 16
_MOST_BLOCKS = 3
"""How many times the blocks that it needs a tensor may lie in before it is moved together."""
_STARTS = ("conv", "conv_transpose")
"""What may run blocked where nothing before it does."""


def blocking(graph: Graph, goal: Goal) -> Graph:
    """Convolutions and what surrounds them in blocked layout; reorders only where other operations begin."""
    if graph.primitives.isdisjoint(_STARTS):
        return graph
    forms = _Forms(graph, goal)
    for value in graph.order():
        forms.visit(value)
    return graph.renewed(forms.plain)


class _Forms:
    """What has become of the values of a graph that were visited, by their ids.

    Each has a blocked form, a plain one, or, once somebody asked for it, both. What is [N, C, L] is blocked
    as the `rows` [N, C, 1, L].
    """

    def __init__(self, graph: Graph, goal: Goal) -> None:
        self.goal, self.block = goal, goal.target.channel_block
        tile = goal.find_matrix("f32")
        self.on_matrices = tile is not None and tile.everywhere
        self.in_runs, self.grown = self._read_in_runs(graph), grown(graph)
        self.forms: dict[int, Blocked] = {}
        self.plains: dict[int, Value] = {}
        self.rows: dict[int, Value] = {}

    def visit(self, value: Value) -> None:
        """Make the blocked form of a value if it should have one, else the plain one."""
        flat = two_dimensional(value, self.rows) if value.rank == 3 and self.may_be_blocked(value) else None
        known = self.upsample(value) or self.shuffle(value) or self.form(value if flat is None else flat)
        if known is None or not self.is_worth(known, value):
            made = self.over_channels(value) or self.channels_last(value)
            made = made or self.by_lines(value if flat is None else flat, value)
            made = made or rebuild(value, tuple(map(self.plain, value.args)))
            self.plains[value.id] = renamed(made, value)
            return
        renamed(known.form, value)
        if flat is not None:
            self.rows[value.id] = value = renamed(with_row(value), value)
        self.forms[value.id] = known

    def plain(self, value: Value) -> Value:
        """A value, or constants or a row that only a form needs, in plain layout."""
        if value.id not in self.plains:
            self.plains[value.id] = renamed(self._plain(value), value)
        return self.plains[value.id]

    def _plain(self, value: Value) -> Value:
        if value.id in self.forms:
            known, is_row = self.forms[value.id], value.prim == "reshape" and value.args[0].id in self.rows
            apart = known.pitch is None and value.kind in ("map", "view")
            if is_row or not (apart or value.id in self.grown):
                return known.plain()
            return rebuild(value, tuple(map(self.plain, value.args)))
        if value.id in self.rows:
            return self.plain(self.rows[value.id]).reshape(value.shape)
        return self.plain(value.args[0]).reshape(value.shape) if value.prim == "reshape" else value

    def is_worth(self, form: Blocked, value: Value) -> bool:
        """Whether a value should run blocked although its channels may lie apart."""
        if form.lanes > _MOST_BLOCKS * -(-len(form.at) // self.block) * self.block:
            return False
        return value.prim not in ("concat", "slice") or form.is_in_order or value.id in self.in_runs

    def _read_in_runs(self, graph: Graph) -> set[int]:
        """Values that a convolution reads wherever channels lie, at once or after what leaves them there."""
        found: set[int] = set()
        for value in reversed(graph.order()):
            depthwise = value.prim == "conv" and of_single_channels(value)
            stays = depthwise or value.kind in ("map", "view", "reduce")
            if (stays and value.id in found) or (value.prim == "conv" and self.reads_runs(value)):
                found |= {a.id for a in value.args if not a.is_const}
        return found

    def may_be_blocked(self, value: Value) -> bool:
        """Whether an operation over [N, C, L] begins a blocked part, or has an operand that is blocked."""
        if value.prim in _STARTS or any(a.id in self.rows for a in value.args):
            return True
        rows = (with_row(a) for a in value.args if a.rank == 3 and a.prim == "reshape")
        return any(row.id in self.forms for row in rows)

    def form(self, value: Value) -> Blocked | None:
        """The blocked form, if this operation should run blocked."""
        if value.rank < 4 or not isinstance(value.shape[1], int) or not value.args:
            return None
        match value.prim:
            case "conv":
                return self.conv(value)
            case "conv_transpose":
                return self.conv_transpose(value)
            case "pad":
                return self.pad(value)
            case "slice":
                return self.slice(value)
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

    def get(self, value: Value) -> Blocked | None:
        """The blocked form of an argument that has one."""
        return self.forms.get(value.id)

    def blocked(self, value: Value) -> Blocked:
        """An argument in blocked layout, for which it may have to be reordered."""
        return self.get(value) or Blocked.of(self.plain(value), self.block)

    def in_order(self, value: Value) -> Value:
        """The same with its channels in order."""
        known = self.blocked(value)
        return known.form if known.is_in_order else block(self.plain(value), self.block)

    def conv(self, value: Value) -> Blocked | None:
        x, w = value.args
        group = value.attrs["group"]
        if value.rank != 4 or not (value.dtype is dt.F32 or is_narrow(value)):
            return None
        if self.runs_by_lines(value):
            return None
        if of_single_channels(value) and not is_narrow(value):
            return self.depthwise(value)
        if not _packable(w, group):
            return None
        per = int(w.shape[1])  # type: ignore[arg-type]
        low, high = value.attrs["low"], value.attrs["high"]
        known, w = self.get(x), self.plain(w)
        attrs = {k: value.attrs[k] for k in ("strides", "dilations", "group")}
        squares = of_squares(value, self.plain(x), w, self.goal) if known is None else None
        lines = along_lines(value, self.plain(x), w) if known is None and per < _MIN_CHANNELS else None
        if squares is not None:
            source, w, attrs["strides"] = squares.form, squares.weights, (1, 1)
        elif lines is not None:
            source, w = lines.pixels, lines.weights
        elif known is None and per < _MIN_CHANNELS and group == 1 and value.dtype is dt.F32:
            source = self.plain(x).pad((0, 0, *low), (0, 0, *high))
        else:
            form, w, runs = self.read(value, w)
            missing = missing_zeros(value, self.goal)
            low, high = ([n - m for n, m in zip(zeros, missing, strict=True)] for zeros in (low, high))
            source = form.pad((0, 0, *low, 0), (0, 0, *high, 0))
            attrs |= {"missing": missing} if any(missing) else {}
            attrs |= {"runs": runs} if runs else {}
        w, at = self.apart(value, w)
        attrs["channels"] = int(w.shape[0])  # type: ignore[arg-type]
        if attrs["channels"] > channels_of(value):
            attrs["used"] = channels_of(value) // group
        shape = (value.shape[0], -(-attrs["channels"] // self.block), *value.shape[2:], self.block)
        return Blocked(self.contraction(source, w, attrs, shape, value.dtype), at)

    def read(self, value: Value, w: Value) -> tuple[Value, Value, tuple[tuple[int, int], ...]]:
        """What a convolution reads: its input, weights in the order of channels there, and runs of these."""
        known = self.blocked(value.args[0])
        group, outputs, per = value.attrs["group"], channels_of(value), int(w.shape[1])  # type: ignore[arg-type]
        if not known.is_in_order and w.data is not None:
            at = np.array(known.at).reshape(group, per)
            order = at.argsort(1)
            split = w.data.reshape(group, outputs // group, *w.data.shape[1:])
            own = const(np.stack([m[:, n] for m, n in zip(split, order, strict=True)]).reshape(w.data.shape))
            at = np.sort(at, 1)
            if group == 1 and np.array_equal(at[0], np.arange(per)):
                return known.form, own, ()
            if self.reads_runs(value):
                return known.form, own, runs_of(at.ravel().tolist(), self.block, per)
        return self.in_order(value.args[0]), w, ()

    def reads_runs(self, value: Value) -> bool:
        """Whether channels may lie apart: not for kernels that transform, shuffle or split all of a block."""
        if not self.on_vectors(value):
            return False
        _, per, *kernel = value.args[1].shape
        if value.attrs["group"] > 1:
            return int(per) >= _MIN_CHANNELS  # type: ignore[arg-type]
        return all(n == 1 for n in kernel)

    def on_vectors(self, value: Value) -> bool:
        """Whether a convolution of constant weights multiplies one channel after the other."""
        w = value.args[1]
        registers = self.on_matrices and value.attrs["group"] == 1
        return w.dtype is dt.F32 and w.data is not None and not registers

    def apart(self, value: Value, w: Value) -> tuple[Value, range | tuple[int, ...]]:
        """Weights with missing outputs, so that groups begin at whole blocks, and where outputs lie."""
        group, outputs = value.attrs["group"], channels_of(value)
        per = outputs // group
        pitch = -(-per // self.block) * self.block
        if group == 1 or per == pitch or per * 3 < pitch * 2 or not self.on_vectors(value):
            return w, range(outputs)
        split = w.reshape((group, per, *w.shape[1:]))
        split = split.pad((0,) * split.rank, (0, pitch - per, *(0,) * (split.rank - 2)))
        at = tuple(g * pitch + c for g in range(group) for c in range(per))
        return split.reshape((group * pitch, *w.shape[1:])), at

    def contraction(self, x: Value, w: Value, attrs: dict[str, Any], shape: Shape, dtype: DType) -> Value:
        """A convolution in blocked layout; weights that are fed are laid out for it first."""
        fed = not w.is_numeric_const and self.goal.target.is_machine
        laid_out = (packed(w, self.goal, blocked=x.rank == 5),) if fed else ()
        attrs = {**attrs, "block": self.block}
        return make("conv_blocked", (x, w, *laid_out), attrs, dtype, shape)

    def conv_transpose(self, value: Value) -> Blocked | None:
        x, w = value.args
        one = value.attrs["group"] == 1
        if value.rank != 4 or value.dtype is not dt.F32 or not one or not _packable(w, 1):
            return None
        blocks = -(-channels_of(value) // self.block)
        p = phases(rebuild(value, (x, self.plain(w))), blocks * self.block)
        source = self.in_order(x)
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
        y = p.joined(results, (1, 2)).transpose(0, 3, 4, 1, 5, 2, 6)
        y = y.reshape((n, blocks, high * rows, wide * columns, self.block))
        y = y.slice((0, 0, *p.start, 0), (n, blocks, *value.shape[2:], self.block))
        return Blocked.in_order(y, channels_of(value))

    def upsample(self, value: Value) -> Blocked | None:
        """reshape(broadcast(reshape(x, [N, C, H, 1, W, 1]), [N, C, H, s, W, t])): nearest upscaling."""
        if value.prim != "reshape" or value.rank != 4 or value.args[0].prim != "broadcast":
            return None
        repeated = value.args[0]
        split = repeated.args[0]
        source = split.args[0] if split.prim == "reshape" else split
        known = self.get(self.rows.get(source.id, source))
        if known is None or repeated.rank != 6 or any(n != 1 for n in known.form.shape[5:]):
            return None
        form = known.form.reshape(known.form.shape[:5])
        n, blocks, high, wide, lanes = form.shape
        if split.shape[2:] != (high, 1, wide, 1):
            return None
        rows, columns = repeated.shape[3], repeated.shape[5]
        many = (n, len(known.at), high, rows, wide, columns), (n, len(known.at), high * rows, wide * columns)
        if (repeated.shape, value.shape) != many:
            return None
        spread = form.reshape((n, blocks, high, 1, wide, 1, lanes))
        spread = spread.broadcast((n, blocks, high, rows, wide, columns, lanes))
        return Blocked(spread.reshape((n, blocks, high * rows, wide * columns, lanes)), known.at)

    def shuffle(self, value: Value) -> Blocked | None:
        """reshape(transpose(reshape(x, [N, g, C/g, H, W]), [0, 2, 1, 3, 4]), [N, C, H, W])."""
        turned = value.args[0] if value.prim == "reshape" and value.rank == 4 else value
        if turned is value or turned.prim != "transpose" or turned.attrs["perm"] != (0, 2, 1, 3, 4):
            return None
        split = turned.args[0]
        known = self.get(split.args[0]) if split.prim == "reshape" else None
        if known is None or known.form.rank != 5:
            return None
        n, groups, per, *size = split.shape
        form = known.form
        if not (isinstance(groups, int) and isinstance(per, int)) or groups * per != len(known.at):
            return None
        rest = n, *size
        if rest != (value.shape[0], *value.shape[2:]) or rest != (form.shape[0], *form.shape[2:4]):
            return None
        return Blocked.lying(form, (known.at[g * per + c] for c in range(per) for g in range(groups)))

    def depthwise(self, value: Value) -> Blocked:
        x, w = value.args
        source = stored(x)
        many = channels_of(value) // value.attrs["group"]
        known = repeated(self.plain(source), many, self.block) if many > 1 else None
        return convolved(known or self.blocked(source), self.plain(w), value.attrs, x.dtype)

    def by_lines(self, value: Value, like: Value) -> Value | None:
        """A convolution that runs by lines, in the shape of another value."""
        if value.prim != "conv" or value.rank != 4 or not self.runs_by_lines(value):
            return None
        x, w = map(self.plain, value.args)
        run = convolved_by_lines if of_single_channels(value) else summed_by_lines
        return run(x, w, value.attrs).reshape(like.shape)

    def runs_by_lines(self, value: Value) -> bool:
        if value.dtype is not dt.F32 or self.get(stored(value.args[0])) is not None:
            return False
        if of_single_channels(value):
            return not fills(value, self.block)
        return to_few_channels(value)

    def map(self, value: Value) -> Blocked | None:
        forms = [self.get(a) for a in value.args]
        whole = (f for f in forms if f is not None and len(f.at) == value.shape[1])
        known = min(whole, key=lambda f: (f.pitch is None, f.lanes), default=None)
        if known is None:
            return None
        if any(
            f is None and not self._blocks_cheaply(a, value) for f, a in zip(forms, value.args, strict=True)
        ):
            return None
        parts = [self._operand(a, known) for a in value.args]
        if value.prim in ("cast", "bitcast"):
            return Blocked(parts[0].cast(value.dtype), known.at) if value.prim == "cast" else None
        return Blocked(map_(value.prim, *parts), known.at)

    def _blocks_cheaply(self, arg: Value, value: Value) -> bool:
        if not isinstance(arg.shape[1], int):
            return False
        return arg.shape[1] == 1 or arg.is_const or arg.size != value.size or value.rank == 4

    def _operand(self, arg: Value, like: Blocked) -> Value:
        if arg.shape[1] == 1 and (self.get(arg) is None or len(like.at) > 1):
            return self.plain(arg).reshape((*arg.shape[:4], 1, *arg.shape[4:]))
        return self._lying_as(like, arg)

    def _lying_as(self, like: Blocked, arg: Value) -> Value:
        """A tensor in blocks, its channels where those of another one lie."""
        known = self.get(arg)
        if known is not None and known.at == like.at and known.lanes == like.lanes:
            return known.form
        moved = known.moved_as(like) if known is not None and known.form.rank == like.form.rank else None
        return like.like(self.plain(arg)) if moved is None else moved

    def reduce(self, value: Value) -> Blocked | None:
        known = self.get(value.args[0])
        axes = value.attrs.get("axes")
        if known is None or axes is None or 1 in axes or 0 in axes:
            return None
        return Blocked(known.form.reduce(value.prim, [a if a < 4 else a + 1 for a in axes]), known.at)

    def over_channels(self, value: Value) -> Value | None:
        """A reduction over channels too, in plain layout, of a blocked form whose lanes are all channels.

        In whatever order numbers come, they give the same.
        """
        if value.kind != "reduce" or not (value.prim in ("rmax", "rmin") or value.dtype.kind in "iu"):
            return None
        source = value.args[0]
        known, axes = self.get(self.rows.get(source.id, source)), value.attrs.get("axes")
        if known is None or axes is None or 1 not in axes or len(known.at) != known.lanes:
            return None
        wide = [3 if (a, source.rank) == (2, 3) else a + (a > 3) for a in axes]
        return known.form.reduce(value.prim, (*wide, 4)).reshape(value.shape)

    def channels_last(self, value: Value) -> Value | None:
        """A transposition that moves channels behind lines and pixels, of a blocked form."""
        if value.prim != "transpose" or value.attrs["perm"] != (0, *range(2, value.rank), 1):
            return None
        source = value.args[0]
        known = self.get(self.rows.get(source.id, source))
        if known is None or not known.is_in_order or known.form.rank != 5:
            return None
        return known.channels_last(value.shape[1:-1])

    def pad(self, value: Value) -> Blocked | None:
        known, low, high = self.get(value.args[0]), value.attrs["low"], value.attrs["high"]
        if known is None or low[1] != 0 or high[1] != 0:
            return None
        return Blocked(known.form.pad(_wide(low, 0), _wide(high, 0), self.plain(value.args[1])), known.at)

    def slice(self, value: Value) -> Blocked | None:
        known = self.get(value.args[0])
        start, size, step = value.attrs["start"], value.attrs["size"], value.attrs["step"]
        first, by = start[1], step[1]
        if known is None or not isinstance(first, int):
            return None
        part = known.part([first + n * by for n in range(channels_of(value))])
        form = part.form
        start, step = (start[0], 0, *start[2:]), (step[0], 1, *step[2:])
        size = (size[0], form.shape[1], *size[2:])
        form = form.slice(_wide(start, 0), _wide(size, self.block), (*step[:4], 1, *step[4:]))
        return Blocked(form, part.at)

    def window(self, value: Value) -> Blocked | None:
        known, at = self.get(value.args[0]), value.attrs
        if known is None or known.form.rank != 5 or any(a not in (2, 3) for a in at["axes"]):
            return None
        form = known.form.window(at["axes"], at["kernel"], at["strides"], at["dilations"])
        return Blocked(form, known.at)

    def reshape(self, value: Value) -> Blocked | None:
        """Only size-1 axes after the fourth come or go."""
        source = value.args[0]
        known = self.get(source)
        if known is None or any(m != n for m, n in zip(source.shape[:4], value.shape[:4], strict=False)):
            return None
        if any(n != 1 for n in (*source.shape[4:], *value.shape[4:])):
            return None
        return Blocked(known.form.reshape((*known.form.shape[:5], *value.shape[4:])), known.at)

    def concat(self, value: Value) -> Blocked | None:
        forms = [self.get(a) for a in value.args]
        axis = value.attrs["axis"]
        if axis >= 4 or sum(f is not None for f in forms) * 2 < len(forms):
            return None
        if not all(isinstance(a.shape[1], int) for a in value.args):
            return None
        if axis == 1:
            return joined([self.blocked(a) for a in value.args])
        like = next(f for f in forms if f is not None)
        return Blocked(concat([self._lying_as(like, a) for a in value.args], axis), like.at)

    def gather(self, value: Value) -> Blocked | None:
        known, axis = self.get(value.args[0]), value.attrs["axis"]
        if known is None or axis not in (2, 3) or value.args[1].rank != 1 or known.form.rank != 5:
            return None
        return Blocked(known.form.gather(self.plain(value.args[1]), axis), known.at)


def _packable(w: Value, group: int) -> bool:
    """Whether the kernel can have these weights: constants, or fed ones of known sizes in one group."""
    depthwise = w.shape[0] == group and w.shape[1] == 1
    return w.is_numeric_const or (all(isinstance(n, int) for n in w.shape) and (group == 1 or depthwise))


def _wide(row: tuple[Dim, ...], channel: int) -> tuple[Dim, ...]:
    return (*row[:4], channel, *row[4:])
