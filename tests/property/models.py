"""Draws small ONNX models: a chain of operators over tensors of drawn shapes, with one size left open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper

Shape = tuple[int, ...]
OPSET = 21
# Equal to no other size of a chain, so that a model valid for one N is valid for all.
OPEN_SIZES = (23, 29, 31, 37, 41)

# Bounded functions, so that a chain of them does not blow roundings up.
UNARY = ("Tanh", "Sigmoid", "Abs", "Neg", "Relu", "Sin", "Erf", "Softsign", "HardSwish")
BINARY = ("Add", "Sub", "Mul", "Max", "Min")
REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2")
NORMALISERS = ("Softmax", "LogSoftmax")


@dataclass
class Chain:
    """A model under construction: `shape` is that of the last value."""

    shape: Shape
    last: str = "x"
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    values: list[tuple[str, Shape]] = field(default_factory=list)

    def add(self, operator: str, shape: Shape, *others: str, **attributes: Any) -> None:
        """Append a node that reads the last value and the others."""
        self.values.append((self.last, self.shape))
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.last, *others], [name], **attributes))
        self.last, self.shape = name, shape

    def constant(self, array: Any) -> str:
        """Add an initializer."""
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name


@dataclass(frozen=True)
class Model:
    """A drawn model with feeds."""

    proto: Any
    feeds: dict[str, Any]

    @property
    def text(self) -> str:
        """The model in ONNX's syntax."""
        return str(onnx.printer.to_text(self.proto))

    @property
    def data(self) -> bytes:
        """The model serialised."""
        return bytes(self.proto.SerializeToString())


@st.composite
def models(draw: st.DrawFn, dtype: type = np.float32) -> Model:
    """Chains of one to six operators whose first size is symbolic."""
    rest = draw(st.lists(st.integers(1, 19), max_size=3))
    shape = (draw(st.sampled_from(OPEN_SIZES)), *rest)
    chain = Chain(shape)
    for _ in range(draw(st.integers(1, 6))):
        draw(st.sampled_from(STEPS))(chain, draw, dtype)
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x = helper.make_tensor_value_info("x", element, ["N", *shape[1:]])
    y = helper.make_tensor_value_info(chain.last, element, [f"d{i}" for i in range(len(chain.shape))])
    graph = helper.make_graph(chain.nodes, "drawn", [x], [y], chain.constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return Model(proto, {"x": random.normal(size=shape).astype(dtype)})


def _unary(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    chain.add(draw(st.sampled_from(UNARY)), chain.shape)


def _binary(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    """With a constant that broadcasts, or with an earlier value of the same shape."""
    same = [name for name, shape in chain.values if shape == chain.shape]
    if bool(same) and draw(st.booleans()):
        other = draw(st.sampled_from(same))
    else:
        sides = [side if axis and draw(st.booleans()) else 1 for axis, side in enumerate(chain.shape)]
        other = chain.constant(np.linspace(-1, 1, int(np.prod(sides))).reshape(sides).astype(dtype))
    chain.add(draw(st.sampled_from(BINARY)), chain.shape, other)


def _reduce(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    if chain.shape:
        axis = draw(st.integers(0, len(chain.shape) - 1))
        shape = tuple(1 if i == axis else side for i, side in enumerate(chain.shape))
        axes = chain.constant(np.array([axis], np.int64))
        chain.add(draw(st.sampled_from(REDUCTIONS)), shape, axes, keepdims=1)


def _normalise(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    axis = draw(st.integers(0, len(chain.shape) - 1))
    chain.add(draw(st.sampled_from(NORMALISERS)), chain.shape, axis=axis)


def _transpose(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    order = draw(st.permutations(range(len(chain.shape))))
    chain.add("Transpose", tuple(chain.shape[axis] for axis in order), perm=order)


def _matmul(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    """Contracts the last axis if its size is known to the model: a product with constant weights."""
    inner, outer = chain.shape[-1], draw(st.integers(1, 20))
    if len(chain.shape) > 1 and not any(node.op_type == "Transpose" for node in chain.nodes):
        weights = np.random.default_rng(inner).normal(size=(inner, outer)) / np.sqrt(inner)
        chain.add("MatMul", (*chain.shape[:-1], outer), chain.constant(weights.astype(dtype)))


def _concat(chain: Chain, draw: st.DrawFn, dtype: type) -> None:
    axis = draw(st.integers(0, len(chain.shape) - 1))
    shape = tuple(2 * side if i == axis else side for i, side in enumerate(chain.shape))
    chain.add("Concat", shape, chain.last, axis=axis)


STEPS: tuple[Callable[[Chain, st.DrawFn, type], None], ...] = (
    _unary,
    _binary,
    _reduce,
    _normalise,
    _transpose,
    _matmul,
    _concat,
)
