"""Products with weights of few bits whose other operand may be rounded to bytes are products of bytes.

Must not know kernels: the tile table says whether an instruction multiplies such numbers exactly.
"""

from __future__ import annotations

from functools import partial

from sardonyx.base.policy import Goal
from sardonyx.base.tile import RegisterTile
from sardonyx.ir.algorithms.blockwise import MOST
from sardonyx.ir.graph import Graph, inherit, rebuild
from sardonyx.ir.value import Value, make

_LARGEST_SUM = (1 << 15) - 1


def points(graph: Graph, goal: Goal) -> Graph:
    """The graph with operands rounded that models allow to round, where that is faster."""
    tile = goal.find_tile("i8")
    if tile is None or not goal.policy.may_transform:
        return graph
    return graph.map(partial(_rewrite, tile))


def _rewrite(tile: RegisterTile, value: Value, args: tuple[Value, ...]) -> Value:
    value = rebuild(value, args)
    if value.prim != "dot_blockwise" or value.attrs["points"] != "allowed":
        return value
    if not is_exact(tile, value.attrs["bits"]):
        return value
    found = make(value.prim, value.args, {**value.attrs, "points": "made"}, value.dtype, value.shape)
    inherit(found, value.origins)
    return found


def is_exact(tile: RegisterTile, bits: int) -> bool:
    """Whether sums of 16 bits, if there are such, hold two products of each step."""
    most = ((1 << bits) - 1) * int(MOST) * 2 * tile.instruction.steps
    return not tile.limit or most <= _LARGEST_SUM
