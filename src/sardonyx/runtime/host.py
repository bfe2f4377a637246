"""Operations that run in Python between native segments; picklable, free of the graph around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.dtype import DType
from sardonyx.runtime.data import HostFunction

if TYPE_CHECKING:
    from sardonyx.ir.value import Value


@dataclass(frozen=True, slots=True)
class HostOperation:
    """One primitive evaluated with numpy."""

    prim: str
    attrs: dict[str, Any]
    dtype: DType
    shape: tuple[Any, ...]
    results: tuple[Any, ...]
    origins: tuple[str, ...]

    @staticmethod
    def of(value: Value) -> HostOperation:
        """The operation of a value."""
        return HostOperation(value.prim, value.attrs, value.dtype, value.shape, value.results, value.origins)

    def start(self, _: object) -> HostFunction:
        """The operation, ready to run; it is looked up when it first runs."""
        return _Started(self)


class _Started:
    """An operation with its meaning, once it has run."""

    def __init__(self, operation: HostOperation) -> None:
        self._operation = operation
        self._run: HostFunction | None = None

    def __call__(self, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        """Results as contiguous arrays or host objects."""
        run = self._run or self._prepare()
        result = run(args, symbols)
        return [_dense(r) for r in result] if isinstance(result, tuple) else _dense(result)

    def _prepare(self) -> HostFunction:
        from sardonyx.ir.run import prepared
        from sardonyx.ir.value import Value

        op = self._operation
        value = Value(op.prim, (), op.attrs, op.dtype, op.shape, None, op.results)
        value.origins = op.origins
        self._run = prepared(value)
        return self._run


def _dense(result: Any) -> Any:
    if isinstance(result, np.ndarray) and not result.flags.c_contiguous:
        return result.copy()
    return result
