"""Which values share one kernel and which are stored. Knows groups and sizes; must not know loops or LLVM.

One walk from the outputs to the inputs. Each value learns its `owners`: the stored values whose kernels would
compute it. One owner that may take it: it lives inside that kernel. Otherwise it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sardonyx.base.dim import Dim
from sardonyx.base.report import Decision
from sardonyx.fuse.attention import with_attention
from sardonyx.fuse.legal import (
    aligned_map,
    can_fail,
    drops_reduced,
    may_anchor,
    on_host,
    reads_dense,
    reads_rows,
    reduced_axes,
    scatters_rows,
    why_not_dropped,
    why_not_reduce,
    why_not_turned,
)
from sardonyx.fuse.normed import with_normed
from sardonyx.fuse.repeated import is_costly, repeats
from sardonyx.fuse.storage import (
    BodyPlaces,
    assign_places,
    is_in_place,
    keeps_axes,
    part_places,
    same_place,
)
from sardonyx.fuse.windowed import with_windowed
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.place import Place, Storage, blocks, contiguous_strides, view
from sardonyx.ir.prims import PRIMS
from sardonyx.ir.value import Value

_TRANSPARENT = frozenset({"reshape", "transpose", "broadcast", "slice", "window"})
_READ_COST = 1.0
"""Instructions to read a vector back."""
_DEEPEST = 100
"""Values inlined into each other; the texts of longer expressions would exhaust the stack."""
_PLACE_USERS = frozenset({"scan", "opaque", "control", "contract"})


class _Walk:
    """The state of the walk over one graph."""

    def __init__(self, graph: Graph, native: frozenset[str], forced: Mapping[int, str]) -> None:
        self.graph = graph
        self.native = native
        self.forced = forced
        self.order = graph.order()
        self.outputs = {v.id for _, v in graph.outputs}
        self.size_sources = {u.value.id for u in graph.data_sizes.values()}
        self.hosted: dict[int, bool] = {}
        self.owners: dict[int, dict[int, Value]] = {}
        self.aligned: dict[int, bool] = {}
        self.dropped: dict[int, bool] = {}
        self.needs_place: set[int] = set()
        self.needs_rows: set[int] = set()
        self.needs_dense: set[int] = set()
        self.read_dense: set[int] = set()
        self.contiguous: set[int] = set()
        self.stored: dict[int, Value] = {}
        self.anchor: dict[int, Value] = {}
        self.promised: set[int] = set()
        self.repeated: set[int] = set()
        self.reduced: dict[int, tuple[int, ...]] = {}
        self.extents: dict[int, tuple[Dim, ...]] = {}
        self.inlined: dict[int, set[int]] = {}
        self.failing: set[int] = set()
        self.depth: dict[int, int] = {}
        self.items: dict[int, list[Value]] = {}
        self.decisions: list[Decision] = []
        self.subjects: dict[int, str] = {}

    def subject(self, value: Value) -> str:
        """How decisions name a value; written once, not once a decision."""
        if value.id not in self.subjects:
            self.subjects[value.id] = subject(value)
        return self.subjects[value.id]

    def on_host(self, value: Value) -> bool:
        """Whether an operation runs in Python; asked once, not once an operand."""
        if value.id not in self.hosted:
            self.hosted[value.id] = on_host(value, self.native)
        return self.hosted[value.id]

    def decide(self, value: Value) -> None:
        """Store the value or inline it, and pass the consequences to its arguments."""
        counted = value.prim == "iota" and value.id in self.needs_place
        if (value.kind == "source" and not counted) or value.prim == "result":
            if value.prim == "result":
                self.stored[value.id] = value
                self.stored[value.args[0].id] = value.args[0]
                self.items.setdefault(value.args[0].id, []).append(value)
            return
        reason = self.why_stored(value)
        if reason:
            self.store(value, reason)
        owners = {value.id: value} if value.id in self.stored else self.owners.get(value.id, {})
        for owner in owners:
            if owner != value.id:
                self.inlined.setdefault(owner, set()).add(value.id)
        if can_fail(value):
            self.failing.update(owners)
        if not reason and value.kind in ("map", "reduce", "contract", "index"):
            self.decisions.append(self.fused(value, owners.values()))
        self.ask_arguments(value, owners)

    def why_stored(self, value: Value) -> str | None:
        """The reason to give this value memory, or None to compute it inside its one user."""
        if value.id in self.outputs:
            return "it is an output"
        if value.id in self.size_sources:
            return "sizes depend on its content"
        if self.on_host(value):
            return "it runs on the host"
        if value.prim in ("pad", "concat") or value.kind in ("scan", "opaque", "control"):
            return f"{value.prim} writes memory"
        if value.prim in ("scatter_elements", "scatter_nd"):
            return "it is written out of order"
        if value.prim in _TRANSPARENT:
            return self.forced.get(value.id) or self.why_copy(value)
        owners = self.owners.get(value.id, {})
        if self.depth.get(value.id, 0) > _DEEPEST:
            return "its reader is a long chain already"
        if value.id in self.needs_place:
            return "it is read by a kernel that needs it in memory"
        if len(owners) > 1 and not self.is_cheap(value) and not self.is_spread(value, owners):
            return f"it is read by {len(owners)} kernels"
        if can_fail(value) and any(owner in self.anchor for owner in owners):
            return "an epilogue cannot report bad data"
        if value.kind == "contract":
            return self.why_not_anchor(value, owners)
        if value.kind == "reduce":
            return self.why_not_reduce(value, owners)
        if value.id in self.repeated and is_costly(value, owners.values()):
            return "it is the same for many rows of its reader"
        if turned := next(filter(None, (why_not_turned(value, owner) for owner in owners.values())), None):
            return turned
        return self.why_points(value, owners)

    def why_points(self, value: Value, owners: dict[int, Value]) -> str | None:
        """Points of a product that cannot follow it inside their reader are stored in place of its sums."""
        product = _rounded_product(value)
        if product is None or len(owners) != 1:
            return None
        owner = next(iter(owners.values()))
        taken = owner.id in self.anchor or owner.id in self.promised or owner.id in self.reduced
        if taken or may_anchor(product, owner, aligned=self.aligned.get(value.id, False)):
            return "points take less memory than the sums they are made of"
        self.promised.add(owner.id)
        return None

    def is_cheap(self, value: Value) -> bool:
        """Whether computing it again costs no more than reading it back."""
        big = [a for a in value.args if a.size != 1]
        return _is_quick(value) and len(big) <= 1 and all(a.kind == "source" for a in big)

    def is_spread(self, value: Value, owners: dict[int, Value]) -> bool:
        """Whether what is reduced, and read again, is cheaply made of operands that are much smaller."""
        big = [n for n, a in enumerate(value.args) if a.size != 1]
        reduced = any(owner in self.reduced for owner in owners)
        small = (repeats(value, n) or value.args[n].shape[-1] == 1 for n in big)
        return _is_quick(value) and reduced and bool(big) and all(small)

    def why_copy(self, value: Value) -> str | None:
        """A view is copied only if a kernel needs it in memory in a way its source is not."""
        if value.id in self.needs_dense:
            return "its reader needs it contiguous in memory"
        if value.id not in self.needs_place:
            return None
        return self.why_unfit(value, self.imagined(value))

    def why_unfit(self, value: Value, place: Place | None) -> str | None:
        """The reason why a view cannot be read in memory where it is."""
        if place is None:
            return "the view cannot be read in place"
        if value.id in self.needs_rows and (value.rank == 0 or place.strides[-1] != 1):
            return "its rows are not contiguous"
        return None

    def unfit(self, places: Mapping[int, Place]) -> dict[int, str]:
        """The views that are not where they were imagined, because one under them is stored too, and why."""
        found = {}
        for value in self.order:
            if value.prim == "reshape" and self.is_torn(value, places):
                found[value.args[0].id] = "its reader joins axes that lie apart in memory"
                continue
            if value.prim not in _TRANSPARENT or value.id not in self.needs_place or value.id in self.stored:
                continue
            place = places.get(value.id)
            reason = self.why_unfit(value, place)
            if place is not None and value.id in self.read_dense:
                dense = place.strides == contiguous_strides(value.shape)
                reason = reason or (None if dense else "its reader needs it contiguous in memory")
            if reason:
                found[value.id] = reason
        return found

    def is_torn(self, value: Value, places: Mapping[int, Place]) -> bool:
        """Whether a reshape joins axes of a view that lie apart where that is."""
        source = value.args[0]
        place = places.get(source.id)
        if place is None or source.id in self.stored or source.prim not in _TRANSPARENT:
            return False
        return _merges(source, value) and view(value, place) is None

    def imagined(self, value: Value) -> Place | None:
        """The place this view would have if what lies under its views were stored contiguously."""
        if value.prim not in _TRANSPARENT:
            return _whole(value)
        under = value.args[0]
        place = _whole(under) if under.id in self.outputs else self.imagined(under)
        return None if place is None else view(value, place)

    def why_not_anchor(self, value: Value, owners: dict[int, Value]) -> str | None:
        if len(owners) != 1:
            return "nothing follows it"
        owner = next(iter(owners.values()))
        reason = may_anchor(value, owner, aligned=self.aligned.get(value.id, False))
        if not reason and owner.id in self.anchor:
            reason = f"{owner.prim} already follows another product"
        if not reason and owner.id in self.reduced:
            reason = f"{owner.prim} reduces over axes that the tile splits"
        if not reason and owner.id in self.failing:
            reason = "an epilogue cannot report bad data"
        if reason:
            self.decisions.append(Decision(self.subject(value), "not fused", reason))
            return reason
        self.anchor[owner.id] = value
        return None

    def why_not_reduce(self, value: Value, owners: dict[int, Value]) -> str | None:
        if len(owners) != 1:
            return "nothing follows it"
        owner = next(iter(owners.values()))
        dropped = self.dropped.get(value.id, False)
        if dropped:
            reason = why_not_dropped(value, owner)
        else:
            reason = why_not_reduce(value, owner, aligned=self.aligned.get(value.id, False))
        axes = reduced_axes(value)
        if not reason and dropped and owner.id in self.reduced:
            reason = "its reader has another reduction"
        if not reason and owner.id in self.anchor:
            reason = "its reader already follows a product"
        extents = tuple(value.args[0].shape[a] for a in axes)
        if not reason and self.reduced.get(owner.id, axes) != axes:
            reason = "its reader reduces over other axes"
        if not reason and self.extents.get(owner.id, extents) != extents:
            reason = "its reader reduces over other sizes"
        if reason:
            self.decisions.append(Decision(self.subject(value), "not fused", reason))
            return reason
        self.reduced[owner.id] = () if dropped else axes
        self.extents[owner.id] = extents
        return None

    def store(self, value: Value, reason: str) -> None:
        """Give the value memory."""
        self.stored[value.id] = value
        self.aligned[value.id] = True
        if value.kind == "reduce":
            axes = reduced_axes(value)
            self.reduced[value.id] = axes
            self.extents[value.id] = tuple(value.args[0].shape[a] for a in axes)
        if value.kind == "contract":
            self.anchor[value.id] = value
        self.decisions.append(Decision(self.subject(value), "stored", reason))

    def fused(self, value: Value, owners: Iterable[Value]) -> Decision:
        """That a value is computed where it is read, and the bytes it need not be written and read back."""
        size = value.size * value.dtype.size_bytes
        reason = f"computed inside {' and '.join(map(self.subject, owners))}"
        return Decision(self.subject(value), "fused", reason, 2 * size if isinstance(size, int) else 0)

    def ask_arguments(self, value: Value, owners: dict[int, Value]) -> None:
        """Tell each argument who computes it, and whether it must be in memory."""
        is_stored = value.id in self.stored
        transparent = value.prim in _TRANSPARENT and not is_stored
        depth = 1 if is_stored else self.depth.get(value.id, 0) + 1
        aligned = self.aligned.get(value.id, True)
        for number, arg in enumerate(value.args):
            if arg.data is not None:
                continue
            self.owners.setdefault(arg.id, {}).update(owners)
            self.depth[arg.id] = max(self.depth.get(arg.id, 0), depth)
            self.aligned[arg.id] = aligned and self.aligned.get(arg.id, True) and aligned_map(value, arg)
            self.dropped[arg.id] = aligned and self.dropped.get(arg.id, True) and drops_reduced(value, arg)
            if transparent and value.id in self.needs_place:
                self.needs_place.add(arg.id)
            if (transparent and value.id in self.repeated) or repeats(value, number):
                self.repeated.add(arg.id)
            if self.demands_place(value, number):
                self.needs_place.add(arg.id)
                if reads_rows(value, number):
                    self.needs_rows.add(arg.id)
            if value.prim == "dot" and number == 0 and scatters_rows(value, self.imagined(arg)):
                self.needs_dense.add(arg.id)
            if reads_dense(value, number):
                self.contiguous.add(arg.id)
                self.read_dense.add(arg.id)
                place = self.imagined(arg)
                if place is None or place.strides != contiguous_strides(arg.shape):
                    self.needs_dense.add(arg.id)
            if value.prim == "reshape" and (value.id in self.contiguous or not keeps_axes(arg, value)):
                self.contiguous.add(arg.id)
                if _merges(arg, value):
                    self.needs_place.add(arg.id)
                    if self.imagined(value) is None:
                        self.needs_dense.add(arg.id)
            elif transparent and value.id in self.contiguous:
                self.contiguous.add(arg.id)

    def demands_place(self, value: Value, number: int) -> bool:
        """Whether the operand must be in memory for this operation."""
        if value.kind in _PLACE_USERS or self.on_host(value):
            return True
        if value.prim in ("gather", "gather_elements", "gather_nd", "window"):
            return number == 0
        if value.prim in ("pad", "concat"):
            return number == 0 or value.prim == "concat"
        return value.prim in ("scatter_elements", "scatter_nd")


def _is_quick(value: Value) -> bool:
    """Whether it is a map that takes no longer than to read its result."""
    return value.kind == "map" and PRIMS[value.prim].instructions(value.dtype) <= _READ_COST


def _rounded_product(value: Value) -> Value | None:
    """The product that a cast to 8 bits rounds, element by element."""
    if value.prim != "cast" or not value.dtype.is_int or value.dtype.bits != 8:
        return None
    while value.kind == "map":
        below = [a for a in value.args if not a.is_const and a.shape == value.shape]
        if len(below) != 1:
            return None
        value = below[0]
    return value if value.kind == "contract" else None


def _whole(value: Value) -> Place:
    return Place(Storage("arena", value.dtype, value.size), 0, contiguous_strides(value.shape))


def subject(value: Value) -> str:
    """How decisions name a value: its operation, its type and the nodes it came from."""
    nodes = f" of {', '.join(value.origins)}" if value.origins else ""
    return f"{value.prim} {value.dtype}[{','.join(map(str, value.shape))}]{nodes}"


def _merges(source: Value, target: Value) -> bool:
    """Whether reading `source` through this reshape needs more than an affine index."""
    pairs = blocks(source.shape, target.shape)
    return pairs is None or any(len(old) > 1 for old, _ in pairs)


def partition(graph: Graph, native: frozenset[str] = frozenset(), given: BodyPlaces | None = None) -> Fusion:
    """Group the values of a graph into kernels and give every stored value a place.

    `native` names the opaque primitives that have kernels; the others run on the host. `given` are the
    places of inputs and outputs of a graph inside another one.
    """
    forced: dict[int, str] = {}
    while True:
        walk = _Walk(graph, native, forced)
        for value in reversed(walk.order):
            walk.decide(value)
        places, outputs, copies = assign_places(
            graph, walk.order, walk.stored, walk.contiguous, native, given
        )
        unfit = walk.unfit(places)
        if not unfit:
            break
        forced.update(unfit)
    groups = []
    for value in walk.order:
        if value.id in walk.stored:
            groups.extend(_groups_of(walk, value, places))
    for join in (with_attention, with_windowed, with_normed):
        groups = join(graph, groups, places)
    for root, place in copies:
        groups.append(Group("loops", root, place))
    return Fusion(graph, _hosts_outside(graph, groups), places, outputs, tuple(walk.decisions))


def _hosts_outside(graph: Graph, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Steps of the host before all kernels if they read only inputs, after all if no kernel needs them.

    Each step among kernels splits a native call in two.
    """
    first, last = _reading_inputs(graph, groups), _read_by_none(graph, groups)
    early = [group for group in groups if group.root.id in first]
    late = [group for group in groups if group.root.id in last - first]
    return (*early, *(group for group in groups if group.root.id not in first | last), *late)


