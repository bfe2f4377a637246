"""Group -> naive Kernel: inlined values become expressions, views become index arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sardonyx.base import broadcasting
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.errors import CompileError
from sardonyx.ir.group import Group
from sardonyx.ir.place import Place, Storage, blocks, view
from sardonyx.ir.value import Value
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Form,
    Kernel,
    Load,
    Pick,
    Position,
    Reduce,
    Reduced,
    Role,
    Statement,
    Store,
    along,
    number,
    operands,
)

Index = tuple[Affine, ...]


class Lowering:
    """Turns the values of one group into expressions; shared sub-values become shared expressions."""

    def __init__(self, group: Group, places: Mapping[int, Place]) -> None:
        self.group = group
        self.places = places
        self.buffers: dict[tuple[int, str], Buffer] = {}
        self.body: list[Statement] = []
        self.inner: dict[int, Axis] = {}
        self.tile: Buffer | None = None
        self.columns: tuple[Axis, ...] = ()
        self.memo: dict[tuple[int, Index], Expr] = {}
        self.origins = dict.fromkeys(group.root.origins)

    def buffer(self, storage: Storage, role: Role) -> Buffer:
        """The kernel's handle of a storage."""
        key = (id(storage), role)
        if key not in self.buffers:
            self.buffers[key] = Buffer(f"b{len(self.buffers)}", storage.dtype, role, storage)
        return self.buffers[key]

    def expr(self, value: Value, index: Index) -> Expr:
        """The expression of one element of `value`."""
        key = (value.id, index)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self._expr(value, index)
        return found

    def _expr(self, value: Value, index: Index) -> Expr:
        if value is self.group.anchor:
            assert self.tile is not None
            self.origins.update(dict.fromkeys(value.origins))
            row, column = [*self.outer, *self.columns][-2:]
            return Load(self.tile, along(row) + along(column), value.dtype)
        inside = value.id in self.group.inlined or value is self.group.root
        if value.id in self.places and not inside:
            return self.load(value, index)
        self.origins.update(dict.fromkeys(value.origins))
        if value.is_numeric_const and value.size == 1:
            assert value.data is not None
            return number(value.data.reshape(-1)[0].item(), value.dtype)
        if value.data is not None and value.size == 1:
            return Position(Affine(value.data.reshape(-1)[0]), value.dtype)
        match value.kind:
            case "map":
                return self.map(value, index)
            case "view":
                return self.view(value, index)
            case "reduce":
                return self.reduce(value, index)
            case "source" if value.prim == "iota":
                return Position(index[value.attrs["axis"]], value.dtype)
            case "index":
                return self.index(value, index)
        raise CompileError(f"{value!r} ({', '.join(value.origins)}) cannot be computed inside a loop kernel")

    def load(self, value: Value, index: Index, picks: tuple[Pick, ...] = ()) -> Expr:
        """One element of a stored value; a position that is picked is checked even where there is but one."""
        if value.data is not None and value.size == 1 and not picks:
            if value.is_numeric_const:
                return number(value.data.reshape(-1)[0].item(), value.dtype)
            return Position(Affine(value.data.reshape(-1)[0]), value.dtype)
        place = self.places[value.id]
        return Load(self.buffer(place.storage, "in"), address(place, index), value.dtype, picks)

    def map(self, value: Value, index: Index) -> Expr:
        """One element of an element-wise operation."""
        args = [self.expr(arg, _repeated(index, arg.shape, value.shape)) for arg in value.args]
        return Apply(value.prim, operands(value.prim, args), value.dtype)

    def view(self, value: Value, index: Index) -> Expr:
        """One element of a view: the element of its source at the place it shows."""
        source = value.args[0]
        match value.prim:
            case "transpose":
                at: list[Affine] = [Affine()] * len(index)
                for position, axis in zip(index, value.attrs["perm"], strict=True):
                    at[axis] = position
                return self.expr(source, tuple(at))
            case "broadcast":
                return self.expr(source, _repeated(index, source.shape, value.shape))
            case "slice":
                parts = zip(index, value.attrs["start"], value.attrs["step"], strict=True)
                return self.expr(source, tuple(i.scale(k).shift(s) for i, s, k in parts))
            case "window":
                return self.expr(source, window_index(value, index))
            case "reshape":
                place = self.places.get(source.id)
                seen = view(value, place) if place else None
                if seen is not None:
                    return Load(self.buffer(seen.storage, "in"), address(seen, index), value.dtype)
                return self.expr(source, reshape_index(source.shape, value.shape, index))
        raise CompileError(f"{value!r} is not a view that a kernel can look through")

    def reduce(self, value: Value, index: Index) -> Expr:
        """One element of a reduction, whose loops are added to the body."""
        axes: Sequence[int] = value.attrs.get("axes", (value.attrs.get("axis"),))
        source = value.args[0]
        for axis in axes:
            if axis not in self.inner:
                self.inner[axis] = Axis(f"r{axis}", source.shape[axis])
        at = tuple(along(self.inner[a]) if a in axes else i for a, i in enumerate(index))
        expr = self.expr(source, at)
        over = tuple(self.inner[a] for a in axes)
        result = Reduced(f"r{len(self.body)}_{value.id}", value.dtype, expr.axes - frozenset(over))
        self.body.append(Reduce(result, value.prim, over, expr, bool(value.attrs.get("last"))))
        return result

    def index(self, value: Value, index: Index) -> Expr:
        """One element read at a computed position."""
        source, picks_from = value.args[0], value.args[1]
        place = self.places[source.id]
        match value.prim:
            case "gather":
                axis: int = value.attrs["axis"]
                end = axis + picks_from.rank
                picks = self.expr(picks_from, index[axis:end])
                at = (*index[:axis], Affine(), *index[end:])
                found: tuple[Pick, ...] = (Pick(picks, place.strides[axis], source.shape[axis]),)
            case "gather_elements":
                axis = value.attrs["axis"]
                at = tuple(Affine() if a == axis else i for a, i in enumerate(index))
                found = (Pick(self.expr(picks_from, index), place.strides[axis], source.shape[axis]),)
            case "gather_nd":
                batch: int = value.attrs["batch_dims"]
                depth = picks_from.shape[-1]
                assert isinstance(depth, int)
                head = index[: picks_from.rank - 1]
                found = tuple(
                    Pick(
                        self.expr(picks_from, (*head, Affine(d))),
                        place.strides[batch + d],
                        source.shape[batch + d],
                    )
                    for d in range(depth)
                )
                at = (*index[:batch], *(Affine() for _ in range(depth)), *index[picks_from.rank - 1 :])
            case _:
                raise CompileError(f"{value!r} cannot be read inside a kernel")
        return self.load(source, at, found)

    # ---- whole kernels

    def open(self, shape: Sequence[Dim]) -> None:
        """Start a kernel over the axes of a shape."""
        self.outer = tuple(Axis(f"i{a}", n) for a, n in enumerate(shape))

    def finish(self, name: str, form: Form = "loops", *, serial: bool = False) -> Kernel:
        """The kernel of all statements so far."""
        return Kernel(name, self.outer, tuple(self.body), tuple(self.origins), form, serial=serial)


