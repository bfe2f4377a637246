"""Graph -> Graph: the order of all passes, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from sardonyx.ir.graph import Graph
from sardonyx.passes.decompose import decompose

PIPELINE: tuple[Callable[[Graph], Graph], ...] = (decompose,)
"""Every pass, in the order it runs."""
