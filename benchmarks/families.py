"""A small model for each kernel family, whose speed is that family's; weights are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import kernels
import numpy as np
import onnx
from subjects import in_turn

from sardonyx.tools.bench import InTurn

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]
Case = tuple[bytes, InTurn]
"""A model and what its runs are fed."""

IMPORTS = '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3]>'


def drawn(*shape: int, scale: float = 1.0) -> Array:
    """Numbers from a normal distribution, the same for each shape."""
    return np.random.default_rng(shape).standard_normal(shape, np.float32) * np.float32(scale)


def written(text: str, feeds: Feeds, **weights: Array) -> Case:
    """A graph in ONNX's syntax with these initialisers."""
    proto = onnx.parser.parse_model(f"{IMPORTS} {text}")
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in weights.items())
    return proto.SerializeToString(), feeds


def one_input(nodes: str, x: Array, **weights: Array) -> Case:
    """A graph from x to y, both of any shape of x's rank."""
    free = ", ".join(f"D{n}" for n in range(x.ndim))
    return written(f"g (float[{free}] x) => (float y) {{ {nodes} }}", {"x": x}, **weights)


def kernel(which: kernels.Kernel) -> Case:
    """One shape of kernels.py."""
    return which.model(), which.feeds()


def attention() -> Case:
    """Twelve heads of 64 over 197 tokens, with a mask of keys."""
    shapes = {"q": (1, 12, 197, 64), "k": (1, 12, 197, 64), "v": (1, 12, 197, 64), "m": (1, 1, 1, 197)}
    inputs = ", ".join(f"float[{', '.join(map(str, s))}] {n}" for n, s in shapes.items())
    nodes = (
        "t = Transpose<perm = [0, 1, 3, 2]>(k) s = MatMul(q, t) c = Constant<value = float {0.125}>() "
        "a = Mul(s, c) b = Add(a, m) p = Softmax<axis = -1>(b) y = MatMul(p, v)"
    )
    feeds = {name: drawn(*shape) for name, shape in shapes.items()}
    return written(f"g ({inputs}) => (float[1, 12, 197, 64] y) {{ {nodes} }}", feeds)


def recurrent() -> Case:
    """An LSTM of 128 units over 60 steps."""
    weights = {"w": drawn(1, 512, 64, scale=0.1), "r": drawn(1, 512, 128, scale=0.1)}
    return one_input("y, h, c = LSTM<hidden_size = 128>(x, w, r)", drawn(60, 4, 64), **weights)


def integers() -> Case:
    """A product with weights of 8 bits whose left side is quantised on the way."""
    nodes = "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z) f = Cast<to = 1>(i) y = Mul(f, s)"
    return one_input(nodes, drawn(128, 768), w=(drawn(768, 768) * 20).astype(np.int8))


def integer_convolution() -> Case:
    """A 3x3 convolution of bytes whose result is quantised."""
    nodes = "y = QLinearConv<pads = [1, 1, 1, 1]>(x, xs, xz, w, ws, wz, ys, yz)"
    shape = (1, 128, 28, 28)
    sizes = ", ".join(map(str, shape))
    numbers = {"xs": 0.02, "ws": 0.01, "ys": 0.5}
    arrays = {name: np.asarray(number, np.float32) for name, number in numbers.items()}
    arrays |= {"xz": np.asarray(128, np.uint8), "wz": np.asarray(0, np.int8), "yz": np.asarray(128, np.uint8)}
    arrays["w"] = drawn(128, 128, 3, 3, scale=20).astype(np.int8)
    x = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    return written(f"g (uint8[{sizes}] x) => (uint8[{sizes}] y) {{ {nodes} }}", {"x": x}, **arrays)


def trees(rows: int) -> Callable[[], Case]:
    """A gradient boosting of 100 trees of depth 3, asked for other rows in each run."""

    def make() -> Case:
        import tabular  # its libraries take seconds

        numbers, words, y = tabular.table()
        proto = tabular.MODELS["gradient_boosting"](numbers, words, y)
        return proto.SerializeToString(), in_turn(rows, {"numbers": numbers})

    return make


FAMILIES: Mapping[str, Callable[[], Case]] = {
    "product": lambda: kernel(kernels.gemm(128, 768, 768)),
    "product, long sums": lambda: kernel(kernels.gemm(128, 768, 3072)),
    "product of one row": lambda: kernel(kernels.gemm(1, 768, 768)),
    "product of two inputs": lambda: written(
        "g (float[8, 96, 80] a, float[8, 80, 96] b) => (float[8, 96, 96] y) { y = MatMul(a, b) }",
        {"a": drawn(8, 96, 80), "b": drawn(8, 80, 96)},
    ),
    "product of 8 bits": integers,
    "attention": attention,
    "convolution 3x3": lambda: kernel(kernels.conv(28, 128, 128, 3, 1, 1)),
    "convolution 3x3 of 8 bits": integer_convolution,
    "convolution 3x3, dilated": lambda: one_input(
        "y = Conv<dilations = [2, 2], pads = [2, 2, 2, 2]>(x, w)",
        drawn(1, 128, 28, 28),
        w=drawn(128, 128, 3, 3, scale=0.03),
    ),
    "convolution 1x1": lambda: kernel(kernels.conv(14, 256, 256, 1, 1, 1)),
    "convolution, first layer": lambda: kernel(kernels.conv(112, 3, 32, 3, 2, 1)),
    "convolution, depthwise": lambda: kernel(kernels.conv(56, 144, 144, 3, 1, 144)),
    "convolution, grouped": lambda: kernel(kernels.conv(28, 128, 128, 3, 1, 16)),
    "pooling": lambda: one_input(
        "y = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(x)", drawn(1, 64, 112, 112)
    ),
    "softmax": lambda: one_input("y = Softmax<axis = -1>(x)", drawn(1536, 128)),
    "norm": lambda: one_input("y = LayerNormalization(x, w, b)", drawn(128, 768), w=drawn(768), b=drawn(768)),
    "maps": lambda: one_input("a = Gelu(x) b = Mul(a, x) y = Tanh(b)", drawn(128, 3072)),
    "sums": lambda: one_input("y = ReduceMean(x, a)", drawn(256, 1024), a=np.array([0])),
    "transposition": lambda: one_input("y = Transpose<perm = [0, 2, 1]>(x)", drawn(4, 257, 384)),
    "lookup": lambda: written(
        "g (int64[N] i) => (float[N, 384] y) { y = Gather(w, i) }",
        {"i": np.arange(0, 8000, 31)},
        w=drawn(8000, 384),
    ),
    "resize": lambda: one_input(
        'y = Resize<mode = "linear">(x, "", s)', drawn(1, 16, 64, 64), s=np.array([1, 1, 2, 2], np.float32)
    ),
    "recurrent": recurrent,
    "trees, one row": trees(1),
    "trees, 1000 rows": trees(1000),
    "one node": lambda: one_input("y = Relu(x)", drawn(8)),
}
"""What is measured by what it is called in records."""
