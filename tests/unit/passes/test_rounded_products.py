"""Which contractions are rounded to bfloat16, what that costs in exactness, and native programs of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.target import Target
from sardonyx.ir.graph import Graph
from sardonyx.ir.run import run
from sardonyx.ir.verify import verify
from sardonyx.passes.rounded_products import is_rounded, rounded_products
from sardonyx.targets.x86_64 import isa
from tests.tolerance import MATRIX_BOUNDS
from tests.unit.passes.graphs import parse

ROUNDS = isa.with_features(isa.V4, ["avx512bf16"])
MATRICES = isa.with_features(isa.V4, ["avx512bf16", "amx-tile", "amx-bf16"])
RNG = np.random.default_rng(8)


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def product(w: np.ndarray) -> Graph:
    k, n = w.shape
    return parse(f"g (float[M, {k}] x) => (float[M, {n}] y) {{ y = MatMul(x, w) }}", w=w)


def convolution(w: np.ndarray, attributes: str = "") -> Graph:
    attributes = attributes and f"<{attributes}>"
    channels = w.shape[1] * (2 if "group" in attributes else 1)
    sizes = f"float[N, {channels}, H, W] x) => (float[N, {w.shape[0]}, A, B] y"
    return parse(f"g ({sizes}) {{ y = Conv{attributes}(x, w) }}", w=w)


def rounds(graph: Graph, target: Target = ROUNDS, precision: str = "bf16") -> bool:
    changed = rounded_products(graph, Goal(target, Policy(precision)))
    verify(changed)
    return any(is_rounded(v) for v in changed.order() if v.kind == "contract")


def test_where_precision_and_processor_allow_it() -> None:
    graph = product(drawn(64, 64))
    assert rounds(graph)
    assert not rounds(graph, precision="fp32")
    assert not rounds(graph, precision="strict")
    assert not rounds(graph, isa.V4)
    assert not rounds(graph, isa.V3)
    assert not rounds(graph, MATRICES), "matrix registers round by themselves"


def between(what: str, *more: str, l2_bytes: int = 1 << 10, **weights: np.ndarray) -> list[str]:
    """The types that convolutions read, of a net whose first one is followed by `what`, for more outputs."""
    outputs = ", ".join(["float[N,a,b,c] y", *(f"float[N,64,8,8] {name}" for name in more)])
    text = f"g (float[N, 64, 8, 8] x) => ({outputs}) {{ a = Conv(x, u) b = Relu(a) {what} }}"
    given = {name: drawn(64, 64, 1, 1) for name in "uvw" if f" {name})" in text} | weights
    goal = Goal(replace(MATRICES, l2_bytes=l2_bytes), Policy("bf16"))
    changed = rounded_products(parse(text, **given), goal)
    verify(changed)
    found = [v.args[0] for v in changed.order() if v.prim == "conv"]
    return [f"{x.dtype} of {x.args[0].dtype}" if x.prim == "cast" else str(x.dtype) for x in found]


def test_what_convolutions_read_is_stored_in_halves() -> None:
    assert between("y = Conv(b, v)") == ["f32", "bf16 of f32"]
    assert between("c = Conv(b, v) d = Conv(b, w) y = Add(c, d)") == ["f32", *["bf16 of f32"] * 2]
    assert between("c = Conv(b, v) y = Add(b, c)") == ["f32", "bf16 of f32"], "a sum widens"
    pooled = "p = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(b)"
    assert between(f"c = Conv(b, v) {pooled} y = Add(p, c)") == ["f32", "f32"], "each window would widen"
    assert between("y = Add(b, x)") == ["f32"], "nothing multiplies it"
    assert between("y = Conv(b, v)", "b") == ["f32", "f32"], "so does who gets the result"
    assert between("y = Conv(b, v)", l2_bytes=1 << 20) == ["f32", "f32"], "it stays in L2"


def test_vectors_widen_what_a_convolution_of_single_channels_reads() -> None:
    single, many = drawn(64, 1, 3, 3), drawn(64, 32, 1, 1)
    assert between("y = Conv<group = 64>(b, v)", v=single) == ["f32", "f32 of bf16"]
    assert between("y = Conv<group = 2>(b, v)", v=many) == ["f32", "f32"]
    assert between("y = Conv<group = 64>(b, v)", v=np.rint(single)) == ["f32", "f32"]
    both = "c = Conv<group = 64, pads = [1, 1, 1, 1]>(b, v) d = Conv(b, w) y = Add(c, d)"
    assert between(both, v=single) == ["f32", "f32 of bf16", "bf16 of f32"]


def test_weights_that_may_not_be_rounded() -> None:
    infinite = drawn(64, 64)
    infinite[3, 4] = np.inf
    for w in (np.rint(drawn(64, 64)), infinite, drawn(63, 64), drawn(64, 8)):
        assert not rounds(product(w))
    fed = parse("g (float[M, 64] x, float[64, 64] w) => (float[M, 64] y) { y = MatMul(x, w) }")
    assert not rounds(fed)


@pytest.mark.parametrize(
    ("w", "attributes", "expected"),
    [
        (drawn(64, 64, 1, 1), "", True),
        (drawn(64, 64, 3, 3), "strides = [2, 2]", True),
        (drawn(64, 64, 1, 7), "", True),
        (drawn(64, 64, 3, 3), "", False),
        (drawn(64, 64, 5, 1), "", False),
        (drawn(64, 64, 3, 3), "dilations = [2, 2]", False),
        (drawn(64, 64, 3, 3), "dilations = [2, 1]", False),
        (drawn(64, 64, 1, 3), "dilations = [1, 2]", False),
        (drawn(64, 33, 1, 1), "", False),
        (drawn(64, 16, 1, 1), "", False),
        (drawn(64, 64, 1, 1), "group = 2", False),
    ],
)
def test_convolutions(w: np.ndarray, attributes: str, expected: bool) -> None:
    assert rounds(convolution(w, attributes)) == expected


def test_numbers_are_within_the_bound() -> None:
    graph, x = product(drawn(96, 48)), drawn(7, 96)
    (exact,) = run(graph, (x,))
    (got,) = run(rounded_products(graph, Goal(ROUNDS, Policy("bf16"))), (x,))
    assert error(got, exact) <= MATRIX_BOUNDS["bf16"]


def error(got: np.ndarray, exact: np.ndarray) -> float:
    """rms of the errors, as a part of that of the result."""
    return float(
        np.sqrt(np.mean((got - exact.astype(np.float64)) ** 2) / np.mean(exact.astype(np.float64) ** 2))
    )


def session(text: str, precision: str, threads: int = 1, **weights: np.ndarray) -> Any:
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    proto.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in weights.items())
    options = sardonyx.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("sardonyx.precision", precision)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


NETS = {
    "product": (
        "n (float[M, 130] x) => (float[M, 77] y) { a = MatMul(x, w) b = Add(a, v) y = Relu(b) }",
        {"w": drawn(130, 77), "v": drawn(77)},
        [(m, 130) for m in (1, 3, 14, 37)],
    ),
    "epilogue": (
        "n (float[M, 64] x) => (float[M, 300] y) { a = MatMul(x, w) y = Sigmoid(a) }",
        {"w": drawn(64, 300)},
        [(m, 64) for m in (2, 29)],
    ),
    "long sums": (
        "n (float[M, 6000] x) => (float[M, 40] y) { y = MatMul(x, w) }",
        {"w": drawn(6000, 40)},
        [(20, 6000)],
    ),
    "pointwise, then strided": (
        "n (float[N, 34, H, W] x) => (float[N, 50, A, B] y) "
        "{ a = Conv(x, w) b = Relu(a) y = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(b, v) }",
        {"w": drawn(70, 34, 1, 1), "v": drawn(50, 70, 3, 3)},
        [(2, 34, 9, 13), (1, 34, 1, 1)],
    ),
    "dilated": (
        "n (float[N, 34, H, W] x) => (float[N, 50, A, B] y) "
        "{ y = Conv<dilations = [2, 2], pads = [2, 2, 2, 2]>(x, w) }",
        {"w": drawn(50, 34, 3, 3)},
        [(2, 34, 9, 13), (1, 34, 1, 1)],
    ),
}


@pytest.mark.parametrize("net", NETS)
def test_native_programs_are_within_the_bound_and_do_not_depend_on_threads(net: str) -> None:
    text, weights, shapes = NETS[net]
    rounded, exact = (session(text, precision, **weights) for precision in ("bf16", "strict"))
    other = session(text, "bf16", threads=2, **weights)
    for shape in shapes:
        x = drawn(*shape)
        (got,), (expected,) = rounded.run(None, {"x": x}), exact.run(None, {"x": x})
        assert error(got, expected) <= MATRIX_BOUNDS["bf16"]
        assert np.array_equal(other.run(None, {"x": x})[0], got)


def test_the_report_names_the_instruction_and_what_is_not_finite_stays_in_its_row() -> None:
    target = sardonyx.targets.detect()
    if not target.has("avx512bf16"):
        pytest.skip(f"{target.name} has no instruction that rounds to bf16")
    text, weights, _ = NETS["epilogue"]
    made = session(text, "bf16", **weights)
    if not Goal(target, Policy("bf16")).find_matrix("f32"):
        assert any("vdpbf16ps" in note.arithmetic for note in made.report.kernels)
    x = drawn(20, 64)
    (clean,) = made.run(None, {"x": x})
    x[3, 5], x[7, 9] = np.nan, np.inf
    (got,) = made.run(None, {"x": x})
    others = [n for n in range(20) if n not in (3, 7)]
    assert np.isnan(got[3]).all()
    assert np.isin(got[7], (0.0, 1.0)).all()
    assert np.array_equal(got[others], clean[others])
