"""Operations that run in Python between native segments; picklable, free of the graph around them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sardonyx.base.dataclass import dataclass
from sardonyx.base.dim import evaluate
from sardonyx.base.dtype import OBJECT, DType
from sardonyx.errors import RunError
from sardonyx.runtime import allocate, texts
from sardonyx.runtime.data import HostFunction

if TYPE_CHECKING:
    from sardonyx.ir.value import Value

Array = np.ndarray[Any, Any]


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
        return Prepared(self)


class Prepared:
    """An operation with its meaning, once it has run."""

    def __init__(self, operation: HostOperation) -> None:
        self._operation = operation
        self._run: HostFunction | None = None

    def __call__(self, args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        """Results as contiguous arrays of the declared types and sizes, or host objects.

        Raises RunError if a result is not what native code around it was compiled for.
        """
        run = self._run or self._prepare()
        result, operation = run(args, symbols), self._operation
        if not isinstance(result, tuple):
            return self._checked(result, operation.dtype, operation.shape, symbols)
        if len(result) != len(operation.results):
            raise self._error(f"{len(result)} results", f"{len(operation.results)} were expected")
        pairs = zip(result, operation.results, strict=True)
        return [self._checked(array, dtype, shape, symbols) for array, (dtype, shape) in pairs]

    def for_sizes(self, symbols: Mapping[str, int]) -> Callable[[Sequence[Any]], Any] | None:
        """The operation for known sizes as a function of its arguments; None unless it gives one result."""
        operation, sizes = self._operation, dict(symbols)
        shape = tuple(size_of(n, symbols) for n in operation.shape)
        if operation.results or None in shape:
            return None
        run, dtype = self._run or self._prepare(), operation.dtype.numpy
        if operation.dtype is OBJECT:
            return lambda args: run(args, sizes)

        def operate(args: Sequence[Any]) -> Array:
            result = run(args, sizes)
            if (
                type(result) is np.ndarray
                and result.shape == shape
                and result.dtype == dtype
                and result.flags.c_contiguous
            ):
                return result
            checked: Array = self._checked(result, operation.dtype, operation.shape, sizes)
            return checked

        return operate

    @cached_property
    def table(self) -> Mapping[str, int] | None:
        """The numbers of known texts, if that is what the operation gives for texts; others are -1."""
        if self._operation.prim != "text_numbers":
            return None
        return {text: number for number, text in enumerate(self._operation.attrs["keys"])}

    def _checked(self, result: Any, dtype: DType, shape: tuple[Any, ...], symbols: Mapping[str, int]) -> Any:
        if dtype is OBJECT:
            return result
        if not isinstance(result, (np.ndarray, np.generic, bool, int, float, complex, str, bytes)):
            raise self._error(f"a {type(result).__name__}", "a tensor was expected")
        result = np.asarray(result)
        if result.dtype != dtype.numpy:
            result = result.astype(dtype.numpy)
        sizes = [size_of(n, symbols) for n in shape]
        if len(sizes) != result.ndim or any(
            n not in (None, m) for n, m in zip(sizes, result.shape, strict=True)
        ):
            raise self._error(f"shape {list(result.shape)}", f"{[n or '?' for n in sizes]} was expected")
        return result if result.flags.c_contiguous else result.copy()

    def _error(self, found: str, expected: str) -> RunError:
        where = ", ".join(self._operation.origins) or "no node"
        return RunError(f"{where}: {self._operation.prim} gives {found}, {expected}")

    def _prepare(self) -> HostFunction:
        from sardonyx.ir.run import prepared
        from sardonyx.ir.value import Value

        op = self._operation
        for dtype, shape in op.results or ((op.dtype, op.shape),):
            allocate.ask(math.prod(n for n in shape if isinstance(n, int)) * dtype.size_bytes)
        value = Value(op.prim, (), op.attrs, op.dtype, op.shape, None, op.results)
        value.origins = op.origins
        self._run = prepared(value)
        if self.table is not None:
            self._run = _numbering(self.table, self._run)
        return self._run


def _numbering(table: Mapping[str, int], otherwise: HostFunction) -> HostFunction:
    def run(args: Sequence[Any], symbols: Mapping[str, int]) -> Any:
        found = texts.numbers(args[0], table)
        return otherwise(args, symbols) if found is None else found

    return run


def size_of(size: Any, symbols: Mapping[str, int]) -> int | None:
    """A declared size; None if it is read off the result itself."""
    try:
        return evaluate(size, symbols)
    except KeyError:
        return None
