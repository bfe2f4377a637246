"""`Value`: one tensor of a graph, immutable and interned; building one folds what is already known.

Small integer tensors may hold symbolic sizes: a constant whose data is an object array of `Dim`.
Knows primitives and sizes; must not know ONNX, loops or native code.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dim import Dim
from sardonyx.base.dtype import DType
from sardonyx.base.signature import MOST_AXES
from sardonyx.errors import ShapeError
from sardonyx.ir import origin, types
from sardonyx.ir.fold import SYMBOLIC_LIMIT, empty, fold
from sardonyx.ir.intern import Table, const_key, freeze
from sardonyx.ir.premise import assume_sizes, broadcast_shape, must_equal
from sardonyx.ir.prims import PRIMS, Kind

Shape: TypeAlias = tuple[Dim, ...]
Array: TypeAlias = np.ndarray[Any, Any]
_table: Table[Value] = Table()
_ids = itertools.count()
_KEPT_EMPTY = frozenset({"broadcast", "result"})
_WINDOWS = frozenset({"window", "conv", "conv_transpose"})


class Value:
    """One tensor (or, for many-result operators, one tuple of tensors; see `results`).

    Equal structure is the same object. `origins` are the ONNX nodes it came from; they are not part of
    its identity, of which `frozen` are the attributes. `data` is the content of a constant: a numpy array, or
    an object array of `Dim`; `exact` is that of a half one before it was rounded, in f32. `symbols` are kept
    by `graph.symbols_of`.
    """

    __slots__ = (
        *("__weakref__", "_size", "args", "attrs", "data", "dtype", "exact", "frozen", "id", "kind"),
        *("origins", "prim", "rank", "results", "shape", "symbols"),
    )

    def __init__(
        self,
        prim: str,
        args: tuple[Value, ...],
        attrs: dict[str, Any],
        dtype: DType,
        shape: Shape,
        data: Array | None,
        results: tuple[tuple[DType, Shape], ...] = (),
        exact: Array | None = None,
    ) -> None:
        self.prim = prim
        self.kind: Kind = PRIMS[prim].kind
        self.args = args
        self.attrs = attrs
        self.dtype = dtype
        self.shape = shape
        self.data = data
        self.exact = exact
        self.results = results
        self.id = next(_ids)
        self.rank = len(shape)
        self.frozen: Any = None
        self._size: Dim | None = None
        self.symbols: frozenset[str] | None = None
        self.origins: tuple[str, ...] = ()

    @property
    def size(self) -> Dim:
        """The number of elements."""
        if self._size is None:
            self._size = dims.product(self.shape)
        return self._size

    @property
    def is_const(self) -> bool:
        """Whether the content is known, symbolic sizes included."""
        return self.data is not None

    @property
    def is_numeric_const(self) -> bool:
        """Whether the content is known as plain numbers."""
        return self.data is not None and not (self.data.dtype == object and self.dtype is not dt.STRING)

    def __repr__(self) -> str:
        return f"v{self.id}: {self.dtype}[{','.join(map(str, self.shape))}] = {self.prim}"

    # ---- maps

    def __add__(self, other: Operand) -> Value:
        return map_("add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return map_("add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return map_("sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return map_("sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return map_("mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return map_("mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return map_("div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return map_("div", other, self)

    def __neg__(self) -> Value:
        return map_("neg", self)

    def max(self, other: Operand) -> Value:
        """The larger of both; NaN wins."""
        return map_("max", self, other)

    def min(self, other: Operand) -> Value:
        """The smaller of both; NaN wins."""
        return map_("min", self, other)

    def pow(self, other: Operand) -> Value:
        """self ** other, in the type of self."""
        return map_("pow", self, other)

    def eq(self, other: Operand) -> Value:
        """self == other, bool."""
        return map_("eq", self, other)

    def lt(self, other: Operand) -> Value:
        """self < other, bool."""
        return map_("lt", self, other)

    def le(self, other: Operand) -> Value:
        """self <= other, bool."""
        return map_("le", self, other)

    def logical_and(self, other: Operand) -> Value:
        """Both, bool."""
        return map_("and", self, other)

    def logical_or(self, other: Operand) -> Value:
        """Either, bool."""
        return map_("or", self, other)

    def logical_not(self) -> Value:
        """The opposite, bool."""
        return map_("not", self)

    def unary(self, prim: str) -> Value:
        """A one-operand map by name, e.g. `tanh`."""
        return map_(prim, self)

    def exp(self) -> Value:
        """e ** self."""
        return map_("exp", self)

    def log(self) -> Value:
        """Natural logarithm."""
        return map_("log", self)

    def sqrt(self) -> Value:
        """Square root."""
        return map_("sqrt", self)

    def abs(self) -> Value:
        """Magnitude."""
        return map_("abs", self)

    def tanh(self) -> Value:
        """Hyperbolic tangent."""
        return map_("tanh", self)

    def sigmoid(self) -> Value:
        """1 / (1 + exp(-self))."""
        return map_("sigmoid", self)

    def cast(self, to: DType) -> Value:
        """Convert the element type; to bool means != 0. Halves are rounded when they are stored."""
        return self if to is self.dtype else make("cast", (self,), {"to": to}, to, self.shape)

    def rounded(self, to: DType) -> Value:
        """Convert the element type; what is computed from a half has been rounded."""
        if to is self.dtype or not to.is_half:
            return self.cast(to)
        return make("cast", (self,), {"to": to, "rounds": True}, to, self.shape)

    def where(self, yes: Value, no: Operand) -> Value:
        """`yes` where this bool holds, else `no`."""
        return map_("where", self, yes, no)

    # ---- reductions (reduced axes stay as 1)

    def reduce(self, prim: str, axes: Sequence[int]) -> Value:
        """sum, prod, rmax or rmin over axes, which stay as size 1; no axes: the value itself."""
        kept = tuple(sorted({self.axis(a) for a in axes if self.shape[self.axis(a)] != 1}))
        if not kept:
            return self
        if self.dtype.is_half and prim in ("sum", "prod"):
            return self.cast(dt.F32).reduce(prim, kept).cast(self.dtype)
        shape = tuple(1 if a in kept else n for a, n in enumerate(self.shape))
        return make(prim, (self,), {"axes": kept}, self.dtype, shape)

    def sum(self, *axes: int) -> Value:
        """Sum over axes, kept as size 1."""
        return self.reduce("sum", axes)

    def reduce_max(self, *axes: int) -> Value:
        """Maximum over axes, kept as size 1."""
        return self.reduce("rmax", axes)

    def mean(self, *axes: int) -> Value:
        """Mean over axes, kept as size 1; of nothing it is NaN, and 0 among integers."""
        count = dims.product(self.shape[self.axis(a)] for a in axes)
        wide = self.cast(dt.F32) if self.dtype.is_half else self
        count = dims.maximum(count, 1) if wide.dtype.is_int else count
        return (wide.sum(*axes) / dim_value(count, wide.dtype)).cast(self.dtype)

    def axis(self, axis: int) -> int:
        """The axis number made non-negative; ShapeError if it is out of range."""
        if not -self.rank <= axis < self.rank:
            raise ShapeError(f"axis {axis} is out of range for shape {list(self.shape)}")
        return axis % self.rank if self.rank else 0

    # ---- views

    def reshape(self, shape: Sequence[Dim]) -> Value:
        """The same elements in row-major order; the sizes must multiply to the same count."""
        shape = tuple(shape)
        if shape == self.shape:
            return self
        if (size := dims.product(shape)) != self.size:
            if dims.equal(size, self.size) is False:
                what = f"cannot reshape {list(self.shape)} to {list(shape)}"
                raise ShapeError(f"{what}: the element counts differ")
            must_equal(self.size, size, "cannot reshape {} to {}", self.shape, shape)
        if self.prim == "reshape":
            return self.args[0].reshape(shape)
        is_known = isinstance(size, int) and size > 0 and len(shape) <= MOST_AXES
        if is_known and self.data is not None and self.data.dtype != object:
            return const((self.data if self.exact is None else self.exact).reshape(shape), self.dtype)
        return make("reshape", (self,), {"shape": shape}, self.dtype, shape)

    def transpose(self, *perm: int) -> Value:
        """Axes in the given order."""
        if sorted(perm) != list(range(self.rank)):
            raise ShapeError(f"{list(perm)} is not a permutation of the axes of {list(self.shape)}")
        if perm == tuple(range(self.rank)):
            return self
        if self.prim == "transpose":
            inner: tuple[int, ...] = self.attrs["perm"]
            return self.args[0].transpose(*(inner[p] for p in perm))
        return make("transpose", (self,), {"perm": perm}, self.dtype, tuple(self.shape[p] for p in perm))

    def broadcast(self, shape: Sequence[Dim]) -> Value:
        """Repeat axes of size 1 to `shape` (numpy rules; leading axes are added)."""
        x = self.reshape((1,) * (len(shape) - self.rank) + self.shape)
        shape = broadcast_shape(x.shape, shape, self.shape)
        return x if shape == x.shape else make("broadcast", (x,), {"shape": shape}, self.dtype, shape)

    def slice(self, start: Sequence[Dim], size: Sequence[Dim], step: Sequence[int] | None = None) -> Value:
        """x[start + i * step] for i below size, on every axis."""
        start, size, step = tuple(start), tuple(size), tuple(step or (1,) * self.rank)
        if size == self.shape and all(s == 1 for s in step) and all(s == 0 for s in start):
            return self
        return make("slice", (self,), {"start": start, "step": step, "size": size}, self.dtype, size)

    def pad(self, low: Sequence[Dim], high: Sequence[Dim], fill: Value | None = None) -> Value:
        """Surround with `fill` (a scalar of the same type; `zero` if absent); negative amounts crop."""
        low, high = tuple(low), tuple(high)
        if any(isinstance(p, int) and p < 0 for p in (*low, *high)):
            cut = [(_negative(a), _negative(b)) for a, b in zip(low, high, strict=True)]
            sizes = tuple(n - a - b for n, (a, b) in zip(self.shape, cut, strict=True))
            inner = self.slice(tuple(a for a, _ in cut), sizes)
            rest = [(a + p, b + q) for (a, b), p, q in zip(cut, low, high, strict=True)]
            return inner.pad(tuple(a for a, _ in rest), tuple(b for _, b in rest), fill)
        if all(p == 0 for p in (*low, *high)):
            return self
        fill = zero(self.dtype) if fill is None else fill
        shape = tuple(n + a + b for n, a, b in zip(self.shape, low, high, strict=True))
        return make("pad", (self, fill), {"low": low, "high": high}, self.dtype, shape)

    def window(
        self, axes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
    ) -> Value:
        """Sliding windows over axes; the offsets inside the window become new last axes."""
        shape = list(self.shape)
        for axis, k, s, d in zip(axes, kernel, strides, dilations, strict=True):
            shape[axis] = dims.maximum(dims.floordiv(shape[axis] - (k - 1) * d - 1, s) + 1, 0)
        attrs = {
            "axes": tuple(axes),
            "kernel": tuple(kernel),
            "strides": tuple(strides),
            "dilations": tuple(dilations),
        }
        return make("window", (self,), attrs, self.dtype, (*shape, *kernel))

    def gather(self, index: Value, axis: int) -> Value:
        """Pick positions along an axis by an integer tensor."""
        axis = self.axis(axis)
        shape = (*self.shape[:axis], *index.shape, *self.shape[axis + 1 :])
        return make("gather", (self, index), {"axis": axis}, self.dtype, shape)

    def dot(self, other: Value, dtype: DType | None = None, *, exact: bool = False) -> Value:
        """Batched matrix product [..., m, k] @ [..., k, n]; leading axes broadcast.

        An `exact` one is off by no more than sums of single products are, where others may be transformed.
        """
        a = self.reshape((1,) * (other.rank - self.rank) + self.shape)
        b = other.reshape((1,) * (self.rank - other.rank) + other.shape)
        told = "cannot multiply {} by {}: inner sizes of a matrix product differ"
        if dims.equal(a.shape[-1], b.shape[-2]) is False:
            raise ShapeError(told.format(list(self.shape), list(other.shape)))
        must_equal(a.shape[-1], b.shape[-2], told, self.shape, other.shape)
        batch = broadcast_shape(a.shape[:-2], b.shape[:-2], self.shape)
        dtype = dtype or self.dtype
        attrs = {"dtype": dtype, "exact": True} if exact else {"dtype": dtype}
        return make("dot", (a, b), attrs, dtype, (*batch, a.shape[-2], b.shape[-1]))

    def result(self, index: int) -> Value:
        """One result of a many-result operator."""
        dtype, shape = self.results[index]
        return make("result", (self,), {"index": index}, dtype, shape)

    def over(self, args: tuple[Value, ...]) -> Value:
        """The same operation over other arguments of the same types, not all of which are known."""
        made = Value(self.prim, args, self.attrs, self.dtype, self.shape, None, self.results)
        made.frozen, made.symbols = self.frozen, self.symbols
        return _interned(made)


Operand: TypeAlias = Value | int | float


def _negative(amount: Dim) -> int:
    return max(0, -amount) if isinstance(amount, int) else 0


def map_(prim: str, *operands: Operand) -> Value:
    """A scalar function over operands, broadcast by numpy's rules; numbers take the type of the first."""
    args = [o for o in operands if isinstance(o, Value)]
    rank = max([a.rank for a in args])
    if len(args) < len(operands):
        like = next(o for o in operands[prim == "where" :] if isinstance(o, Value))
        args = [o if isinstance(o, Value) else scalar(o, like.dtype, rank) for o in operands]
    args = [a if a.rank == rank else a.reshape((1,) * (rank - a.rank) + a.shape) for a in args]
    shape: Shape = args[0].shape
    for a in args[1:]:
        shape = broadcast_shape(shape, a.shape, a.shape)
    typed = args[1:] if prim == "where" else args
    if len({a.dtype for a in typed}) > 1:
        raise ShapeError(f"{prim} of different element types {[a.dtype.onnx_name for a in typed]}")
    boolean = prim in ("eq", "lt", "le", "isnan", "isinf")
    return make(prim, tuple(args), {}, dt.BOOL if boolean else typed[0].dtype, shape)