def address(place: Place, index: Index) -> Affine:
    """The element offset of an index."""
    offset, terms = place.offset, dict[Axis, Dim]()
    for at, stride in zip(index, place.strides, strict=True):
        offset = offset + at.const * stride
        for axis, factor in at.terms:
            terms[axis] = terms.get(axis, 0) + factor * stride
    return Affine(offset, tuple((axis, factor) for axis, factor in terms.items() if factor != 0))


def _repeated(index: Index, shape: Sequence[Dim], of: Sequence[Dim]) -> Index:
    """The index into a tensor of that shape that is repeated to another one."""
    if shape == of:
        return index
    return tuple(
        i if n == m else i.scale(broadcasting.broadcast_stride(n, m, 1))
        for i, n, m in zip(index, shape, of, strict=True)
    )


def window_index(value: Value, index: Index) -> Index:
    """The index into the source of a window view."""
    axes = value.attrs["axes"]
    at = list(index[: value.args[0].rank])
    offsets = index[value.args[0].rank :]
    for axis, offset, stride, dilation in zip(
        axes, offsets, value.attrs["strides"], value.attrs["dilations"], strict=True
    ):
        at[axis] = at[axis].scale(stride) + offset.scale(dilation)
    return tuple(at)


def reshape_index(old: Sequence[Dim], new: Sequence[Dim], index: Index) -> Index:
    """The index into the source of a reshape whose every old axis is split, never merged."""
    pairs = blocks(old, new)
    if pairs is None:
        raise CompileError(f"a reshape from {list(old)} to {list(new)} cannot be read in place")
    at = [Affine()] * len(old)
    for run_old, run_new in pairs:
        if not run_old:
            continue
        if len(run_old) > 1:
            raise CompileError(f"a reshape from {list(old)} to {list(new)} cannot be read in place")
        total, step = Affine(), 1
        for axis in reversed(run_new):
            total = total + index[axis].scale(step)
            step = step * new[axis]  # type: ignore[assignment]
        at[run_old[0]] = total
    return tuple(at)


