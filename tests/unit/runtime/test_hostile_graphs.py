"""Models that parse but make no sense: cycles, recursion, wrong types, sizes that contradict each other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from sardonyx import InferenceSession
from sardonyx.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    NotImplemented,
)
from tests.unit.runtime.hostile import HEAD, floats, session

LOOP = "Loop(n, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t)"


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("(float[2] x) => (float y) { y = Nonsense(x) }", InvalidGraph, "Nonsense"),
        ("(float[2] x) => (float y) { y = elsewhere.Relu(x) }", InvalidGraph, "elsewhere"),
        ("(float[2] x) => (float y) { y = com.microsoft.Nonsense(x) }", InvalidGraph, "Nonsense"),
        ("(float[2] x) => (float y) { a = Add(x, b)  b = Neg(a)  y = Relu(b) }", Fail, "cycle"),
        ("(float[2] x) => (float y) { y = Add(x, y) }", Fail, "cycle"),
        (
            "(float[2] x, bool c) => (float y) { a = If(c) <then_branch = t () => (float z) { z = Neg(y) },"
            " else_branch = e () => (float z) { z = Neg(x) }>  y = Relu(a) }",
            Fail,
            "cycle",
        ),
        (
            f"(float[2] x, int64 n) => (float y) {{ y = {LOOP} {{ t = Add(s, y)  d = Identity(c) }}> }}",
            Fail,
            "cycle",
        ),
        (
            "(float[2] x, bool c) => (float y) { y = If(c) <then_branch = t () => (float z) { z = Neg(w) },"
            " else_branch = e () => (float z) { z = Neg(x) }> }",
            InvalidArgument,
            "nothing defines",
        ),
    ],
    ids=["operator", "domain", "contrib", "cycle", "self", "native_if", "body", "undefined"],
)
def test_unknown_and_cyclic(text: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        session(text)


@pytest.mark.parametrize(
    "functions",
    [
        "f (x) => (y) { y = own.f(x) }",
        'f (x) => (y) { y = own.g(x) } <domain: "own", opset_import: ["" : 21, "own" : 1]> '
        "g (x) => (y) { y = own.f(x) }",
    ],
    ids=["itself", "each other"],
)
def test_functions_that_call_themselves(functions: str) -> None:
    head = '<ir_version: 10, opset_import: ["" : 21, "own" : 1]> g (float[2] x) => (float y) { y = own.f(x) }'
    text = f'{head} <domain: "own", opset_import: ["" : 21, "own" : 1]> {functions}'
    with pytest.raises(Fail, match="the function own.f calls itself .own.f -> [^:]*own.f.,"):
        InferenceSession(onnx.parser.parse_model(text).SerializeToString())


def test_functions_that_multiply() -> None:
    """Forty functions, each of which calls the one before twice: written out, they would never end."""
    own = '<domain: "own", opset_import: ["" : 21, "own" : 1]>'
    functions = f"{own} f0 (x) => (y) {{ y = Neg(x) }}" + "".join(
        f" {own} f{n} (x) => (y) {{ h = own.f{n - 1}(x)  y = own.f{n - 1}(h) }}" for n in range(1, 40)
    )
    head = (
        '<ir_version: 10, opset_import: ["" : 21, "own" : 1]> g (float[2] x) => (float y) { y = own.f39(x) }'
    )
    with pytest.raises(Fail, match="own.f18 has more than 500000 nodes"):
        InferenceSession(onnx.parser.parse_model(f"{head} {functions}").SerializeToString())


@pytest.mark.parametrize("depth", [4, 30])
def test_deeply_nested_branches(depth: int) -> None:
    """As deep as the format allows."""
    body = "{ z0 = Neg(x) }"
    for n in range(depth):
        body = (
            f"{{ z{n + 1} = If(c) <then_branch = t{n} () => (float[2] z{n}) {body}, "
            f"else_branch = e{n} () => (float[2] w{n}) {{ w{n} = Relu(x) }}> }}"
        )
    made = session(f"(float[2] x, bool c) => (float[2] z{depth}) {body}")
    x = np.array([1, -1], np.float32)
    assert made.run(None, {"x": x, "c": np.array(True)})[0].tolist() == [-1, 1]
    assert made.run(None, {"x": x, "c": np.array(False)})[0].tolist() == [1, 0]


def test_a_chain_of_many_nodes() -> None:
    """Neither a long way through the graph nor one long expression is limited by the interpreter's stack."""
    nodes = " ".join(f"v{n + 1} = {'Neg' if n % 2 else 'Abs'}(v{n})" for n in range(3000))
    (y,) = session(f"(float[2] v0) => (float v3000) {{ {nodes} }}").run(None, {"v0": floats(2)})
    assert y.tolist() == [0, -1]