def _steps(groups: Iterable[Group]) -> Iterator[Value]:
    return (g.root for g in groups if g.kind == "host" and g.root.kind != "control")


def _reading_inputs(graph: Graph, groups: Sequence[Group]) -> set[int]:
    """Steps of the host that read nothing but inputs and one another."""
    known = {v.id for v in graph.inputs}
    found: set[int] = set()
    for root in _steps(groups):
        args = (a.args[0] if a.prim == "result" else a for a in root.args)
        sizes = (graph.data_sizes[n].value.id for n in symbols_of(root) if n in graph.data_sizes)
        if all(a.data is not None or a.id in known for a in args) and {*known, root.id}.issuperset(sizes):
            known.add(root.id)
            found.add(root.id)
    return found


def _read_by_none(graph: Graph, groups: Sequence[Group]) -> set[int]:
    """Steps of the host whose results and sizes only outputs and one another read."""
    uses = graph.uses()
    found: set[int] = set()
    sources = {size.value.id for size in graph.data_sizes.values()}
    for root in _steps(reversed(groups)):
        items = [u for u in uses.get(root.id, ()) if u.prim == "result"]
        users = {u.id for v in (root, *items) for u in uses.get(v.id, ()) if u.prim != "result"}
        if root.id not in sources and users <= found:
            found.add(root.id)
    return found


