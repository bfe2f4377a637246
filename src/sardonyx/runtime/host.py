"""Operations that run in Python between native segments; picklable, free of the graph around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.dtype import DType

if TYPE_CHECKING:
    from sardonyx.ir.value import Value


@dataclass(frozen=True, slots=True)
class HostOperation:
    """One primitive evaluated with numpy: `(arrays, symbols) -> result`."""

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

    def __call__(self, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        """Results as contiguous arrays or host objects."""
        from sardonyx.ir.run import evaluate
        from sardonyx.ir.value import Value

        value = Value(self.prim, (), self.attrs, self.dtype, self.shape, None, self.results)
        value.origins = self.origins
        result = evaluate(value, args, symbols)
        if isinstance(result, tuple):
            return [_dense(r) for r in result]
        return _dense(result)


def _dense(result: Any) -> Any:
    return (
        np.ascontiguousarray(result).reshape(np.shape(result)) if isinstance(result, np.ndarray) else result
    )
