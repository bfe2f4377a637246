"""Loads a model whose ranks or axes depend on what is fed, for one feed.

Decides what of a feed a graph was built for. Must not know programs or sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sardonyx.base.knobs import CompileOptions
from sardonyx.errors import NeedsContent
from sardonyx.frontend.load import Known, Loaded, Origin, load, open_model

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a feed decides the graph: contents, shapes, free sizes, and whether free sizes are 1.

    A size is a name and the input and axis where it is found.
    """

    contents: frozenset[str] = frozenset()
    shapes: frozenset[str] = frozenset()
    sizes: frozenset[tuple[str, str, int]] = frozenset()
    units: frozenset[tuple[str, str, int]] = frozenset()

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
        contents = [
            (n, feeds[n].dtype.str, feeds[n].shape, feeds[n].tobytes()) for n in sorted(self.contents)
        ]
        shapes = [(n, np.shape(feeds[n])) for n in sorted(self.shapes)]
        sizes = [(s, np.shape(feeds[n])[axis]) for s, n, axis in sorted(self.sizes)]
        units = [(s, np.shape(feeds[n])[axis] == 1) for s, n, axis in sorted(self.units)]
        return (*contents, *shapes, *sizes, *units)


def specialise(
    model: Origin,
    feeds: Mapping[str, Array],
    options: CompileOptions | None = None,
    needs: Needs | None = None,
) -> tuple[Loaded, Needs]:
    """The graph of a model for a feed, and what of the feed it depends on (`needs` is known from before).

    Raises what `load` raises; NeedsContent no more.
    """
    options, needs = options or CompileOptions(), needs or Needs()
    source = open_model(model, options)
    while True:
        single = {name: int(np.shape(feeds[n])[axis]) for name, n, axis in needs.units}
        known = Known(
            {name: np.array(feeds[name]) for name in needs.contents},
            {name: np.shape(feeds[name]) for name in needs.shapes},
            frozenset(name for name, size in single.items() if size > 1),
        )
        sizes = {name: int(np.shape(feeds[n])[axis]) for name, n, axis in needs.sizes}
        sizes |= {name: size for name, size in single.items() if size <= 1}
        try:
            return load(source, replace(options, dims={**options.dims, **sizes}), known=known), needs
        except NeedsContent as error:
            more = needs.with_(error)
            if more == needs:
                raise
            needs = more