def make(
    prim: str,
    args: tuple[Value, ...],
    attrs: dict[str, Any],
    dtype: DType,
    shape: Shape,
    results: tuple[tuple[DType, Shape], ...] = (),
) -> Value:
    """The interned value of a primitive over arguments, folded if all of them are constants.

    Raises ShapeError if the primitive is not defined for their element types.
    """
    types.check(prim, args)
    has_elements = assume_sizes(prim, shape, 1 if prim in _WINDOWS else 0)
    if not has_elements and dtype is not dt.OBJECT and prim not in _KEPT_EMPTY:
        return const(empty(dtype, shape), dtype).broadcast(shape)
    contents = [(a.data if a.exact is None else a.exact, a.dtype) for a in args if a.data is not None]
    if args and len(contents) == len(args):
        folded = fold(prim, contents, attrs, dtype, shape)
        if folded is not None:
            return const(folded, dtype)
    return _interned(Value(prim, args, attrs, dtype, shape, None, results))


def _interned(value: Value) -> Value:
    """The first of all values of this operation over these arguments, or the value itself."""
    if value.frozen is None:
        value.frozen = freeze(value.attrs)
    operands = tuple([a.id for a in value.args])
    # All other values are computed from inputs, which are never found again.
    era = _table.era if all(a.data is not None for a in value.args) else None
    key = (value.prim, operands, value.frozen, value.dtype.name, value.shape, value.results, era)
    first = _table.first(key, value)
    origin.add_to(first)
    return first


