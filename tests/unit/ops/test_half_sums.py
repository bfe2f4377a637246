"""Sums of half precision are taken in single: by every operator, in bodies, on every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
import pytest

import sardonyx
from tests.property.operators.judges import wide
from tests.tolerance import difference
from tests.unit.frontend.models import parsed

Array = np.ndarray[Any, Any]
HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


class Sum(NamedTuple):
    """Nodes in ONNX's syntax from x to y, and what x holds; ONNX's reference judges, or a formula."""

    nodes: str
    x: Array
    formula: Callable[[Array], Array] | None = None


def hundreds(*shape: int) -> Array:
    """Numbers whose sums exceed 65504, the largest float16."""
    return np.full(shape, 100.0)


def ones(*shape: int) -> Array:
    """Numbers that float16 cannot count beyond 2048, nor bfloat16 beyond 256."""
    return np.ones(shape)


def waves(size: float, *shape: int) -> Array:
    """Numbers of both signs, more above 0."""
    return (np.sin(np.arange(np.prod(shape))).reshape(shape) + 0.75) * size


def ints(name: str, *numbers: int) -> str:
    return f"{name} = Constant<value_ints = {list(numbers)}>()"


def floats(name: str, *numbers: float) -> str:
    return f"{name}0 = Constant<value_floats = {list(numbers)}>() {name} = CastLike({name}0, x)"


def normal(x: Array, axes: tuple[int, ...]) -> Array:
    deviation = x - x.mean(axes, keepdims=True)
    return np.asarray(deviation / np.sqrt((deviation * deviation).mean(axes, keepdims=True)))


def responses(x: Array) -> Array:
    return np.asarray(x / (1 + (x * x).sum(1, keepdims=True) / 159) ** 0.75)


FIRST = f"{ints('b', 0)} {ints('e', 1)} row0 = Slice(x, b, e) {ints('f', -1)} row = Reshape(row0, f)"
SUMS = (
    Sum(f"{ints('a', 1)} y = ReduceSum(x, a)", np.repeat([[100.0, -100.0]], 999, 0).T.reshape(1, -1) + 0.5),
    Sum(f"{ints('a', 1)} y = ReduceMean(x, a)", hundreds(2, 1000)),
    Sum(f"{ints('a', 1)} y = ReduceMean(x, a)", ones(1, 70_000)),
    Sum("y = ReduceMean(x)", hundreds(3, 5, 70)),
    Sum(f"{ints('a', 1)} y = ReduceL1(x, a)", ones(2, 5000)),
    Sum(f"{ints('a', 1)} y = ReduceL2(x, a)", hundreds(2, 1000)),
    Sum(f"{ints('a', 1)} y = ReduceSumSquare(x, a)", waves(1, 3, 1001)),
    Sum(f"{ints('a', 1)} y = ReduceLogSum(x, a)", hundreds(2, 1000)),
    Sum(f"{ints('a', 1)} y = ReduceLogSumExp(x, a)", ones(2, 70_000)),
    Sum(f"{ints('a', 1)} y = ReduceProd(x, a)", np.repeat([10.0, 0.125], 10).reshape(1, 20)),
    Sum("a = Constant<value_int = 1>() y = CumSum(x, a)", ones(2, 5000)),
    Sum("y = Softmax<axis = 1>(x)", ones(1, 70_000)),
    Sum("y = LogSoftmax<axis = 1>(x)", waves(3, 2, 5000)),
    Sum("y = LpNormalization<axis = 1, p = 1>(x)", hundreds(2, 1000)),
    Sum("y = LpNormalization<axis = 1, p = 2>(x)", hundreds(2, 1000)),
    Sum("y = GlobalAveragePool(x)", hundreds(1, 3, 30, 40)),
    Sum("y = GlobalLpPool(x)", hundreds(1, 3, 30, 40), lambda x: (x * x).sum((2, 3), keepdims=True) ** 0.5),
    Sum("y = AveragePool<kernel_shape = [30, 40]>(x)", hundreds(1, 3, 31, 41)),
    Sum("y = LpPool<kernel_shape = [30, 40]>(x)", hundreds(1, 3, 31, 41)),
    Sum("y = MeanVarianceNormalization(x)", waves(40, 2, 3, 30, 40), lambda x: normal(x, (0, 2, 3))),
    Sum(f"{floats('s', 2, 1, 3)} y = InstanceNormalization(x, s, s)", waves(40, 2, 3, 30, 40)),
    Sum(
        f"{floats('s', 2, 1, 3, 1)} y = GroupNormalization<num_groups = 2>(x, s, s)", waves(40, 2, 4, 30, 40)
    ),
    Sum(f"{FIRST} y = LayerNormalization<axis = 1>(x, row)", waves(40, 3, 4000)),
    Sum(f"{FIRST} y = RMSNormalization<axis = 1>(x, row)", waves(40, 3, 4000)),
    Sum("y = LRN<size = 159, alpha = 1.0>(x)", waves(100, 1, 80, 2, 2), responses),
    Sum("y = MatMul(x, x)", waves(12, 80, 80)),
    Sum('y = Einsum<equation = "ij,ij->i">(x, x)', waves(1, 3, 4000)),
    Sum('y = Einsum<equation = "ij->j">(x)', ones(5000, 3)),
    Sum(f"{ints('a', 2, 0, 1)} z = Unsqueeze(x, a) y = Conv(z, z)", ones(5000)),
    Sum("y = Mean(x, x, x)", np.array([[40000.0, -3.0]])),
    Sum("z = Neg(x) y = Sum(x, x, z)", np.array([[40000.0, -3.0]])),
    Sum(
        f"{ints('n', 5000)} at = ConstantOfShape<value = int64[1] {{0}}>(n) {floats('d', 0)} "
        'y = ScatterElements<reduction = "add">(d, at, x)',
        ones(5000),
        lambda x: x.sum(keepdims=True),
    ),
    Sum(
        f"{ints('n', 5000, 1)} at = ConstantOfShape<value = int64[1] {{0}}>(n) {floats('d', 0)} "
        'y = ScatterND<reduction = "add">(d, at, x)',
        ones(5000),
        lambda x: x.sum(keepdims=True),
    ),
    Sum(
        f"{ints('n', 5000)} k = ConstantOfShape<value = int64[1] {{0}}>(n) y = SoftmaxCrossEntropyLoss(x, k)",
        ones(5000, 3),
    ),
    Sum(
        f'{ints("n", 1, 1, 1, 2)} y = Resize<antialias = 1, mode = "linear">(x, , , n)',
        hundreds(1, 1, 1, 5000),
    ),
    Sum("y = Det(x)", np.diag(np.repeat([64.0, 1 / 64, 1.0], [5, 5, 1]))),
    Sum("y = DFT<onesided = 1>(x)", ones(1, 5000, 1)),
    Sum(
        f"b = Constant<value = float[1,4] {{0, 0, 90, 90}}>() r = CastLike(b, x) {ints('k', 0)} "
        "y = RoiAlign<sampling_ratio = 90>(x, r, k)",
        hundreds(1, 1, 100, 100),
    ),
)

PLACES = {
    "graph": "x = Identity(fed) {nodes}",
    "If": "y = If<then_branch = t () => ({kind}[?] y) {{ x = Identity(fed) {nodes} }}, "
    "else_branch = e () => ({kind}[?] z) {{ z = Identity(fed) }}>(flag)",
    "Loop": "trips = Constant<value_int = 1>() "
    "y = Loop<body = l (int64 i, bool go) => (bool on, {kind}[?] y) {{ "
    "on = Identity(go) x = Identity(fed) {nodes} }}>(trips, flag)",
    "Scan": "a = Constant<value_ints = [0]>() rows = Unsqueeze(fed, a) "
    "y = Scan<num_scan_inputs = 1, body = s ({kind}[{sizes}] x) => ({kind}[?] y) {{ {nodes} }}>(rows)",
}
"""Where the nodes stand; `flag` is true when the model runs."""


def model_of(case: Sum, kind: str, place: str = "graph", *, fixed: bool = True) -> onnx.ModelProto:
    """The nodes as a model of `fed` and `flag`."""
    sizes = ",".join(str(n) if fixed else f"n{axis}" for axis, n in enumerate(case.x.shape))
    nodes = PLACES[place].format(nodes=case.nodes, kind=kind, sizes=sizes)
    text = f"g ({kind}[{sizes}] fed, bool flag) => ({kind}[?] y) {{ {nodes} }}"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 23]> {text}')
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def check(case: Sum, kind: str, place: str, target: str, *, fixed: bool = True) -> None:
    x = case.x.astype(HALVES[kind])
    feeds = {"fed": x, "flag": np.asarray(True)}
    if case.formula is None:
        (expected,) = wide(model_of(case, kind), feeds, [x])
    else:
        expected = case.formula(x.astype(np.float64)).astype(x.dtype)
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    model = model_of(case, kind, place, fixed=fixed).SerializeToString()
    (actual,) = sardonyx.InferenceSession(model, options).run(None, feeds)
    actual = actual[0] if place in ("Loop", "Scan") else actual
    wrong = difference(actual, np.asarray(expected))
    assert wrong is None, wrong


def quick_and_slow(quick: Sequence[Sum], slow: Sequence[Sum]) -> list[Any]:
    """Cases by their last nodes; of two tests that compute in numpy each has the half in `make test`."""
    marked = [(case, ()) for case in quick] + [(case, pytest.mark.slow) for case in slow]
    return [pytest.param(case, id=case.nodes.split(" y = ")[-1][:40], marks=marks) for case, marks in marked]


every = pytest.mark.parametrize("case", quick_and_slow(SUMS, ()))


@every
@pytest.mark.parametrize("kind", HALVES)
def test_native(case: Sum, kind: str) -> None:
    check(case, kind, "graph", "")


@every
@pytest.mark.parametrize("place", PLACES)
def test_elsewhere(case: Sum, place: str) -> None:
    check(case, "float16", place, "", fixed=place == "Scan")


@pytest.mark.parametrize("case", quick_and_slow(SUMS[::2], SUMS[1::2]))
def test_reference_target(case: Sum) -> None:
    check(case, "float16", "graph", "reference")


@pytest.mark.parametrize("case", quick_and_slow(SUMS[1::2], SUMS[::2]))
def test_constants(case: Sum) -> None:
    """What is known while loading is rounded as often as what is fed."""
    x = case.x.astype(np.float16)
    model = model_of(case, "float16")
    (expected,) = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"fed": x, "flag": True})
    del model.graph.input[0]
    model.graph.initializer.append(onnx.numpy_helper.from_array(x, "fed"))
    (actual,) = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"flag": True})
    wrong = difference(actual, expected)
    assert wrong is None, wrong


def test_a_cast_in_the_model_rounds() -> None:
    model = parsed(
        """g (float[N] x) => (float[N] y, float16[N] z, float16[N] p) {
        h = Cast<to = 10>(x) y = Cast<to = 1>(h) b = Cast<to = 16>(x) z = Cast<to = 10>(b)
        i = Constant<value_ints = [0]>() r = Unsqueeze(h, i) s = Transpose(r) t = MatMul(s, r)
        u = MatMul(r, t) p = Squeeze(u, i) }"""
    )
    x = np.array([1 / 3, 70000, 1e-9, 1 + 2**-9, np.nan, -np.inf], np.float32)
    with np.errstate(all="ignore"):
        expected = x.astype(np.float16).astype(np.float32), x.astype(HALVES["bfloat16"]).astype(np.float16)
    for target in ("", "reference"):
        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.target", target)
        y, z, _ = sardonyx.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})
        np.testing.assert_array_equal(y, expected[0])
        np.testing.assert_array_equal(z, expected[1])
