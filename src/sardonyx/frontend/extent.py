"""How many nodes a model has with its functions and bodies written out, and how deep they are nested.

Decides what is too much, if it can before anything is built: forty functions that each call the next one
twice are more nodes than any memory holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sardonyx.errors import LoadError

if TYPE_CHECKING:
    import onnx

MAX_DEPTH = 64
MAX_NODES = 500_000
"""Nodes of one model with all its functions and bodies written out; functions that call others may be few."""
MAX_REPEATS = 50
"""How often nodes may be built, on average: a loop that changes sizes has its body built twice or more."""
FEW_NODES = 20_000
"""So many may be built whatever they repeat."""

Key = tuple[str, str, str]
"""Domain, name and overload of a function."""


class _Size(NamedTuple):
    nodes: int
    depth: int


class Extent:
    """The size of a model; counts the nodes that are `built`."""

    def __init__(self) -> None:
        self.built = 0
        self._functions: Mapping[Key, onnx.FunctionProto] = {}
        self._known: dict[Key, _Size] = {}
        self._most = FEW_NODES
        self._nodes: Sequence[onnx.NodeProto] = ()

    def of(self, nodes: Sequence[onnx.NodeProto], functions: Mapping[Key, onnx.FunctionProto]) -> None:
        """These are the nodes of the main graph, and the model's functions.

        Raises:
            LoadError: functions call themselves, are nested too deep, or have too many nodes written out.
        """
        self._nodes, self._functions = nodes, functions
        if functions:
            self._size(nodes, (), 0, "the model")

    def add(self) -> None:
        """One more node is built. Raises LoadError if they are too many."""
        if self.built >= self._most:
            self._most = self._limit()
            if self.built >= self._most:
                raise self._refusal()
        self.built += 1

    def _limit(self) -> int:
        written = self._size(self._nodes, (), 0, "the model").nodes
        return min(MAX_NODES, FEW_NODES + MAX_REPEATS * written)

    def _refusal(self) -> LoadError:
        if self._most >= MAX_NODES:
            return _too_many("the model")
        return LoadError(
            "too many loops lie in each other that change sizes or ranks of what they carry: each has those "
            "inside of it built anew, twice or more; nest fewer, or keep the sizes"
        )

    def _size(self, nodes: Sequence[onnx.NodeProto], calls: tuple[Key, ...], depth: int, what: str) -> _Size:
        """Of nodes that lie in so many functions and bodies; `calls` are those functions, outermost first."""
        count = deepest = 0
        check_depth(depth)
        for node in nodes:
            count += 1
            for inner in self._inside(node, calls, depth):
                count += inner.nodes
                deepest = max(deepest, 1 + inner.depth)
            if count > MAX_NODES:
                raise _too_many(what)
        check_depth(depth + deepest)
        return _Size(count, deepest)

    def _inside(self, node: onnx.NodeProto, calls: tuple[Key, ...], depth: int) -> Iterator[_Size]:
        """The sizes of a node's function and bodies."""
        key = ("" if node.domain == "ai.onnx" else node.domain, node.op_type, node.overload)
        if key in self._functions:
            if key in calls:
                path = " -> ".join(map(_shown, (*calls[calls.index(key) :], key)))
                raise LoadError(f"the function {_shown(key)} calls itself ({path}), which no model may")
            if key not in self._known:
                inner = self._functions[key].node
                self._known[key] = self._size(inner, (*calls, key), depth + 1, f"the function {_shown(key)}")
            yield self._known[key]
            return
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
                yield self._size(graph.node, calls, depth + 1, f"the body {graph.name}")


def check_depth(depth: int) -> None:
    """Raises LoadError if functions and bodies are nested deeper than is allowed."""
    if depth > MAX_DEPTH:
        raise LoadError(
            f"functions and bodies are nested more than {MAX_DEPTH} deep; write functions out where they are "
            "called (onnx.inliner), or nest less"
        )


def _too_many(what: str) -> LoadError:
    return LoadError(
        f"with functions and bodies written out, {what} has more than {MAX_NODES} nodes; functions that call "
        "others several times multiply: call them less often, or split the model"
    )


def _shown(key: Key) -> str:
    return ".".join(filter(None, key))