def begin_era() -> None:
    """Forget values that are made of sizes alone: another graph begins, whose sizes have other facts."""
    _table.era += 1


def const(data: Array, dtype: DType | None = None) -> Value:
    """A constant; `dtype` is needed for object arrays of symbolic sizes, and for halves given in f32.

    Those are kept as they are too: what is computed from them is rounded once. The array must not change
    later.
    """
    data = np.asarray(data)
    dtype = dtype or dt.by_numpy(data.dtype)
    if data.dtype == object and dtype is not dt.STRING and all(isinstance(v, int) for v in data.flat):
        data = data.astype(dtype.numpy)
    exact = data if dtype.is_half and data.dtype == np.float32 else None
    if exact is not None:
        with np.errstate(all="ignore"):
            data = exact.astype(dtype.numpy)
    key = const_key(data if exact is None else exact, dtype)
    if data.dtype == object and dtype is not dt.STRING:
        key = (*key, _table.era)
    known = _table.find(key)
    return known or _table.first(key, Value("const", (), {}, dtype, data.shape, data, exact=exact))


def scalar(number: float, dtype: DType, rank: int = 0) -> Value:
    """A constant of one element; halves are not rounded before they are computed with."""
    single = np.asarray(number).astype(np.float32 if dtype.is_half else dtype.numpy).reshape((1,) * rank)
    rounded = single.astype(dtype.numpy) if dtype.is_half else single
    return const(rounded if rounded == single or single != single else single, dtype)


