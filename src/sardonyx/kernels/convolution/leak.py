"""Slopes below 0 at the end of a convolution, as a PRelu or a LeakyRelu has, which stay in registers.

Decides which map trees are one; must not know how tiles are stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.dataclass import dataclass, replace
from sardonyx.ir.place import Storage
from sardonyx.ir.value import const
from sardonyx.kernels.arguments import LEAKY, Conv, Winograd
from sardonyx.kernels.call import Address, Argument
from sardonyx.kernels.epilogue import INF, Finish, is_of_channels, load_address, match_finish
from sardonyx.loops.nest import Apply, Axis, Expr, Kernel, Literal, Load, Store


@dataclass(frozen=True, slots=True)
class Leak:
    """v, or below 0 v times the slope of its channel, where v = tile + bias as in `finish`.

    All of `channels`, whole blocks of them, may have one slope.
    """

    finish: Finish
    slope: Load | float
    channels: int

    def words(self, layout: type[Conv] | type[Winograd], axes: Sequence[Axis]) -> dict[int, Argument]:
        """The words from FINISH on, without a residual along `axes`, and where the slopes are."""
        found = dict(enumerate(self.finish.words(dt.F32, axes), layout.FINISH))
        return {**found, layout.FINISH: LEAKY, layout.SLOPES: self._address()}

    def _address(self) -> Argument:
        if isinstance(self.slope, Load):
            return load_address(self.slope)
        table = const(np.full(self.channels, self.slope, np.float32))
        return Address(Storage("packed", table.dtype, table.size, 0, table))


def match_leak(kernel: Kernel) -> Leak | None:
    """The leak that does what the epilogue kernel of blocked channels does, or None if none does."""
    if len(kernel.body) != 1 or not isinstance(kernel.body[0], Store) or len(kernel.outer) != 5:
        return None
    store, blocks, lanes = kernel.body[0], kernel.outer[1].extent, kernel.outer[-1].extent
    found = _selected(store.expr) or _added(store.expr)
    if found is None or found[0].dtype is not dt.F32:
        return None
    value, slope = found
    if not isinstance(blocks, int) or not isinstance(lanes, int):
        return None
    if isinstance(slope, Load) and not is_of_channels(slope, dt.F32, kernel):
        return None
    finish = match_finish(replace(kernel, body=(replace(store, expr=value),)))
    if finish is None or finish.residual or (finish.low, finish.high) != (-INF, INF):
        return None
    return Leak(finish, slope, blocks * lanes)


def _selected(expr: Expr) -> tuple[Expr, Load | float] | None:
    """The value and the slope of `v < 0 ? v * slope : v`."""
    if not isinstance(expr, Apply) or expr.prim != "where":
        return None
    below, product, value = expr.args
    if _limited(below, "lt") is not value or not isinstance(product, Apply) or product.prim != "mul":
        return None
    for own, slope in (product.args, product.args[::-1]):
        if own is value and isinstance(slope, Load):
            return value, slope
        if own is value and isinstance(slope, Literal):
            return value, float(slope.value)
    return None


def _added(expr: Expr) -> tuple[Expr, float] | None:
    """The value and the slope of `max(v, 0) + min(v, 0) * slope`."""
    if not isinstance(expr, Apply) or expr.prim != "add":
        return None
    above, product = expr.args
    value = _limited(above, "max")
    if value is None or not isinstance(product, Apply) or product.prim != "mul":
        return None
    below, slope = product.args
    if _limited(below, "min") is not value or not isinstance(slope, Literal):
        return None
    return (value, float(slope.value)) if math.isfinite(slope.value) else None


def _limited(expr: Expr, prim: str) -> Expr | None:
    """What that map compares with 0."""
    if not isinstance(expr, Apply) or expr.prim != prim:
        return None
    value, limit = expr.args
    return value if isinstance(limit, Literal) and limit.value == 0 else None
