"""`Group`: the values that become one kernel; and `Fusion`, all groups of a graph with their storage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from sardonyx.base.dataclass import dataclass
from sardonyx.base.report import Decision
from sardonyx.ir.graph import Graph
from sardonyx.ir.place import Place
from sardonyx.ir.value import Value

GroupKind: TypeAlias = Literal[
    "loops", "contract", "opaque", "host", "padding", "concat", "attention", "windowed", "normed"
]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One kernel to be: `root` is stored at `place`; `inlined` values live only inside the kernel.

    `kind`: "loops" (maps, views and reductions over `reduced` axes of one shape), "contract" (`anchor` with
    an epilogue), "opaque" (an algorithm of its own), "host" (runs in Python), "padding" (what a pad adds
    around its operand), "concat" (no work: its parts are stored in place), "attention" (three groups in one,
    `parts`: scores, the shares that softmax makes of them, and their product with values; only the last is
    stored), "windowed" (a convolution, its pad if it has one, and a loop nest with windows that alone reads
    it, as `parts`: what is between need not be stored whole), "normed" (a norm of channels and a convolution
    of one tap that alone reads it, and what is joined to that, as `parts`). `results` are the places of the
    results of a many-result root, None where unused.
    """

    kind: GroupKind
    root: Value
    place: Place | None
    inlined: frozenset[int] = frozenset()
    anchor: Value | None = None
    reduced: tuple[int, ...] = ()
    results: tuple[Place | None, ...] = ()
    parts: tuple[Group, ...] = ()

    @property
    def name(self) -> str:
        """What to call it in messages."""
        if self.root.prim == "input":
            return f"copy of {self.root.attrs['name']}"
        return f"{self.root.prim} of {self.root.origins[0]}" if self.root.origins else self.root.prim


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """The groups of a graph in execution order, where stored values live, and why."""

    graph: Graph
    groups: tuple[Group, ...]
    places: Mapping[int, Place]
    outputs: tuple[Place | None, ...]
    decisions: tuple[Decision, ...]