def zero(dtype: DType) -> Value:
    """A rank-0 constant: 0, or the empty text."""
    return const(np.array("", object) if dtype is dt.STRING else np.zeros((), dtype.numpy))


def dim_value(dim: Dim, dtype: DType) -> Value:
    """A size as a rank-0 constant, symbolic if it is unknown."""
    if isinstance(dim, int):
        return scalar(dim, dtype)
    data = np.empty((), dtype=object)
    data[()] = dim
    return const(data, dtype)


def dims_vector(shape: Sequence[Dim], dtype: DType = dt.I64) -> Value:
    """Sizes as a rank-1 integer constant, symbolic where they are unknown."""
    data = np.empty((len(shape),), dtype=object)
    data[:] = list(shape)
    return const(data, dtype)


def placeholder(name: str, dtype: DType, shape: Sequence[Dim]) -> Value:
    """A graph input; each call makes a new one."""
    return Value("input", (), {"name": name}, dtype, tuple(shape), None)


def iota(shape: Sequence[Dim], axis: int, dtype: DType) -> Value:
    """The index along an axis."""
    if dtype.is_half:
        return iota(shape, axis, dt.F32).cast(dtype)
    shape = tuple(shape)
    valid = all(isinstance(size, int) and size >= 0 for size in shape)
    if valid and isinstance(n := dims.product(shape), int) and n <= SYMBOLIC_LIMIT:
        return const(
            np.ascontiguousarray(PRIMS["iota"].run([], {"shape": shape, "axis": axis, "dtype": dtype}))
        )
    return make("iota", (), {"shape": shape, "axis": axis, "dtype": dtype}, dtype, shape)


