"""What an operator sees of a subgraph attribute (the branches of If, the body of Loop and Scan).

Decides how a body is joined to its surroundings: built in place, or closed into a graph of its own.
Must not know how ONNX writes subgraphs down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value


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


class SubGraph(Protocol):
    """A subgraph attribute, not yet built."""

    @property
    def inputs(self) -> tuple[Formal, ...]:
        """The declared formal inputs."""

    @property
    def outputs(self) -> tuple[Formal, ...]:
        """The declared outputs."""

    def inline(self, *args: Value | None) -> tuple[Value, ...]:
        """The results of the body over these arguments, built among the values around it."""

    def close(self, formals: Sequence[Value], args: Sequence[Value] | None = None) -> Body:
        """The body over `args` as a graph whose first inputs are `formals` (made by `placeholder`).

        `args` are values over the formals, those themselves by default.
        """
