"""Draws small ONNX models: operators over shared values of one element type, with some sizes left open.

Bodies of If, Loop and Scan are drawn from the same steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from sardonyx.base import dtype as dt
from tests.property.operators.draw import HALF, allowed, content, kind_of

Shape = tuple[int, ...]
OPSET = 21
# Equal to no other size of a model, so that one valid for some N and M is valid for all.
OPEN_SIZES = {"N": (23, 29, 31, 37, 41), "M": (43, 47, 53)}
MOST_ELEMENTS = 30_000
FLOATS = (*(np.dtype(t) for t in (np.float32, np.float64)), *HALF)
INTEGERS = tuple(np.dtype(f"{kind}{width}") for kind in ("int", "uint") for width in (8, 16, 32, 64))

# Bounded functions, so that many of them in a row do not blow roundings up.
UNARY = ("Tanh", "Sigmoid", "Abs", "Neg", "Relu", "Sin", "Erf", "HardSwish", "Identity")
BINARY = ("Add", "Sub", "Mul", "Max", "Min")
REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSum")
NORMALISERS = ("Softmax", "LogSoftmax")
COMPARISONS = ("Less", "Equal", "GreaterOrEqual")


@cache
def _takes(operator: str, dtype: np.dtype[Any]) -> bool:
    """Whether the operator takes the type, and the reference computes it as precisely."""
    schema = onnx.defs.get_schema(operator, OPSET)
    if kind_of(dtype) != "f" and operator in ("Erf", "ReduceMean", "ReduceL2"):
        return False
    if operator in ("Erf", "HardSwish") and dtype == np.float64:
        return False
    return dtype in allowed(schema, schema.inputs[0].type_str)


@dataclass(frozen=True)
class Value:
    """A value of a model: `open` tells which of its sizes are not the same in every run."""

    name: str
    shape: Shape
    open: tuple[bool, ...]

    def resized(self, axis: int, size: int, is_open: bool = False) -> tuple[Shape, tuple[bool, ...]]:
        """Shape and openness with another size of one axis."""
        shape, flags = list(self.shape), list(self.open)
        shape[axis], flags[axis] = size, is_open
        return tuple(shape), tuple(flags)


@dataclass
class Builder:
    """A model under construction, or a body inside one."""

    draw: st.DrawFn
    dtype: np.dtype[Any]
    values: list[Value] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    feeds: dict[str, Any] = field(default_factory=dict)
    count: list[int] = field(default_factory=lambda: [0])
    reduces_open: bool = False

    def name(self) -> str:
        """A name that nothing else has, in bodies neither."""
        self.count[0] += 1
        return f"v{self.count[0]}"

    def node(self, operator: str, names: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Append a node; the names of its results."""
        results = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, results, **attributes))
        return results

    def add(
        self,
        operator: str,
        x: Value,
        *others: str,
        to: tuple[Shape, tuple[bool, ...]] | None = None,
        **attrs: Any,
    ) -> Value:
        """Append a node that reads x and the others, and note its result of the model's element type."""
        (name,) = self.node(operator, [x.name, *others], **attrs)
        return self.note(name, *(to or (x.shape, x.open)))

    def note(self, name: str, shape: Shape, is_open: tuple[bool, ...]) -> Value:
        """A value that later steps may read."""
        self.values.append(Value(name, shape, is_open))
        return self.values[-1]

    def constant(self, array: Any) -> str:
        """Add an initializer."""
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def input(self, name: str, array: Any, sizes: Sequence[int | str]) -> str:
        """Add an input with what is fed."""
        element = dt.by_numpy(array.dtype).onnx
        self.inputs.append(helper.make_tensor_value_info(name, element, list(sizes)))
        self.feeds[name] = array
        return name

    def numbers(self, shape: Sequence[int]) -> Any:
        """Small content."""
        random = np.random.default_rng(self.draw(st.integers(0, 99)))
        if kind_of(self.dtype) == "f":
            return np.asarray(random.normal(size=shape)).astype(self.dtype)
        return content(random, shape, self.dtype, "none")

    def one_of(self, operators: Sequence[str]) -> str | None:
        """One of the operators that take the element type, if there is any."""
        known = [operator for operator in operators if _takes(operator, self.dtype)]
        return self.draw(st.sampled_from(known)) if known else None

    def pick(self) -> Value:
        """A value to go on with: mostly the last."""
        return self.values[-1] if self.draw(st.integers(0, 3)) else self.draw(st.sampled_from(self.values))

    @contextmanager
    def body(self) -> Iterator[Builder]:
        """A graph inside this one; names of this one may be read in it."""
        inner = Builder(self.draw, self.dtype, count=self.count)
        yield inner
        self.reduces_open |= inner.reduces_open