def concat(parts: Sequence[Value], axis: int) -> Value:
    """Join along an axis; parts of size 0 are dropped, other sizes must agree."""
    axis = parts[0].axis(axis)
    live = [p for p in parts if p.shape[axis] != 0] or list(parts[:1])
    if len(live) == 1:
        return live[0]
    total: Dim = 0
    for p in live:
        others = [pair for a, pair in enumerate(zip(p.shape, live[0].shape, strict=False)) if a != axis]
        if p.rank != live[0].rank or any(dims.equal(m, n) is False for m, n in others):
            raise ShapeError(f"cannot join {[list(q.shape) for q in live]} along axis {axis}")
        for m, n in others:
            must_equal(m, n, "joined tensors of sizes {} and {} differ", p.shape, live[0].shape)
        total = total + p.shape[axis]
    shape = (*live[0].shape[:axis], total, *live[0].shape[axis + 1 :])
    return make("concat", tuple(live), {"axis": axis}, live[0].dtype, shape)


def many(
    prim: str, args: Sequence[Value], attrs: dict[str, Any], results: Sequence[tuple[DType, Shape]]
) -> tuple[Value, ...]:
    """The results of a many-result operator, as values."""
    node = make(prim, tuple(args), attrs, dt.OBJECT, (), tuple(results))
    return tuple(node.result(i) for i in range(len(results)))