def lower(group: Group, places: Mapping[int, Place]) -> list[Kernel]:
    """The kernels of a loop group (a scatter takes two), or the epilogue of a contraction."""
    root, place = group.root, group.place
    assert place is not None
    low = Lowering(group, places)
    if root.prim in ("scatter_elements", "scatter_nd"):
        return _scatter(group, places)
    if group.kind == "contract":
        low.open(root.shape)
        plain = group.anchor is not None and group.anchor.prim == "conv"
        index = tuple(along(a) for a in low.outer)
        if plain:
            low.outer = (low.outer[0], *low.outer[2:], low.outer[1])
        low.tile = Buffer("tile", group.anchor.dtype if group.anchor else dt.F32, "tile")
        expr = low.expr(root, index)
        low.body.append(Store(low.buffer(place.storage, "out"), address(place, index), (), expr))
        product = group.anchor is not None and group.anchor.prim in ("dot", "dot_blockwise")
        return [low.finish(group.name, "product" if product else "tile")]
    reduced = group.reduced
    low.outer = tuple(Axis(f"i{a}", 1 if a in reduced else n) for a, n in enumerate(root.shape))
    for axis in reduced:
        if root.shape[axis] != 1:
            low.inner[axis] = Axis(f"r{axis}", root.shape[axis])
    index = tuple(
        along(low.inner[a])
        if a in low.inner and root.shape[a] != 1
        else along(x)
        if a not in reduced
        else Affine()
        for a, x in enumerate(low.outer)
    )
    expr = (
        low.load(root, index) if root.id in places and places[root.id] is not place else low.expr(root, index)
    )
    inner = tuple(low.inner[a] for a in reduced if root.shape[a] != 1)
    low.body.append(Store(low.buffer(place.storage, "out"), address(place, index), inner, expr))
    low.outer = tuple(x for a, x in enumerate(low.outer) if a not in reduced)
    return [low.finish(group.name)]


def lower_rows(
    scores: Group, shares: Group, places: Mapping[int, Place], read: Value | None = None
) -> Kernel:
    """What `shares` makes of whole rows of the product of `scores`, or of that as it is `read`, in place."""
    inlined = scores.inlined | shares.inlined | {scores.root.id}
    root, anchor = shares.root, scores.anchor if read is None else read
    low = Lowering(Group("loops", root, None, inlined, anchor, shares.reduced), places)
    low.open(root.shape[:-1])
    column = low.inner[root.rank - 1] = Axis(f"i{root.rank - 1}", root.shape[-1])
    low.tile, low.columns = Buffer("tile", root.dtype, "tile"), (column,)
    index = (*map(along, low.outer), along(column))
    expr = low.expr(root, index)
    low.body.append(Store(low.tile, index[-2] + index[-1], (column,), expr))
    return low.finish(shares.name, "rows")


def _scatter(group: Group, places: Mapping[int, Place]) -> list[Kernel]:
    """A copy of the data, then the updates, in order, on one thread for each independent part."""
    root, place = group.root, group.place
    assert place is not None
    data, indices, updates = root.args
    copy = Lowering(group, places)
    copy.open(root.shape)
    whole = tuple(along(a) for a in copy.outer)
    copy.body.append(
        Store(copy.buffer(place.storage, "out"), address(place, whole), (), copy.load(data, whole))
    )
    put = Lowering(group, places)
    put.open(updates.shape)
    index = tuple(along(a) for a in put.outer)
    if root.prim == "scatter_elements":
        axis: int = root.attrs["axis"]
        at = tuple(Affine() if a == axis else i for a, i in enumerate(index))
        picks: tuple[Pick, ...] = (Pick(put.expr(indices, index), place.strides[axis], root.shape[axis]),)
    else:
        depth = indices.shape[-1]
        assert isinstance(depth, int)
        head = index[: indices.rank - 1]
        picks = tuple(
            Pick(put.expr(indices, (*head, Affine(d))), place.strides[d], root.shape[d]) for d in range(depth)
        )
        at = (*(Affine() for _ in range(depth)), *index[indices.rank - 1 :])
    target = put.buffer(place.storage, "out")
    put.body.append(
        Store(target, address(place, at), (), put.expr(updates, index), picks, root.attrs["reduction"])
    )
    return [copy.finish(group.name), put.finish(group.name, serial=True)]


def lower_padding(group: Group, places: Mapping[int, Place]) -> Kernel:
    """Fill what lies around the inside of a pad: one slab before and one after on every padded axis."""
    root, place = group.root, group.place
    assert place is not None
    low, high = root.attrs["low"], root.attrs["high"]
    padded = [a for a in range(root.rank) if low[a] != 0 or high[a] != 0]
    build = Lowering(group, places)
    axes = [Axis(f"i{a}", n) for a, n in enumerate(root.shape)]
    build.outer = tuple(axes[: padded[0]])
    fill = root.args[1]
    value = build.expr(fill, (Affine(),) * fill.rank)
    target = build.buffer(place.storage, "out")
    source = root.args[0].shape
    for axis in padded:
        for start, count in ((0, low[axis]), (low[axis] + source[axis], high[axis])):
            if count == 0:
                continue
            inner = [
                Axis(f"s{a}", source[a])
                if a < axis and a in padded
                else Axis(f"s{a}", count)
                if a == axis
                else axes[a]
                for a in range(padded[0], root.rank)
            ]
            origin = [
                low[a] if a < axis and a in padded else start if a == axis else 0 for a in range(root.rank)
            ]
            index = tuple(along(x).shift(o) for x, o in zip([*build.outer, *inner], origin, strict=True))
            build.body.append(Store(target, address(place, index), tuple(inner), value))
    return build.finish(group.name)
