"""The parts of a model that its nodes stand in, by their names.

Exporters name nodes by a path of modules: /encoder/layer.0/attention/MatMul. Decides where it is cut; must
not know what nodes compute.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_NUMBERED = re.compile(r".*\d$")
_CROWD = 12
"""A part with more nodes than that, and more than half of all, is taken apart."""


def layer_of(node: str) -> str:
    """The part of the model that a node name stands in: up to the first numbered part, else its first one.

    /encoder/layer.0/attention/MatMul -> encoder/layer.0; a name without parts -> "".
    """
    *parts, _ = node.strip("/").split("/")
    return "/".join(_first(parts))


def layers_of(nodes: Iterable[str]) -> dict[str, str]:
    """The parts that the nodes of one model stand in.

    A part that holds more than half of all is taken apart where its names allow it, so that a model inside
    another one has layers too.
    """
    found = {node: layer_of(node) for node in nodes}
    while found:
        ((layer, count),) = Counter(found.values()).most_common(1)
        if count <= max(_CROWD, len(found) / 2):
            break
        inner = {node: _within(node, layer) for node, at in found.items() if at == layer}
        if set(inner.values()) == {layer}:
            break
        found |= inner
    return found


def short(node: str, layer: str) -> str:
    """The rest of a node's name behind its layer's."""
    return node.strip("/").removeprefix(f"{layer}/") if layer else node


def _within(node: str, layer: str) -> str:
    *parts, _ = short(node, layer).strip("/").split("/")
    return "/".join([*([layer] if layer else []), *_first(parts)])


def _first(parts: list[str]) -> list[str]:
    end = next((n for n, part in enumerate(parts, 1) if _NUMBERED.match(part)), 1)
    return parts[:end]
