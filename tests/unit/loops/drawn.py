"""Random graphs of maps, reductions, views, gathers and scatters, with arrays to feed them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.dtype import DType
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, concat, iota, make, map_, placeholder, scalar

Array = np.ndarray[Any, Any]
SIZES = (1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 20, 31, 32, 33, 48, 64, 100)
MOST = 6000
EVERY_TYPE = (
    dt.F32,
    dt.F64,
    dt.F16,
    dt.BF16,
    dt.I64,
    dt.I32,
    dt.I16,
    dt.I8,
    dt.U8,
    dt.U16,
    dt.U32,
    dt.U64,
    dt.BOOL,
)
TYPES = (*[dt.F32] * 5, *EVERY_TYPE)


@dataclass
class Drawn:
    """A graph being drawn; sizes of inputs are symbols if `symbolic`."""

    rng: np.random.Generator
    symbolic: bool = False
    empty: bool = False
    inputs: list[Value] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def shape(self, rank: int) -> tuple[int, ...]:
        sizes = SIZES + ((0,) if self.empty else ())
        while True:
            shape = tuple(int(n) for n in self.rng.choice(sizes, rank))
            if np.prod(shape) <= MOST:
                return shape

    def feed(self, array: Array) -> Value:
        """A new input."""
        number = len(self.inputs)
        shape = [
            dims.symbol(f"s{number}_{a}") if self.symbolic and n > 1 and number == 0 else n
            for a, n in enumerate(array.shape)
        ]
        self.inputs.append(placeholder(f"x{number}", dt.by_numpy(array.dtype), shape))
        self.arrays.append(array)
        return self.inputs[-1]

    def numbers(self, shape: tuple[int, ...], dtype: DType) -> Array:
        """Small random numbers; integers are often equal."""
        if dtype.is_float:
            return (self.rng.standard_normal(shape) * 2).astype(dtype.numpy)
        if dtype is dt.BOOL:
            return self.rng.integers(0, 2, shape).astype(np.bool_)
        return self.rng.integers(0 if dtype.kind == "u" else -9, 10, shape).astype(dtype.numpy)

    def known(self, value: Value) -> tuple[int, ...]:
        """The sizes of a value."""
        bindings = {
            dims.symbol_name(n): int(size)
            for v, a in zip(self.inputs, self.arrays, strict=True)
            for n, size in zip(v.shape, a.shape, strict=True)
            if dims.symbol_name(n)
        }
        return tuple(dims.evaluate(n, bindings) for n in value.shape)  # type: ignore[arg-type]

    # ---- steps

    def step(self, x: Value) -> Value:
        """One more operation."""
        steps: list[Callable[[Value], Value | None]] = [
            *(self.unary, self.binary, self.binary, self.cast, self.choose, self.position),
            *(self.reduce, self.softmax, self.normalise),
            *(
                self.transpose,
                self.transpose,
                self.split,
                self.join,
                self.slice,
                self.pad,
                self.widen,
                self.window,
            ),
            *(self.concat, self.gather, self.gather_elements, self.scatter),
        ]
        while True:
            y = steps[int(self.rng.integers(len(steps)))](x)
            if y is not None and y.rank <= 6 and np.prod(self.known(y)) <= MOST:
                return y

    def unary(self, x: Value) -> Value | None:
        if x.dtype in (dt.F32, dt.F64):
            return x.unary(str(self.rng.choice(["tanh", "sigmoid", "neg", "abs", "sign", "floor", "erf"])))
        return x.logical_not() if x.dtype is dt.BOOL else None

    def binary(self, x: Value) -> Value | None:
        if x.dtype in (dt.F16, dt.BF16):
            return None
        shape = tuple(n if self.chance(0.6) else 1 for n in self.known(x))
        other = x if self.symbolic else self.feed(self.numbers(shape, x.dtype))
        if x.dtype is dt.BOOL:
            return x.logical_and(other) if self.chance(0.5) else x.eq(other)
        prims = ["add", "sub", "mul", "max", "min"]
        return map_(str(self.rng.choice(prims)), *((x, other) if self.chance(0.5) else (other, x)))

    def cast(self, x: Value) -> Value | None:
        to = TYPES[int(self.rng.integers(len(TYPES)))]
        unsafe = x.dtype.is_float and not to.is_float and to is not dt.BOOL
        if unsafe and (x.dtype not in (dt.F32, dt.F64) or to.kind == "u"):
            return None
        return (x.max(-9.0).min(9.0) if unsafe else x).cast(to)

    def choose(self, x: Value) -> Value | None:
        if x.dtype in (dt.F16, dt.BF16, dt.BOOL):
            return None
        return x.lt(scalar(1, x.dtype)).where(x, scalar(3, x.dtype))

    def position(self, x: Value) -> Value | None:
        if x.rank == 0 or x.dtype not in (dt.F32, dt.I64, dt.I32):
            return None
        axis = int(self.rng.integers(x.rank))
        return x + iota([n if a == axis else 1 for a, n in enumerate(x.shape)], axis, x.dtype)

    def axes(self, x: Value) -> list[int]:
        count = int(self.rng.integers(1, min(3, x.rank) + 1))
        return sorted(int(a) for a in self.rng.choice(x.rank, count, replace=False))

    def reduce(self, x: Value) -> Value | None:
        if x.rank == 0 or x.dtype in (dt.F16, dt.BF16, dt.BOOL):
            return None
        axes = self.axes(x)
        prims = ["sum", "rmax", "rmin"]
        if any(self.known(x)[a] == 0 for a in axes):
            prims = ["sum"]
        y = x.reduce(str(self.rng.choice(prims)), axes)
        if self.chance(0.4) and x.dtype.is_float:
            return (x - y).tanh()
        return y

    def softmax(self, x: Value) -> Value | None:
        if x.rank == 0 or x.dtype not in (dt.F32, dt.F64) or 0 in self.known(x):
            return None
        axis = int(self.rng.integers(x.rank)) if self.chance(0.5) else x.rank - 1
        e = (x - x.reduce_max(axis)).exp()
        return e / e.sum(axis)

    def normalise(self, x: Value) -> Value | None:
        if x.rank == 0 or x.dtype not in (dt.F32, dt.F64) or 0 in self.known(x):
            return None
        axis = x.rank - 1
        d = x - x.mean(axis)
        return d / ((d * d).mean(axis) + 0.1).sqrt()

    def transpose(self, x: Value) -> Value | None:
        return x.transpose(*(int(a) for a in self.rng.permutation(x.rank))) if x.rank > 1 else None

    def split(self, x: Value) -> Value | None:
        choices = [(a, n) for a, n in enumerate(x.shape) if isinstance(n, int) and n > 3]
        if not choices:
            return None
        axis, size = choices[int(self.rng.integers(len(choices)))]
        parts = [p for p in range(2, size) if size % p == 0]
        if not parts:
            return None
        part = int(self.rng.choice(parts))
        return x.reshape((*x.shape[:axis], part, size // part, *x.shape[axis + 1 :]))

    def join(self, x: Value) -> Value | None:
        if x.rank < 2:
            return None
        axis = int(self.rng.integers(x.rank - 1))
        return x.reshape((*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))

    def slice(self, x: Value) -> Value | None:
        start, size, step = [], [], []
        for n in x.shape:
            if not isinstance(n, int) or n == 0 or self.chance(0.5):
                start, size, step = [*start, 0], [*size, n], [*step, 1]
                continue
            k = int(self.rng.choice([1, 1, 2, 3, 4, 5, -1, -2]))
            count = int(self.rng.integers(0 if self.empty else 1, -(-n // abs(k)) + 1))
            span = (count - 1) * abs(k)
            first = int(self.rng.integers(0, n - span)) if count else 0
            start.append(first if k > 0 or not count else first + span)
            size.append(count)
            step.append(k)
        return x.slice(start, size, step)

    def pad(self, x: Value) -> Value | None:
        if x.rank == 0 or x.dtype is dt.BOOL:
            return None
        amounts = self.rng.integers(0, 3, (2, x.rank)) * (self.rng.random(x.rank) < 0.5)
        return x.pad([int(n) for n in amounts[0]], [int(n) for n in amounts[1]], scalar(2, x.dtype))

    def widen(self, x: Value) -> Value | None:
        shape = tuple(int(self.rng.choice(SIZES)) if n == 1 and self.chance(0.7) else n for n in x.shape)
        return x.broadcast(shape) if shape != x.shape else None

    def window(self, x: Value) -> Value | None:
        if x.rank < 2 or x.dtype in (dt.F16, dt.BF16, dt.BOOL):
            return None
        axes = [a for a in range(x.rank) if isinstance(x.shape[a], int) and x.shape[a] >= 5][:2]
        if not axes:
            return None
        kernel = [int(self.rng.integers(1, 4)) for _ in axes]
        strides = [int(self.rng.integers(1, 3)) for _ in axes]
        views = x.window(axes, kernel, strides, [1] * len(axes))
        over = list(range(x.rank, views.rank))
        y = views.reduce(str(self.rng.choice(["sum", "rmax"])), over)
        return y.reshape(y.shape[: x.rank])

    def concat(self, x: Value) -> Value | None:
        if x.rank == 0 or self.symbolic:
            return None
        axis = int(self.rng.integers(x.rank))
        shape = [int(self.rng.integers(1, 6)) if a == axis else n for a, n in enumerate(self.known(x))]
        return concat([x, self.feed(self.numbers(tuple(shape), x.dtype))], axis)

    def gather(self, x: Value) -> Value | None:
        sizes = self.known(x)
        if x.rank == 0 or 0 in sizes:
            return None
        axis = int(self.rng.integers(x.rank))
        index = self.rng.integers(-sizes[axis], sizes[axis], self.shape(int(self.rng.integers(1, 3))))
        return x.gather(self.feed(index.astype(self.rng.choice(["i4", "i8"]))), axis)

    def gather_elements(self, x: Value) -> Value | None:
        sizes = self.known(x)
        if x.rank == 0 or 0 in sizes or self.symbolic:
            return None
        axis = int(self.rng.integers(x.rank))
        shape = tuple(int(self.rng.integers(1, 20)) if a == axis else n for a, n in enumerate(sizes))
        index = self.feed(self.rng.integers(-sizes[axis], sizes[axis], shape))
        return make("gather_elements", (x, index), {"axis": axis}, x.dtype, shape)

    def scatter(self, x: Value) -> Value | None:
        sizes = self.known(x)
        if x.rank == 0 or 0 in sizes or x.dtype in (dt.BOOL, dt.F16, dt.BF16) or self.symbolic:
            return None
        axis = int(self.rng.integers(x.rank))
        shape = tuple(int(self.rng.integers(1, n + 1)) for n in sizes)
        index = self.feed(self.rng.integers(-sizes[axis], sizes[axis], shape))
        updates = self.feed(self.numbers(shape, x.dtype))
        how = str(self.rng.choice(["none", "add", "max"]))
        attrs = {"axis": axis, "reduction": how}
        return make("scatter_elements", (x, index, updates), attrs, x.dtype, x.shape)


def draw(seed: int, steps: int, *, symbolic: bool = False, empty: bool = False) -> tuple[Graph, list[Array]]:
    """A graph of up to `steps` operations in a row, and arrays for its inputs."""
    rng = np.random.default_rng(seed)
    drawn = Drawn(rng, symbolic, empty)
    dtype = TYPES[int(rng.integers(len(TYPES)))]
    x = drawn.feed(drawn.numbers(drawn.shape(int(rng.integers(1, 5))), dtype))
    results = []
    for _ in range(steps):
        x = drawn.step(x)
        if drawn.chance(0.15):
            results.append(x)
    outputs = [v for v in dict.fromkeys([*results, x]) if v.kind != "source"]
    return Graph(tuple(drawn.inputs), tuple((f"y{n}", v) for n, v in enumerate(outputs))), drawn.arrays
