"""`Graph`: inputs, outputs and what lies between, in dependency order. Immutable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass, field, replace
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.data_size import DataSize
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.value import Value, make


@dataclass(frozen=True, eq=False)
class Graph:
    """A computation.

    `outputs` pairs names with values. `data_sizes` says where data-dependent sizes come from. `obligations`
    must hold of the sizes, whether or not any value is left that rests on them.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[tuple[str, Value], ...]
    data_sizes: Mapping[str, DataSize] = field(default_factory=dict)
    obligations: tuple[Obligation, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        return restored, flattened(self)

    def order(self) -> list[Value]:
        """All values that the outputs and the obligations need, each after what it depends on."""
        return list(self._ordered)

    @cached_property
    def _ordered(self) -> tuple[Value, ...]:
        roots = [*(v for _, v in self.outputs), *self._sources(o.dim for o in self.obligations)]
        seen: set[int] = set()
        result: list[Value] = []
        above: list[Value] = []
        waiting = [iter(roots)]
        while waiting:
            for value in waiting[-1]:
                if value.id not in seen:
                    seen.add(value.id)
                    above.append(value)
                    waiting.append(iter(self.needs(value)))
                    break
            else:
                waiting.pop()
                if above:
                    result.append(above.pop())
        return tuple(result)

    @cached_property
    def primitives(self) -> frozenset[str]:
        """Those of its values: what a pass looks for may be among them."""
        return frozenset([value.prim for value in self._ordered])

    @cached_property
    def results(self) -> Mapping[int, Sequence[Value]]:
        """Those values that are results of one with several, by its id."""
        found: dict[int, list[Value]] = {}
        for value in self._ordered:
            if value.prim == "result":
                found.setdefault(value.args[0].id, []).append(value)
        return found

    @property
    def weight_bytes(self) -> int:
        """Bytes of all its numeric constants."""
        return sum(v.data.nbytes for v in self._ordered if v.data is not None and v.is_numeric_const)

    @property
    def grows(self) -> bool:
        """Whether an axis of a result is the sum of others, as of what was kept and what is new."""
        return any(_is_sum(size) for _, value in self.outputs for size in value.shape)

    def needs(self, value: Value) -> Sequence[Value]:
        """What must be computed before `value`: its arguments and the sources of its data-dependent sizes."""
        if not self.data_sizes:
            return value.args
        sizes = [self.data_sizes[name] for name in symbols_of(value) if name in self.data_sizes]
        return (*value.args, *(size.value for size in sizes if size.value is not value))

    def _sources(self, sizes: Iterable[Dim]) -> Iterator[Value]:
        """Where the data-dependent symbols in sizes come from."""
        for name in sorted({n for size in sizes for n in dims.symbols(size)} if self.data_sizes else ()):
            if name in self.data_sizes:
                yield self.data_sizes[name].value

    def falls_back(self) -> bool:
        """Whether a node of it runs through ONNX's reference evaluator."""
        return any(value.prim == "reference" for value in self.order())

    def uses(self) -> dict[int, list[Value]]:
        """The users of each value, by its id."""
        users: dict[int, list[Value]] = {}
        for value in self.order():
            for arg in value.args:
                users.setdefault(arg.id, []).append(value)
        return users

    def symbols(self) -> dict[str, tuple[int, int]]:
        """For each symbol that is directly a size of an input: (input number, axis)."""
        found: dict[str, tuple[int, int]] = {}
        for number, value in enumerate(self.inputs):
            for axis, size in enumerate(value.shape):
                name = dims.symbol_name(size)
                if name is not None:
                    found.setdefault(name, (number, axis))
        return found

    def map(self, change: Callable[[Value, tuple[Value, ...]], Value]) -> Graph:
        """A graph whose values are `change(old value, new arguments)`, bottom up; inputs stay."""
        new: dict[int, Value] = {v.id: v for v in self.inputs}
        is_same = True
        for value in self._ordered:
            if value.id not in new:
                args = tuple([new[a.id] for a in value.args])
                result = change(value, args)
                is_same = is_same and result is value
                if result is not value and not result.origins:
                    is_rebuilt = result.args is args
                    inherit(result, value.origins if is_rebuilt else _nodes(value, _absorbed(result, args)))
                new[value.id] = result
        return self if is_same else self.renewed(lambda value: new.get(value.id, value))

    def renewed(self, new: Callable[[Value], Value]) -> Graph:
        """A graph of what its outputs and the sources of its data-dependent sizes became; inputs stay."""
        sizes = {n: DataSize(new(u.value), u.index, u.result) for n, u in self.data_sizes.items()}
        return replace(self, outputs=tuple((n, new(v)) for n, v in self.outputs), data_sizes=sizes)


def _is_sum(size: Dim) -> bool:
    """Whether several unknowns are added."""
    return isinstance(size, dims.Expr) and sum(bool(monomial) for monomial, _ in size.terms) > 1


def inherit(result: Value, origins: Iterable[str]) -> None:
    """A result comes from these nodes, and so do values built on the way to it; not those that have some."""
    origins = tuple(dict.fromkeys(origins))
    unnamed = [result] if origins else []
    for value in unnamed:
        if not value.origins and value.data is None and value.kind != "source":
            value.origins = origins
            unnamed += value.args


def renamed(made: Value, value: Value) -> Value:
    """What was made in place of a value: it comes from the same nodes, unless it has some."""
    if made is not value and not made.origins:
        inherit(made, value.origins)
    return made


def _unnamed(result: Value) -> list[Value]:
    """What a result was just built of: itself, and those before it that come from no node so far."""
    found = [result] if not result.origins and result.kind != "source" else []
    known = {value.id for value in found}
    for value in found:
        fresh = [a for a in value.args if not a.origins and a.kind != "source" and a.id not in known]
        known.update(a.id for a in fresh)
        found += fresh
    return found


def _nodes(value: Value, absorbed: Iterable[str]) -> Sequence[str]:
    """The nodes of a value and those that became part of it, that of a product first."""
    if value.kind == "contract":
        return (*value.origins, *absorbed)
    return (*absorbed, *value.origins)


def _absorbed(result: Value, args: Sequence[Value]) -> Iterator[str]:
    """The nodes of arguments whose work a result does itself, as a convolution does a factor after it."""
    before = {a.id for value in _unnamed(result) for a in value.args}
    for arg in args:
        if arg.id not in before and arg.kind not in ("source", "view"):
            yield from arg.origins


def rebuild(value: Value, args: tuple[Value, ...]) -> Value:
    """The same operation over other arguments."""
    if args == value.args:
        return value
    unknown = [a for a in args if a.data is None]
    if unknown and [a.dtype for a in args] == [a.dtype for a in value.args]:
        return value.over(args)
    return make(value.prim, args, value.attrs, value.dtype, value.shape, value.results)


def symbols_of(value: Value) -> frozenset[str]:
    """The symbols in a value's shape, attributes, results and symbolic content."""
    if value.symbols is not None:
        return value.symbols
    names: set[str] = set()
    _collect(value.shape, names)
    _collect(value.attrs, names)
    _collect(value.results, names)
    if value.data is not None and value.data.dtype == object and value.dtype.kind != "O":
        _collect(value.data.flat, names)
    value.symbols = frozenset(names)
    return value.symbols


_PLAIN = (int, float, str, bytes, DType)
"""Attributes that hold no sizes."""


def _collect(data: Any, names: set[str]) -> None:
    if isinstance(data, dims.Expr):
        names |= dims.symbols(data)
    elif isinstance(data, _PLAIN):
        return
    elif isinstance(data, (dict, Mapping)):
        for item in data.values():
            _collect(item, names)
    elif isinstance(data, (tuple, list, Sequence)) or hasattr(data, "__next__"):
        for item in data:
            if type(item) is not int:
                _collect(item, names)


def flattened(graph: Graph) -> tuple[Any, ...]:
    """The graph as tuples without references between values; see `restored`."""
    order = [*graph.inputs, *(v for v in graph.order() if v.prim != "input")]
    sources = [u.value for u in graph.data_sizes.values()]
    known = {v.id for v in order}
    for value in [w for source in sources for w in Graph((), (("", source),)).order()]:
        if value.id not in known:
            known.add(value.id)
            order.append(value)
    at = {v.id: number for number, v in enumerate(order)}
    rows = tuple(
        (
            *(v.prim, tuple(at[a.id] for a in v.args), v.attrs, v.dtype, v.shape),
            *(v.data, v.results, v.exact, v.origins),
        )
        for v in order
    )
    outputs = tuple((name, at[v.id]) for name, v in graph.outputs)
    data_sizes = tuple((name, at[u.value.id], u.index, u.result) for name, u in graph.data_sizes.items())
    return rows, len(graph.inputs), outputs, data_sizes, graph.obligations


def restored(
    rows: Sequence[tuple[Any, ...]],
    inputs: int,
    outputs: Sequence[tuple[str, int]],
    data_sizes: Sequence[tuple[str, int, int, int | None]],
    obligations: tuple[Obligation, ...],
) -> Graph:
    """The graph that `flattened` took apart, of new values."""
    values: list[Value] = []
    for prim, args, attrs, dtype, shape, data, results, exact, origins in rows:
        value = Value(prim, tuple(values[a] for a in args), attrs, dtype, shape, data, results, exact)
        value.origins = origins
        values.append(value)
    return Graph(
        tuple(values[:inputs]),
        tuple((name, values[number]) for name, number in outputs),
        {name: DataSize(values[number], index, result) for name, number, index, result in data_sizes},
        obligations,
    )
