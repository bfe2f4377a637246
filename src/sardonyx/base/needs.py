"""What of a feed decides the graph of a model whose ranks or axes are not fixed by the model alone. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sardonyx.errors import NeedsContent

Size = tuple[str, str, int]
"""A free size: its name, and the input and axis where it is found."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Contents and shapes of inputs, free sizes, and whether free sizes are 1."""

    contents: frozenset[str] = frozenset()
    shapes: frozenset[str] = frozenset()
    sizes: frozenset[Size] = frozenset()
    units: frozenset[Size] = frozenset()

    def with_(self, error: NeedsContent) -> Needs:
        """These needs and those of one more refusal."""
        return Needs(
            self.contents | set(error.inputs),
            self.shapes | set(error.shapes),
            self.sizes | set(error.sizes),
            self.units | set(error.units),
        )

    def key(self, feeds: Mapping[str, Any]) -> tuple[Any, ...]:
        """Equal for two feeds exactly if one graph serves both."""
        contents = [(n, np.shape(feeds[n]), _content(feeds[n])) for n in sorted(self.contents)]
        shapes = [(n, np.shape(feeds[n])) for n in sorted(self.shapes)]
        sizes = [(s, np.shape(feeds[n])[axis]) for s, n, axis in sorted(self.sizes)]
        units = [(s, min(np.shape(feeds[n])[axis], 2)) for s, n, axis in sorted(self.units)]
        return (*contents, *shapes, *sizes, *units)


def _content(array: Any) -> object:
    return repr(array.tolist()) if array.dtype == object else array.tobytes()