def _groups_of(walk: _Walk, value: Value, places: dict[int, Place]) -> list[Group]:
    place = places.get(value.id)
    inlined = frozenset(walk.inlined.get(value.id, set()))
    if value.prim == "result":
        return []
    if walk.on_host(value):
        return [Group("host", value, place)]
    if is_in_place(value, places):
        return []
    if value.kind in ("scan", "opaque", "control"):
        return [Group("opaque", value, place, results=_result_places(walk, value, places))]
    if value.prim == "pad":
        return [*_parts(value, places), Group("padding", value, place)]
    if value.prim == "concat":
        return [*_parts(value, places), Group("concat", value, place)]
    if value.id in walk.anchor:
        return [Group("contract", value, place, inlined, walk.anchor[value.id])]
    return [Group("loops", value, place, inlined, None, walk.reduced.get(value.id, ()))]


def _result_places(walk: _Walk, value: Value, places: dict[int, Place]) -> tuple[Place | None, ...]:
    items = {item.attrs["index"]: places.get(item.id) for item in walk.items.get(value.id, ())}
    return tuple(items.get(number) for number in range(len(value.results)))


def _parts(value: Value, places: dict[int, Place]) -> list[Group]:
    """Copies of those parts of a pad or concat that are not stored inside it already."""
    target = places[value.id]
    copies = []
    for part, inner in part_places(value, target):
        if not same_place(places.get(part.id), inner, part.shape):
            copies.append(Group("loops", part, inner))
    return copies
