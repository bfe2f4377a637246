"""Which node of a model the values come from that are being built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_nodes: list[str] = []


class Made(Protocol):
    """What knows the nodes that it comes from."""

    origins: tuple[str, ...]


@contextmanager
def origin(name: str) -> Iterator[None]:
    """Values built inside the block carry this name."""
    _nodes.append(name)
    try:
        yield
    finally:
        _nodes.pop()


def add_to(value: Made) -> None:
    """Note the node that is being built, the innermost of several."""
    if _nodes and _nodes[-1] not in value.origins:
        value.origins = (*value.origins, _nodes[-1])


def innermost() -> str:
    """The node that is being built; empty if there is none."""
    return _nodes[-1] if _nodes else ""
