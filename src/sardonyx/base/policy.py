"""How exact results must be, and the machine to reach that on: what every decision of the compiler may read.

Pure data; must not know which kernels keep a policy.
"""

from __future__ import annotations

from functools import cache

from sardonyx.base.dataclass import dataclass, field, replace
from sardonyx.base.target import Target
from sardonyx.base.tile import MatrixTile, RegisterTile
from sardonyx.errors import CompileError

_KEPT_TWICE = 1 << 30
"""Bytes of weights up to which a model may keep sums of them, or short ones, beside them."""

_IN_CACHES = 32 << 20
"""Bytes of weights up to which a model may find them in caches when it runs again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The precision that the user named, and what else decides results: choices of the options so called."""

    precision: str = "fp32"
    winograd: str = "auto"
    strassen: str = "auto"
    short_weights: str = "auto"

    @property
    def fixed_order(self) -> bool:
        """Whether a sum's order may depend on its length alone: not on its neighbours or the threads."""
        return self.precision == "strict"

    @property
    def may_transform(self) -> bool:
        """Whether a contraction may be computed on transformed operands, within 1e-5 rms of exact."""
        return self.precision != "strict"


@dataclass(frozen=True, slots=True)
class Goal:
    """A machine and a policy.

    `grows` tells that results of the model are longer than its inputs: it goes on from what it keeps, in few
    rows, most likely. `streams` tells that its weights come from memory in every run, and may be kept twice;
    `keeps_once` that they may not be.
    """

    target: Target
    policy: Policy = field(default_factory=Policy)
    grows: bool = False
    streams: bool = True
    keeps_once: bool = False

    def tile(self, operand: str) -> RegisterTile:
        """The first register tile for an element type that machine and policy allow.

        Raises CompileError if the target has none.
        """
        row = self.find_tile(operand)
        if row is None:
            raise CompileError(f"{self.target.name} has no register tile for {operand}")
        return row

    def over(self, weight_bytes: int, *, grows: bool = False) -> Goal:
        """The goal for a model of such weights: large ones are kept once, which rules out others beside them.

        A start would take seconds, the cache gigabytes more.
        """
        policy = self.policy
        once = weight_bytes > _KEPT_TWICE
        if once and policy.strassen == "auto":
            policy = replace(policy, strassen="off")
        streams = weight_bytes > _IN_CACHES and not once
        return replace(self, policy=policy, grows=grows, streams=streams, keeps_once=once)

    def find_tile(self, operand: str) -> RegisterTile | None:
        """As `tile`; None if the target has none."""
        return next((row for row in self.target.tiles if self._serves(row, operand)), None)

    def find_matrix(self, operand: str, *, everywhere: bool = False) -> MatrixTile | None:
        """The first tile of matrix registers for an element type that machine and policy allow, if any.

        With `everywhere` the first that serves more than products with constant weights.
        """
        rows = (row for row in self.target.matrices if row.everywhere or not everywhere)
        return next((row for row in rows if self._serves(row, operand)), None)

    def _serves(self, row: RegisterTile | MatrixTile, operand: str) -> bool:
        allowed = self.policy.precision in row.precisions and all(map(self.target.has, row.features))
        return row.operand == operand and allowed


@cache
def text_of(goal: Goal) -> str:
    """All that a goal says, for keys of what is made for it."""
    return repr(goal)
