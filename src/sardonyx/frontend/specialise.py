"""Loads a model whose ranks or axes depend on what is fed, for one feed.

Decides what of a feed a graph was built for. Must not know programs or sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sardonyx.base.dataclass import replace
from sardonyx.base.dependence import FeedDependence
from sardonyx.base.knobs import CompileOptions
from sardonyx.errors import NeedsContent
from sardonyx.frontend.load import FeedFacts, Loaded, Origin, Source, load, open_model
from sardonyx.ir.run import run

Array = np.ndarray[Any, Any]
Compute = Callable[[tuple[str, ...]], list[Array]]
"""The contents of tensors of the model for the feed in question."""


def specialise(
    model: Origin,
    feeds: Mapping[str, Array],
    options: CompileOptions | None = None,
    dependence: FeedDependence | None = None,
    compute: Compute | None = None,
) -> tuple[Loaded, FeedDependence]:
    """The graph of a model for a feed, and what of the feed it depends on (`dependence`: as known before).

    Tensors whose content decides the graph are computed in numpy, unless `compute` knows better. Raises what
    `load` raises; NeedsContent no more.
    """
    options, dependence = options or CompileOptions(), dependence or FeedDependence()
    source = open_model(model, options)
    compute = compute or (lambda names: _computed(source, feeds, options, names))
    while True:
        tensors = tuple(sorted(dependence.tensors))
        single = {name: int(np.shape(feeds[n])[axis]) for name, n, axis in dependence.units}
        facts = FeedFacts(
            {name: np.array(feeds[name]) for name in dependence.contents},
            {name: np.shape(feeds[name]) for name in dependence.shapes},
            frozenset(name for name, size in single.items() if size > 1),
            dict(zip(tensors, compute(tensors), strict=True)) if tensors else {},
        )
        sizes = {name: int(np.shape(feeds[n])[axis]) for name, n, axis in dependence.sizes}
        sizes |= {name: size for name, size in single.items() if size <= 1}
        try:
            return load(source, replace(options, dims={**options.dims, **sizes}), facts=facts), dependence
        except NeedsContent as error:
            more = dependence.with_(error)
            if more == dependence:
                raise
            dependence = more


def _computed(
    source: Source, feeds: Mapping[str, Array], options: CompileOptions, names: tuple[str, ...]
) -> list[Array]:
    loaded, _ = specialise(source, feeds, replace(options, outputs=names))
    return run(loaded.graph, [feeds[str(value.attrs["name"])] for value in loaded.graph.inputs])
