"""What an operator sees of a subgraph attribute (the branches of If, the body of Loop and Scan).

Decides how a body is joined to its surroundings: built in place, or closed into a graph of its own.
Must not know how ONNX writes subgraphs down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from sardonyx.base import dim as dims
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.data_size import DataSize, collect_data_sizes
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.obligation import Obligation
from sardonyx.ir.premise import collect_premises
from sardonyx.ir.value import Value, placeholder

Inline = Callable[..., tuple[Value, ...]]
"""Builds a subgraph over arguments in place."""


@dataclass(frozen=True, slots=True)
class Formal:
    """A declared input or output of a subgraph; None where the model leaves it open."""

    name: str
    dtype: DType | None
    shape: tuple[Dim | None, ...] | None


@dataclass(frozen=True, slots=True)
class Body:
    """A subgraph as a graph of its own.

    `graph.inputs` are the formal values followed by one placeholder for each of `captures`, the outer
    values it reads. `names` are the outer sizes it depends on, `sizes` what they are outside: a control
    primitive keeps both in its attributes and runs the graph with `dict(zip(names, sizes))` bound.
    """

    graph: Graph
    captures: tuple[Value, ...]
    names: tuple[str, ...]
    sizes: tuple[Dim, ...]


def closed_graph(
    inputs: tuple[Value, ...],
    outputs: tuple[tuple[str, Value], ...],
    data_sizes: Mapping[str, DataSize],
    noted: Iterable[Obligation],
) -> Graph:
    """A graph that keeps only the data-dependent sizes that its values or what is noted of sizes mention."""
    graph = Graph(inputs, outputs, data_sizes, tuple(noted))
    if not data_sizes:
        return graph
    used = {name for value in (*inputs, *graph.order()) for name in symbols_of(value)}
    used |= {name for o in graph.obligations for name in dims.symbols(o.dim)}
    return replace(graph, data_sizes={name: u for name, u in data_sizes.items() if name in used})


def enclosed(
    formals: Sequence[Value],
    names: Sequence[str],
    build: Callable[[], Sequence[Value]],
    captured: Mapping[int, tuple[Value, Value]],
) -> Body:
    """What `build` makes, as a graph with inputs `formals`; `captured` pairs outer values with stand-ins."""
    with collect_data_sizes() as data_sizes, collect_premises() as noted, dims.assuming():
        results = build()
    outer, inner = [o for o, _ in captured.values()], [i for _, i in captured.values()]
    outputs = tuple(zip(names, results, strict=True))
    graph = closed_graph((*formals, *inner), outputs, data_sizes, noted.values())
    bound = set(graph.symbols()) | set(graph.data_sizes)
    values = [symbols_of(v) for v in (*graph.inputs, *graph.order())]
    checked = [dims.symbols(o.dim) for o in graph.obligations]
    mentioned = {s: None for names in (*values, *checked) for s in sorted(names)}
    free = tuple(s for s in mentioned if s not in bound)
    return Body(graph, tuple(outer), free, tuple(dims.symbol(s, None) for s in free))


class SubGraph(Protocol):
    """A subgraph attribute, not yet built."""

    @property
    def inputs(self) -> tuple[Formal, ...]:
        """The declared formal inputs."""

    @property
    def outputs(self) -> tuple[Formal, ...]:
        """The declared outputs."""

    @property
    def built(self) -> int:
        """How many nodes of the model are built so far: what is made of a body has cost the difference."""

    def inline(self, *args: Value | None) -> tuple[Value, ...]:
        """The results of the body over these arguments, built among the values around it."""

    def close(self, formals: Sequence[Value], args: Sequence[Value] | None = None) -> Body:
        """The body over `args` as a graph whose first inputs are `formals` (made by `placeholder`).

        `args` are values over the formals, those themselves by default.
        """

    def enclose(
        self,
        formals: Sequence[Value],
        names: Sequence[str],
        formula: Callable[[Inline], Sequence[Value]],
    ) -> Body:
        """What a formula makes of the body, which it builds in place, as a graph with inputs `formals`."""


class _Written:
    """What bodies that a formula writes have in common: names of arguments and results."""

    __slots__ = ()
    arguments: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def inputs(self) -> tuple[Formal, ...]:
        """Its formal inputs, of any type and shape."""
        return tuple(Formal(name, None, None) for name in self.arguments)

    @property
    def outputs(self) -> tuple[Formal, ...]:
        """Its outputs, of any type and shape."""
        return tuple(Formal(name, None, None) for name in self.results)

    @property
    def built(self) -> int:
        """See `SubGraph`: a formula has no nodes."""
        return 0


@dataclass(frozen=True, slots=True)
class Formula(_Written):
    """A body that a formula writes over its arguments and over outer values; `results` names what it gives.

    The formula gets `outer` after its arguments, and may use no other values that are not constants.
    """

    arguments: tuple[str, ...]
    results: tuple[str, ...]
    formula: Callable[..., tuple[Value, ...]]
    outer: tuple[Value, ...] = ()

    def inline(self, *args: Value | None) -> tuple[Value, ...]:
        """What the formula gives, built among the values around it."""
        return self.formula(*args, *self.outer)

    def close(self, formals: Sequence[Value], args: Sequence[Value] | None = None) -> Body:
        """The formula over `args`, by default the formals, as a graph of its own."""
        return self.enclose(
            formals, self.results, lambda inline: inline(*(formals if args is None else args))
        )

    def enclose(
        self,
        formals: Sequence[Value],
        names: Sequence[str],
        formula: Callable[[Inline], Sequence[Value]],
    ) -> Body:
        """What another formula makes of this one, as a graph with inputs `formals`."""
        inner = [
            v if v.is_const else placeholder(f"outer_{n}", v.dtype, v.shape) for n, v in enumerate(self.outer)
        ]
        captured = {o.id: (o, i) for o, i in zip(self.outer, inner, strict=True) if i is not o}
        return enclosed(formals, names, lambda: formula(lambda *args: self.formula(*args, *inner)), captured)


@dataclass(frozen=True, slots=True)
class Around(_Written):
    """A body that a formula writes around a subgraph of the model; `results` names what it gives."""

    inner: SubGraph
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    formula: Callable[[Inline, Sequence[Value]], Sequence[Value]]

    @property
    def built(self) -> int:
        """See `SubGraph`."""
        return self.inner.built

    def inline(self, *args: Value) -> tuple[Value, ...]:
        """What the formula gives, built among the values around it."""
        return tuple(self.formula(self.inner.inline, args))

    def close(self, formals: Sequence[Value], args: Sequence[Value] | None = None) -> Body:
        """The formula over `args`, by default the formals, as a graph of its own."""
        given = formals if args is None else args
        return self.inner.enclose(formals, self.results, lambda inline: self.formula(inline, given))
