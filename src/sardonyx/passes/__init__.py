"""(Graph, Goal) -> Graph: the order of all passes, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sardonyx.base.policy import Goal
from sardonyx.ir.graph import Graph
from sardonyx.passes.algebra import algebra
from sardonyx.passes.blocking import blocking
from sardonyx.passes.decompose import decompose
from sardonyx.passes.dequantised import dequantised
from sardonyx.passes.integer_products import integer_products
from sardonyx.passes.kept_points import kept_points
from sardonyx.passes.picked_rows import joined_rows
from sardonyx.passes.points import points
from sardonyx.passes.repeated_heads import repeated_heads
from sardonyx.passes.requantised import requantised
from sardonyx.passes.rounded_products import rounded_products
from sardonyx.passes.saturated import saturated
from sardonyx.passes.separated import separated
from sardonyx.passes.spectra import spectra
from sardonyx.passes.spread import spread_last
from sardonyx.passes.texts import texts
from sardonyx.passes.totals import totals
from sardonyx.passes.transposed import transposed
from sardonyx.passes.unreached import unreached
from sardonyx.passes.volumes import volumes
from sardonyx.passes.widen import widen

Pass: TypeAlias = Callable[[Graph, Goal], Graph]

PIPELINE: tuple[Pass, ...] = (
    *(texts, kept_points, dequantised, widen, integer_products),
    *(repeated_heads, algebra, unreached, requantised, saturated, spectra, transposed, volumes, joined_rows),
    *(rounded_products, points, blocking, spread_last, decompose, totals, separated),
)
"""Every pass, in the order it runs."""
