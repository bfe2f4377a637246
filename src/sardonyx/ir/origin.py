"""Which node of a model the values come from that are being built."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

MOST_NODES = 256
"""Nodes that one value is named by: of a hundred thousand equal ones, those first found tell enough."""
_nodes: list[str] = []


class Made(Protocol):
    """What knows the nodes that it comes from."""

    origins: tuple[str, ...]


class _Inside:
    """The block in which a node is built."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        _nodes.append(self.name)

    def __exit__(self, *_: object) -> None:
        _nodes.pop()


def origin(name: str) -> AbstractContextManager[None]:
    """Values built inside the block carry this name."""
    return _Inside(name)


def add_to(value: Made) -> None:
    """Note the node that is being built, the innermost of several."""
    if _nodes and len(value.origins) < MOST_NODES and _nodes[-1] not in value.origins:
        value.origins = (*value.origins, _nodes[-1])


def innermost() -> str:
    """The node that is being built; empty if there is none."""
    return _nodes[-1] if _nodes else ""
