"""What of a feed decides the graph of a model that does not fix all ranks or axes itself. Plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.errors import NeedsContent

Size = tuple[str, str, int]
"""A free size: its name, and the input and axis where it is found."""


@dataclass(frozen=True, slots=True)
class FeedDependence:
    """Contents and shapes of inputs, free sizes, whether those are 1, contents of computed tensors."""

    contents: frozenset[str] = frozenset()
    shapes: frozenset[str] = frozenset()
    sizes: frozenset[Size] = frozenset()
    units: frozenset[Size] = frozenset()
    tensors: frozenset[str] = frozenset()

    def with_(self, error: NeedsContent) -> FeedDependence:
        """This dependence and that of one more refusal."""
        return FeedDependence(
            self.contents | set(error.inputs),
            self.shapes | set(error.shapes),
            self.sizes | set(error.sizes),
            self.units | set(error.units),
            self.tensors | set(error.tensors),
        )

    def text(self) -> str:
        """The same for equal ones in every process."""
        parts = (self.contents, self.shapes, self.sizes, self.units, self.tensors)
        return repr([sorted(part) for part in parts])

    def reader(self, names: Sequence[str]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """A function of the feeds in the order of `names`, equal for two exactly if one graph serves both.

        What is computed must be compared besides, by its `content`.
        """
        at = {name: f"f[{number}]" for number, name in enumerate(names)}
        parts = [f"{at[name]}.shape[{axis}]" for _, name, axis in sorted(self.sizes)]
        parts += [f"min({at[name]}.shape[{axis}], 2)" for _, name, axis in sorted(self.units)]
        parts += [f"shape({at[name]})" for name in sorted(self.shapes)]
        parts += [f"{at[name]}.shape, content({at[name]})" for name in sorted(self.contents)]
        return eval(  # type: ignore[no-any-return]
            f"lambda f: ({''.join(f'{part}, ' for part in parts)})",
            {"content": content, "min": min, "shape": np.shape},
        )


def content(array: Any) -> object:
    """The elements of an array, hashable."""
    return array.tobytes() if array.dtype.char != "O" else repr(array.tolist())
