"""Runs a kernel with numpy: the meaning of its loops, exact and slow.

Every axis becomes an axis of arrays, so that a statement is evaluated for all its points at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.errors import RunError
from sardonyx.ir.prims import PRIMS
from sardonyx.loops.nest import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Expr,
    Kernel,
    Literal,
    Load,
    Position,
    Reduce,
    Reduced,
    Store,
)

Array = np.ndarray[Any, Any]
Memory = Mapping[Buffer, Array]
"""The elements of each buffer, flat."""

_UPDATES = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def run(kernel: Kernel, memory: Memory, sizes: Mapping[str, int]) -> None:
    """Read and write the buffers as the kernel does.

    Raises RunError if an index read from data is out of range.
    """
    _Runner(kernel, memory, sizes).run()


class _Runner:
    def __init__(self, kernel: Kernel, memory: Memory, sizes: Mapping[str, int]) -> None:
        self.kernel, self.memory, self.sizes = kernel, memory, sizes
        inner = dict.fromkeys(axis for s in kernel.body for axis in s.axes if axis not in kernel.outer)
        self.axes = [*kernel.outer, *inner]
        self.number = {axis: n for n, axis in enumerate(self.axes)}
        self.reduced: dict[str, Array] = {}
        self.rows: dict[Buffer, Array] = {}

    def run(self) -> None:
        for statement in self.kernel.body:
            values: dict[int, Array] = {}
            for expr in statement.exprs:
                values[id(expr)] = self._evaluate(expr, values)
            if isinstance(statement, Reduce):
                self.reduced[statement.result.name] = self._reduce(statement, values[id(statement.expr)])
            else:
                self._store(statement, values)

    def _size(self, dim: Dim) -> int:
        return dims.evaluate(dim, self.sizes)

    def _affine(self, at: Affine) -> Array:
        total = np.full((1,) * len(self.axes), self._size(at.const), np.int64)
        for axis, factor in at.terms:
            shape = [1] * len(self.axes)
            shape[self.number[axis]] = -1
            total = total + np.arange(self._size(axis.extent)).reshape(shape) * self._size(factor)
        return total

    def _evaluate(self, expr: Expr, values: Mapping[int, Array]) -> Array:
        if isinstance(expr, Literal):
            return np.full((1,) * len(self.axes), expr.value, _compute(expr.dtype))
        if isinstance(expr, Position):
            return self._affine(expr.at).astype(_compute(expr.dtype))
        if isinstance(expr, Reduced):
            return self.reduced[expr.name]
        if isinstance(expr, Load):
            return self._load(expr, values)
        assert isinstance(expr, Apply)
        args = [values[id(a)] for a in expr.args]
        attrs = {"to": expr.dtype} if expr.prim in ("cast", "bitcast") else {}
        if expr.prim == "bitcast":
            args = [args[0].astype(expr.args[0].dtype.numpy)]
        with np.errstate(all="ignore"):
            result = np.asarray(PRIMS[expr.prim].run(args, attrs))
        return result.astype(expr.dtype.numpy).astype(_compute(expr.dtype)) if attrs else result

    def _load(self, expr: Load, values: Mapping[int, Array]) -> Array:
        if expr.buffer.role == "scratch":
            return self.rows[expr.buffer]
        content, dtype = self.memory[expr.buffer], _compute(expr.dtype)
        if not expr.picks:
            return self._view(content, expr.at).astype(dtype)
        at = self._affine(expr.at)
        for pick in expr.picks:
            at = at + self._picked(values[id(pick.index)], pick.extent) * self._size(pick.stride)
        empty = any(self._size(axis.extent) == 0 for axis in expr.axes)
        return np.empty(at.shape, dtype) if empty else content[at].astype(dtype)

    def _view(self, content: Array, at: Affine, axes: tuple[Axis, ...] = ()) -> Array:
        """The elements of a buffer at all points of the axes on which the address depends, and of `axes`."""
        shape, strides = [1] * len(self.axes), [0] * len(self.axes)
        for axis, factor in (*((axis, 0) for axis in axes), *at.terms):
            shape[self.number[axis]] = self._size(axis.extent)
            strides[self.number[axis]] = self._size(factor) * content.itemsize
        if 0 in shape:
            return np.empty(shape, content.dtype)
        offset = self._size(at.const) * content.itemsize
        return np.ndarray(shape, content.dtype, content.view(np.uint8), offset, strides)

    def _picked(self, index: Array, extent: Dim) -> Array:
        size = self._size(extent)
        if index.size and (index.min() < -size or index.max() >= size):
            raise RunError(f"{self.kernel.name}: an index is out of range for an axis of size {size}")
        return np.where(index < 0, index + size, index).astype(np.int64)

    def _whole(self, array: Array, axes: tuple[Axis, ...]) -> Array:
        """The array repeated along axes on which it does not depend."""
        shape = list(array.shape)
        for axis in axes:
            shape[self.number[axis]] = self._size(axis.extent)
        return np.broadcast_to(array, shape)

    def _reduce(self, statement: Reduce, value: Array) -> Array:
        value = self._whole(value, statement.axes)
        over = tuple(self.number[axis] for axis in statement.axes)
        prim = PRIMS[statement.op]
        if statement.op in ("argmax", "argmin"):
            found = prim.run([value], {"axis": over[0], "last": statement.last})
        else:
            found = prim.run([value], {"axes": over})
        return np.asarray(found).astype(_compute(statement.result.dtype))

    def _store(self, statement: Store, values: Mapping[int, Array]) -> None:
        if statement.buffer.role == "scratch":
            self.rows[statement.buffer] = values[id(statement.expr)]
            return
        target, axes = self.memory[statement.buffer], (*self.kernel.outer, *statement.axes)
        if not statement.picks and statement.reduction == "none":
            self._view(target, statement.at, axes)[...] = values[id(statement.expr)].astype(target.dtype)
            return
        at = self._affine(statement.at)
        for pick in statement.picks:
            at = at + self._picked(values[id(pick.index)], pick.extent) * self._size(pick.stride)
        places = self._whole(at, axes).reshape(-1)
        written = self._whole(values[id(statement.expr)], axes).reshape(-1)
        if statement.reduction == "none":
            target[places] = written.astype(target.dtype)
            return
        update = _UPDATES[statement.reduction]
        for place, value in zip(places, written, strict=True):
            target[place] = update(target[place].astype(written.dtype), value)


def _compute(dtype: DType) -> np.dtype[Any]:
    """The type in which kernels calculate."""
    return dt.by_name(dtype.compute).numpy
