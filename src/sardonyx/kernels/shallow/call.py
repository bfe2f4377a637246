"""The call of a product -> the call for short sums of many rows."""

from __future__ import annotations

from sardonyx.base.dataclass import replace
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import NativeCall

_LEAST_ROWS = 32
"""Of rows that are known."""

MOST_STEPS = 16
"""Of a sum that is written out."""

_SYMBOLS = ("sdx_gemm_f32", "sdx_gemm_dynamic_f32")


def steps_of(call: NativeCall) -> int:
    """How many steps sums have, 0 if nobody knows."""
    steps = call.words[Gemm.K]
    return steps if isinstance(steps, int) else 0


def shallow_call(call: NativeCall) -> NativeCall | None:
    """The same call by rows; None where sums are long, rows few or strided, or the end is an epilogue."""
    rows, steps = call.words[Gemm.M], steps_of(call)
    if call.symbol not in _SYMBOLS or call.words[Gemm.EPILOGUE] != 0 or call.words[Gemm.A_K] != 1:
        return None
    if not 1 <= steps <= MOST_STEPS or (isinstance(rows, int) and rows < _LEAST_ROWS):
        return None
    symbol = call.symbol.replace("gemm", f"gemm_shallow{steps}", 1)
    return replace(call, symbol=symbol, plan=f"{call.plan}, sums written out")