@dataclass(frozen=True)
class Model:
    """A drawn model with feeds; `open_axes` are input, axis and symbol of each size left open."""

    proto: Any
    feeds: dict[str, Any]
    dtype: np.dtype[Any]
    open_axes: tuple[tuple[str, int, str], ...]
    least_size: int

    @property
    def text(self) -> str:
        """The model in ONNX's syntax."""
        return str(onnx.printer.to_text(self.proto))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.feeds.items())
        printer.text(f"{self.text}\nfed: {shapes}")

    @property
    def data(self) -> bytes:
        """The model serialised."""
        return bytes(self.proto.SerializeToString())

    def resized(self, sizes: dict[str, int]) -> dict[str, Any]:
        """The feeds with other numbers for the open sizes."""
        feeds = dict(self.feeds)
        for name, axis, symbol in self.open_axes:
            at = np.arange(sizes[symbol]) % max(feeds[name].shape[axis], 1)
            feeds[name] = feeds[name].take(at, axis)
        return feeds


@st.composite
def models(draw: st.DrawFn, dtypes: Sequence[np.dtype[Any]] = FLOATS[:1]) -> Model:
    """One to eight steps over one or two inputs with up to two open sizes, and one to three outputs."""
    b = Builder(draw, draw(st.sampled_from(dtypes)))
    sizes = {symbol: draw(st.sampled_from(known)) for symbol, known in OPEN_SIZES.items()}
    names: list[int | str] = ["N", *draw(st.lists(st.one_of(st.integers(1, 19), st.just("M")), max_size=2))]
    _declare(b, "x", names, sizes)
    if draw(st.booleans()):
        _declare(b, "z", [n if draw(st.booleans()) else 1 for n in names], sizes)
    for _ in range(draw(st.integers(1, 8))):
        draw(st.sampled_from(STEPS))(b, b.pick())
    made = [v for v in b.values if v.name not in b.feeds]
    if not made:
        made = [b.add("Identity", b.values[0])]
    also = draw(st.lists(st.sampled_from(made), max_size=2))
    outputs = list(dict.fromkeys([made[-1], *also]))
    graph = helper.make_graph(
        *(b.nodes, "drawn", b.inputs), [onnx.ValueInfoProto(name=v.name) for v in outputs], b.constants
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    axes = tuple(
        (i.name, axis, size.dim_param)
        for i in b.inputs
        for axis, size in enumerate(i.type.tensor_type.shape.dim)
        if size.dim_param
    )
    return Model(proto, b.feeds, b.dtype, axes, int(b.reduces_open))


def _declare(b: Builder, name: str, names: Sequence[int | str], sizes: dict[str, int]) -> None:
    shape = tuple(n if isinstance(n, int) else sizes[n] for n in names)
    b.input(name, b.numbers(shape), names)
    b.note(name, shape, tuple(isinstance(n, str) for n in names))


def _unary(b: Builder, x: Value) -> None:
    if operator := b.one_of(UNARY):
        b.add(operator, x)


def _binary(b: Builder, x: Value) -> None:
    """With a value that broadcasts to x, or with a constant that does."""
    if operator := b.one_of(BINARY):
        b.add(operator, x, _partner(b, x))


def _fits(v: Value, x: Value) -> bool:
    """Whether v broadcasts to x."""
    return len(v.shape) == len(x.shape) and all(m in (n, 1) for m, n in zip(v.shape, x.shape, strict=True))


def _partner(b: Builder, x: Value) -> str:
    fits = [v.name for v in b.values if _fits(v, x)]
    return b.draw(st.sampled_from(fits)) if fits and b.draw(st.booleans()) else _beside(b, x)


def _beside(b: Builder, x: Value) -> str:
    """A constant that broadcasts to x."""
    sides = [1 if o or b.draw(st.booleans()) else n for n, o in zip(x.shape, x.open, strict=True)]
    return b.constant(b.numbers(sides[b.draw(st.integers(0, len(sides))) :]))


def _select(b: Builder, x: Value) -> None:
    """By comparing anything that is exact: integers, or what is fed."""
    operator = b.one_of(COMPARISONS)
    exact = [v for v in b.values if _fits(v, x) and (v.name in b.feeds or kind_of(b.dtype) != "f")]
    if operator and exact:
        (where,) = b.node(operator, [b.draw(st.sampled_from(exact)).name, _beside(b, x)])
        (name,) = b.node("Where", [where, x.name, _partner(b, x)])
        b.note(name, x.shape, x.open)


def _reduce(b: Builder, x: Value) -> None:
    operator = b.one_of(REDUCTIONS)
    if x.shape and operator:
        axis = b.draw(st.integers(0, len(x.shape) - 1))
        b.reduces_open |= x.open[axis]
        axes = b.constant(np.array([axis], np.int64))
        b.add(operator, x, axes, to=x.resized(axis, 1), keepdims=1)


def _normalise(b: Builder, x: Value) -> None:
    operator = b.one_of(NORMALISERS)
    if x.shape and operator:
        axis = b.draw(st.integers(0, len(x.shape) - 1))
        b.reduces_open |= x.open[axis]
        b.add(operator, x, axis=axis)


def _transpose(b: Builder, x: Value) -> None:
    order = b.draw(st.permutations(range(len(x.shape))))
    to = tuple(x.shape[a] for a in order), tuple(x.open[a] for a in order)
    b.add("Transpose", x, to=to, **({"perm": order} if order else {}))  # onnx writes no empty lists


def _matmul(b: Builder, x: Value) -> None:
    """With constant weights, if the last size is known to the model, or with itself transposed."""
    if len(x.shape) < 2 or not _takes("MatMul", b.dtype):
        return
    inner = x.shape[-1]
    if not x.open[-1]:
        outer = b.draw(st.integers(1, 20))
        weights = b.numbers((inner, outer))
        if kind_of(b.dtype) == "f":
            weights = (weights.astype(np.float64) / np.sqrt(inner)).astype(b.dtype)
        b.add("MatMul", x, b.constant(weights), to=x.resized(-1, outer))
    elif prod(x.shape[:-1]) * x.shape[-2] <= MOST_ELEMENTS:
        order = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
        (turned,) = b.node("Transpose", [x.name], perm=order)
        bounded = b.add("Tanh", x) if kind_of(b.dtype) == "f" else x
        b.reduces_open |= x.open[-1]
        b.add("MatMul", bounded, turned, to=x.resized(-1, x.shape[-2], x.open[-2]))


def _concat(b: Builder, x: Value) -> None:
    if x.shape and 2 * prod(x.shape) <= MOST_ELEMENTS:
        axis = b.draw(st.integers(0, len(x.shape) - 1))
        b.add("Concat", x, x.name, to=x.resized(axis, 2 * x.shape[axis], x.open[axis]), axis=axis)


def _reverse(b: Builder, x: Value) -> None:
    """Every element or every second one, from the end of an axis whose size is known."""
    closed = [a for a, is_open in enumerate(x.open) if not is_open]
    if closed:
        axis, step = b.draw(st.sampled_from(closed)), b.draw(st.sampled_from((-1, -2)))
        bounds = [b.constant(np.array([n], np.int64)) for n in (-1, -(2**63), axis, step)]
        b.add("Slice", x, *bounds, to=x.resized(axis, -(-x.shape[axis] // -step)))


def _reshape(b: Builder, x: Value) -> None:
    """All axes as one and back, which takes the sizes from the value."""
    flat = b.constant(np.array([-1], np.int64))
    (line,) = b.node("Reshape", [x.name, flat])
    (sizes,) = b.node("Shape", [x.name])
    (name,) = b.node("Reshape", [line, sizes], allowzero=1)
    b.note(name, x.shape, x.open)


def _graph(inner: Builder, inputs: Sequence[Any], outputs: Sequence[str]) -> Any:
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    return helper.make_graph(inner.nodes, "body", list(inputs), results, inner.constants)


def _same_shape(inner: Builder, x: Value) -> str:
    """One to three steps that keep the shape; the name of their result."""
    inner.values.append(x)
    for _ in range(inner.draw(st.integers(1, 3))):
        step = inner.draw(st.sampled_from((_unary, _binary, _select, _normalise)))
        step(inner, next(v for v in reversed(inner.values) if v.shape == x.shape))
    last = next(v for v in reversed(inner.values) if v.shape == x.shape)
    return last.name if last is not x else inner.node("Identity", [x.name])[0]


def _if(b: Builder, x: Value) -> None:
    branches = []
    for _ in range(2):
        with b.body() as inner:
            branches.append(_graph(inner, [], [_same_shape(inner, x)]))
    flag = b.input(b.name(), np.array(b.draw(st.booleans())), [])
    (name,) = b.node("If", [flag], then_branch=branches[0], else_branch=branches[1])
    b.note(name, x.shape, x.open)


def _loop(b: Builder, x: Value) -> None:
    """The value changes in each round; what it was is collected."""
    rounds = b.draw(st.integers(0, 3))
    element = dt.by_numpy(b.dtype).onnx
    with b.body() as inner:
        i, go, state = (inner.name() for _ in range(3))
        result = _same_shape(inner, Value(state, x.shape, x.open))
        (again,) = inner.node("Identity", [go])
        (kept,) = inner.node("Identity", [state])
        formals = [
            helper.make_tensor_value_info(i, onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info(go, onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info(state, element, [None] * len(x.shape)),
        ]
        # The reference can collect vectors alone.
        results = [again, result, kept][: 3 if rounds and len(x.shape) == 1 else 2]
        body = _graph(inner, formals, results)
    fed = b.draw(st.booleans())
    count = b.input(b.name(), np.array(rounds), []) if fed else b.constant(np.array(rounds))
    go = b.constant(np.array(True))
    last, *every = b.node("Loop", [count, go, x.name], len(results) - 1, body=body)
    b.note(last, x.shape, x.open)
    for name in every:
        b.note(name, (rounds, *x.shape), (fed, *x.open))


def _scan(b: Builder, x: Value) -> None:
    """A running maximum over the first axis and what it was in each step."""
    if not x.shape or any(x.open[1:]):
        return
    b.reduces_open |= x.open[0]
    element = dt.by_numpy(b.dtype).onnx
    start = b.constant(b.numbers(x.shape[1:]))
    with b.body() as inner:
        state, row = inner.name(), inner.name()
        (best,) = inner.node("Max", [state, row])
        result = _same_shape(inner, Value(best, x.shape[1:], x.open[1:]))
        (kept,) = inner.node("Identity", [best])
        formals = [helper.make_tensor_value_info(n, element, list(x.shape[1:])) for n in (state, row)]
        body = _graph(inner, formals, [kept, result])
    final, every = b.node("Scan", [start, x.name], 2, body=body, num_scan_inputs=1)
    b.note(final, x.shape[1:], x.open[1:])
    b.note(every, x.shape, x.open)


STEPS: tuple[Callable[[Builder, Value], None], ...] = (
    *(_unary, _binary, _select, _reduce, _normalise, _transpose, _matmul, _concat, _reverse, _reshape),
    *(_if, _loop, _scan),
)