@pytest.mark.parametrize(
    "text",
    [
        "(bool[2] x) => (bool y) { y = Pow(x, x) }",
        "(bool[2] x) => (bool y) { y = Neg(x) }",
        "(int64[2] x) => (int64 y) { y = Exp(x) }",
        "(string[2] x) => (string y) { y = Exp(x) }",
        "(string[2] x) => (string y) { y = Add(x, x) }",
        "(float[2] x, double[2] z) => (float y) { y = Add(x, z) }",
        "(float[2] x, int64[2] z) => (float y) { y = Concat<axis = 0>(x, z) }",
        "(float[2] x, float[2] z) => (float y) { y = Where(x, x, z) }",
        "(float[2] x, float[2] z) => (float y) { y = Gather(x, z) }",
        "(float[2, 2] x, int64[2, 2] z) => (float y) { y = MatMul(x, z) }",
        '(float[2] x) => (float y) { y = BitShift<direction = "LEFT">(x, x) }',
        "(float[2] x, int64[1, 1] i, double[1] u) => (float y) { y = ScatterND(x, i, u) }",
        "(float[2] x) => (float y) { s = SequenceConstruct(x)  y = Exp(s) }",
        "(float[2] x) => (float y) { s = SequenceConstruct(x)  y = Reshape(s, s) }",
        "(float[2] x, float[1] s) => (float y) { y = Reshape(x, s) }",
    ],
)
def test_types_without_meaning(text: str) -> None:
    with pytest.raises((Fail, NotImplemented, InvalidGraph)):
        session(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("(float[2, 3] x) => (float y) { y = ReduceSum<axes = [0]>(x) }", "no attribute axes"),
        ("(float[2, 3] x) => (float y) { y = Softmax<axis = 1.5>(x) }", "axis is 1.5"),
        ("(float[2, 3] x) => (float y) { y = Transpose<perm = 1>(x) }", "perm is 1"),
        ("(float[2, 3] x) => (float y) { y = Transpose<perm = [0, 0]>(x) }", "not a permutation"),
        ('(float[2, 3] x) => (float y) { y = LeakyRelu<alpha = "a">(x) }', "alpha is 'a'"),
        ("(float[2, 3] x) => (float y) { y = Concat<axis = 9>(x, x) }", "axis 9"),
        ("(float[2, 3] x) => (float y) { y = Split<num_outputs = 2147483647>(x) }", "the node has 1 outputs"),
        ("(float[2, 3] x) => (float y) { y = SpaceToDepth<blocksize = 2>(x) }", "its rank must be 4"),
        ("(float[1, 1, 2, 2] x) => (float y) { y = SpaceToDepth<blocksize = 0>(x) }", "divides by a size or"),
        (
            "(float[1, 1, 5, 5] x) => (float y) { y = MaxPool<kernel_shape = [2147483647, 5]>(x) }",
            "kernel_shape .* has more than",
        ),
    ],
)
def test_attributes_without_meaning(text: str, match: str) -> None:
    with pytest.raises(Fail, match=match):
        session(text)


@pytest.mark.parametrize(
    "text",
    [
        "(float[2, 3] x, float[4, 5] z) => (float y) { y = MatMul(x, z) }",
        "(float[2, 3] x, float[4, 5] z) => (float y) { y = Add(x, z) }",
        "(float[2, 3] x, float[4, 5] z) => (float y) { y = Concat<axis = 0>(x, z) }",
        "(float[1, 3, 5, 5] x, float[4, 2, 3, 3] z) => (float y) { y = Conv(x, z) }",
        "(float[1, 3, 5, 5] x, float[3, 2, 3, 3] z) => (float y) "
        "{ y = ConvTranspose<strides = [0, 1]>(x, z) }",
        "(float[1, 3, 5, 5] x, float[3, 2, 3] z) => (float y) { y = ConvTranspose(x, z) }",
        "(float[2, 3] x, int64[2, 2] z) => (float y) { y = ScatterElements(x, z, z) }",
        "(float[2, 3] x, int64[2, 4] z) => (float y) { y = GatherND(x, z) }",
        "(float[1, 6, 4] x, float[6] z) => (int64 y) { y = NonMaxSuppression(x, z) }",
        "(float[2, 3] x, int64[1] z) => (float y) { y = RoiAlign(x, x, z) }",
        "(float[3, 2, 4] x, float[12, 4] z) => (float y) { y = LSTM<hidden_size = 3>(x, z, z) }",
        "(float[2, 3] x) => (float y) { y = Det(x) }",
    ],
)
def test_declared_shapes_that_contradict(text: str) -> None:
    with pytest.raises((Fail, NotImplemented, InvalidGraph)):
        session(text)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (
            "(float[N, 3] x, float[K, 2] z) => (float y) { y = MatMul(x, z) }",
            ((2, 3), (3, 2)),
            ((2, 3), (4, 2)),
        ),
        ("(float[N, 3] x, float[K, 3] z) => (float y) { y = Add(x, z) }", ((2, 3), (2, 3)), ((2, 3), (4, 3))),
        (
            "(float[N, M] x, float[K, L] z) => (float y) { y = Concat<axis = 0>(x, z) }",
            *(((2, 3), (4, 3)), ((2, 3), (4, 5))),
        ),
        (
            "(float[N, 2, 4] x, float[1, 12, K] z) => (float y) { s = Constant<value_ints = [1, 12, 4]>()  "
            "w = ConstantOfShape(s)  y = LSTM<hidden_size = 3>(x, w, z) }",
            *(((3, 2, 4), (1, 12, 3)), ((3, 2, 4), (1, 12, 5))),
        ),
    ],
    ids=["MatMul", "Add", "Concat", "LSTM"],
)
def test_fed_shapes_that_contradict(
    text: str, good: tuple[tuple[int, ...], ...], bad: tuple[tuple[int, ...], ...]
) -> None:
    made = session(text)
    for _ in range(2):
        made.run(None, {name: floats(*shape) for name, shape in zip("xz", good, strict=True)})
        with pytest.raises(Fail):
            made.run(None, {name: floats(*shape) for name, shape in zip("xz", bad, strict=True)})


@pytest.mark.parametrize("names", [("s0", "s1"), ("g0[0]", "t1"), ("N%1", "N%2"), ("F", "k"), ("", "0")])
def test_sizes_of_any_name(names: tuple[str, str]) -> None:
    model = onnx.parser.parse_model(HEAD + "(float[N, M] x) => (float[M, N] y) { y = Transpose(x) }")
    for dim, name in zip(model.graph.input[0].type.tensor_type.shape.dim, names, strict=True):
        dim.dim_param = name
    made = InferenceSession(model.SerializeToString())
    x = floats(3, 5)
    np.testing.assert_array_equal(made.run(None, {"x": x})[0], x.T)
