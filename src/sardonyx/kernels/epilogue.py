"""The end of a contraction: its group's map tree as a generated function, or as the built-in finish.

The built-in finish, bias + residual + limits, stays in the registers of the micro-kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base import dtype as dt
from sardonyx.base.abi import number_bits
from sardonyx.base.dataclass import dataclass
from sardonyx.base.dtype import DType
from sardonyx.ir.place import Storage
from sardonyx.kernels.arguments import ROUNDED
from sardonyx.kernels.call import Address, Argument
from sardonyx.loops.nest import Affine, Apply, Axis, Expr, Kernel, Literal, Load, Store


@dataclass(frozen=True, slots=True)
class Finish:
    """min(max(tile + bias + residual, low), high), stored at `to`, `rounded` to bfloat16 maybe."""

    to: Affine
    low: float
    high: float
    bias: Load | None
    residual: Load | None
    rounded: bool = False

    def words(self, dtype: DType, residual_axes: Sequence[Axis]) -> list[Argument]:
        """The words FINISH, BIAS, LOW, HIGH, RESIDUAL and the residual's strides along `residual_axes`."""
        fused = self.bias is not None or self.residual is not None or self.low > -INF or self.high < INF
        strides = [self.residual.at.factor(a) if self.residual else 0 for a in residual_axes]
        return [
            ROUNDED if self.rounded else int(fused),
            load_address(self.bias),
            number_bits(self.low, dtype),
            number_bits(self.high, dtype),
            load_address(self.residual),
            *strides,
        ]


INF = float("inf")


def load_address(load: Load | None) -> Argument:
    """The address word of what a load reads at the origin; 0 for none."""
    return 0 if load is None else Address(load.buffer.key, load.at.const)


def match_finish(kernel: Kernel, *, may_round: bool = False) -> Finish | None:
    """The finish that does what the epilogue kernel does, or None if it does more.

    It rounds to bfloat16 only if it `may_round`, whole blocks of channels.
    """
    if len(kernel.body) != 1 or not isinstance(kernel.body[0], Store):
        return None
    store = kernel.body[0]
    low, high, expr = -INF, INF, store.expr
    rounded = False
    if isinstance(expr, Apply) and expr.prim == "cast" and expr.dtype is store.buffer.dtype is dt.BF16:
        expr, rounded = expr.args[0], True
    if rounded and not (may_round and expr.dtype is dt.F32):
        return None
    if not rounded and (store.buffer.dtype is not expr.dtype or expr.dtype not in (dt.F32, dt.F64, dt.I32)):
        return None
    own = expr.dtype
    for prim in ("min", "max", "min"):
        if isinstance(expr, Apply) and expr.prim == prim and isinstance(expr.args[1], Literal):
            bound = expr.args[1].value
            if bound != bound:
                return None
            low, high = (low, min(high, bound)) if prim == "min" else (max(low, bound), high)
            expr = expr.args[0]
    terms = _terms(expr)
    column = kernel.outer[-1]
    loads = [t for t in terms if isinstance(t, Load)]
    if len(loads) != len(terms) or sum(t.buffer.role == "tile" for t in loads) != 1 or low > high:
        return None
    others = [t for t in loads if t.buffer.role != "tile"]
    if any(not _runs_along_columns(t, own, column) for t in others):
        return None
    across = [t for t in others if _is_fixed(t, kernel)][:1]
    full = [t for t in others if t not in across]
    if len(full) > 1 or (across and not _runs_along_channels(across[0], kernel)):
        return None
    return Finish(store.at, low, high, across[0] if across else None, full[0] if full else None, rounded)


def _terms(expr: Expr) -> list[Expr]:
    if isinstance(expr, Apply) and expr.prim == "add":
        return [*_terms(expr.args[0]), *_terms(expr.args[1])]
    return [expr]


def channel_axes(kernel: Kernel) -> frozenset[Axis]:
    """The axes a bias may change with: the column, and the channel block of a blocked convolution."""
    outer = kernel.outer
    return frozenset({outer[-1], outer[1]}) if len(outer) == 5 else frozenset({outer[-1]})


def is_of_channels(load: Load, dtype: DType, kernel: Kernel) -> bool:
    """Whether it reads a number of that type for each channel, padded as channels are."""
    along = _runs_along_columns(load, dtype, kernel.outer[-1])
    return along and _is_fixed(load, kernel) and _runs_along_channels(load, kernel)


def _runs_along_columns(load: Load, dtype: DType, column: Axis) -> bool:
    return not load.picks and load.dtype is dtype and load.at.factor(column) == 1


def _is_fixed(load: Load, kernel: Kernel) -> bool:
    return load.axes <= channel_axes(kernel) | {axis for axis in kernel.outer if axis.extent == 1}


def _runs_along_channels(bias: Load, kernel: Kernel) -> bool:
    outer = kernel.outer
    return len(outer) != 5 or outer[1] not in bias.axes or bias.at.factor(outer[1]) == outer[-1].extent


def epilogue_reads(kernel: Kernel) -> list[Storage]:
    """The storages that an epilogue reads beside its tile."""
    found: dict[Storage, None] = {}
    for statement in kernel.body:
        for expr in statement.exprs:
            if isinstance(expr, Load) and expr.buffer.key is not None:
                found.setdefault(expr.buffer.key)
    return list(found)
