"""Calls that drawing has found wrong once, kept small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.ort.exceptions import InvalidArgument
from tests.property.operators.check import GRAPH, NATIVE, REFUSALS
from tests.property.operators.judges import reference
from tests.tolerance import assert_close

NAN, INF, FAR = np.nan, np.inf, 2**63 - 1


class Found(NamedTuple):
    """A model in ONNX's syntax, what is fed, and what comes out."""

    what: str
    inputs: str
    body: str
    feeds: list[Any]
    expected: Any


def f32(*numbers: Any) -> Any:
    return np.array(numbers, np.float32)


def i64(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


def text(*words: Any) -> Any:
    return np.array(words, object)


CASES = (
    *(
        Found(f"the largest numbers by {how}", "float[N] x", f"y = Gelu<approximate = {how}>(x)", [x], y)
        for how in ('"none"', '"tanh"')
        for x, y in [(f32(3e38, -3e38, INF), f32(3e38, 0, INF))]
    ),
    Found(
        *("a slope that is not a number", "float[N] x, float[N] s", "y = PRelu(x, s)"),
        *([f32(2, -1), f32(NAN, 3)], f32(2, -3)),
    ),
    Found("erf of integers", "uint8[N] x", "y = Erf(x)", [np.array([0, 1, 9], np.uint8)], [0, 0, 1]),
    Found(
        *("a crop in front of wrapped elements", "float[N] x, int64[2] p", 'y = Pad<mode = "wrap">(x, p)'),
        *([f32(0, 1, 2, 3), i64(-1, 2)], f32(1, 2, 3, 1, 2)),
    ),
    *(
        Found(
            f"a shape of which a {kind} comes last",
            "float[2,N] x, int64[K] d, bool[K] c",
            f"v = Constant<value_ints = [{first}]>() m = Constant<value_ints = [-1]>() e = {last} "
            "s = Concat<axis = 0>(v, e) y = Reshape(x, s)",
            [np.ones((2, 6), np.float32), i64(number), np.array([kind == "choice"])],
            np.ones((first, 12 // first), np.float32),
        )
        for kind, first, number, last in [
            ("fed number", 3, -1, "Identity(d)"),
            ("size that is kept", 2, 0, "Identity(d)"),
            ("choice", 4, 5, "Where(c, m, d)"),
            ("size", 4, 3, "Where(c, m, d)"),
        ]
    ),
    Found(
        *("a size left open by the negative of a fed number", "float[2,N] x, int64[2] d"),
        "s = Neg(d) y = Reshape(x, s)",
        *([np.ones((2, 6), np.float32), i64(-3, 1)], np.ones((3, 4), np.float32)),
    ),
    *(
        Found(
            f"axes computed outside of a {kind}",
            "float[2,3] x, int64[1] a, int64 n, float[2] z",
            f"o = Constant<value_ints = [1]>() k = Sub(a, o) y = {kind} <{more}body = b {head} {{ "
            f"r = ReduceSum(s, k) t = Add(s, r) {last} }}> ({called})",
            [np.arange(6, dtype=np.float32).reshape(2, 3), i64(2), np.array(2), f32(0, 0)],
            [[15, 16, 17], [63, 64, 65]],
        )
        for kind, more, head, last, called in (
            (
                "Loop",
                "",
                "(int64 i, bool c, float[2,3] s) => (bool e, float[2,3] t)",
                "e = Identity(c)",
                "n, , x",
            ),
            ("Scan", "num_scan_inputs = 1, ", "(float[2,3] s, float w) => (float[2,3] t)", "", "x, z"),
        )
    ),
    Found(
        *("a fed crop", "float[3] x, int64[2] p", "y = Pad(x, p)"),
        *([f32(1, 2, 3), i64(1, -2)], f32(0, 1)),
    ),
    Found(
        *("steps and starts beyond any axis", "float[4] x, int64[1] s, int64[1] e, int64[1] a, int64[1] t"),
        "y = Slice(x, s, e, a, t)",
        *([f32(1, 2, 3, 4), i64(0), i64(FAR), i64(0), i64(FAR)], f32(1)),
    ),
    Found(
        *("a start before any axis, backwards", "float[N] x, int64[1] s, int64[1] e, int64[1] a, int64[1] t"),
        "y = Slice(x, s, e, a, t)",
        *([f32(1, 2), i64(-9), i64(-FAR), i64(0), i64(-1)], f32(1)),
    ),
    Found(
        *("a start before an axis, backwards", "float[N] x"),
        "s = Constant<value_ints = [-3]>() e = Constant<value_ints = [-9]>() "
        "a = Constant<value_ints = [0]>() t = Constant<value_ints = [-1]>() y = Slice(x, s, e, a, t)",
        *([f32(1, 2)], f32(1)),
    ),
    Found(
        *("a start beyond any axis", "float[2, 2] x, int64[1] s, int64[1] e", "y = Slice(x, s, e)"),
        *([np.ones((2, 2), np.float32), i64(FAR), i64(FAR)], np.ones((0, 2), np.float32)),
    ),
    Found(
        *("a size beside a 0", "float[2, 0] x, int64[2] r", "y = Tile(x, r)"),
        *([np.ones((2, 0), np.float32), i64(2, 3)], np.ones((4, 0), np.float32)),
    ),
    Found(
        *("rows of text", "string[N, 2] x", "y = Unique<axis = 0>(x)"),
        *([text(["b", "a"], ["a", ""], ["b", "a"])], text(["a", ""], ["b", "a"])),
    ),
    Found(
        *("complex numbers", "complex64[N] x", "y = Unique(x)"),
        *([np.array([1j, 0, 1j], np.complex64)], np.array([0, 1j], np.complex64)),
    ),
    Found(
        *("a mean of no integers", "int32[N, 0] x, int64[1] a", "y = ReduceMean<keepdims = 0>(x, a)"),
        *([np.ones((2, 0), np.int32), i64(1)], np.zeros(2, np.int32)),
    ),
    Found(
        *("a mean of no numbers", "float[N, K] x, int64[1] a", "y = ReduceMean<keepdims = 0>(x, a)"),
        *([np.ones((2, 0), np.float32), i64(1)], f32(NAN, NAN)),
    ),
    Found(
        *(
            "a logarithm just above an integer below 0",
            "int64[N, K] x, int64[1] a",
            "y = ReduceLogSumExp<keepdims = 0>(x, a)",
        ),
        *([i64([-3, -25], [-3, -90], [16, 1], [50, 51]), i64(1)], i64(-2, -3, 16, 51)),
    ),
    Found(
        *(
            "texts that end in NUL, by place",
            "int64[N] x, string[2] v",
            "d = Constant<value_int = 2>() y = OneHot(x, d, v)",
        ),
        *([i64(1), text("a b", "a\0")], text(["a b", "a\0"])),
    ),
    Found(
        *("one text, by place", "string[N] x, int64 i", "y = Gather(x, i)"),
        *([text("", "a\0"), np.array(1)], text("a\0").reshape(())),
    ),
    Found(
        *("one text, by its place along all axes", "string[N, K] x, int64[2] i", "y = GatherND(x, i)"),
        *([text(["", "a\0"]), i64(0, 1)], text("a\0").reshape(())),
    ),
    Found(
        *("one text put in its place", "string[N] x, int64[1] i, string u", "y = ScatterND(x, i, u)"),
        *([text("b", "c"), i64(1), text("a\0").reshape(())], text("b", "a\0")),
    ),
    Found(
        *("padding with text", "string[N] x, int64[2] p, string f", "y = Pad(x, p, f)"),
        *([text("b"), i64(1, 0), text("a\0").reshape(())], text("a\0", "b")),
    ),
    Found(
        *("a scan over texts", "string[N] x"),
        "y = Scan<num_scan_inputs = 1, body = b (string p) => (string q) { q = Identity(p) }>(x)",
        *([text("a\0", "")], text("a\0", "")),
    ),
    Found(
        *("a scan that collects texts", "string[N] x, string s"),
        "t, y = Scan<num_scan_inputs = 1, body = b (string s, string p) => (string t, string q) "
        "{ t = StringConcat(s, p) q = Identity(t) }>(s, x)",
        *([text("a\0", "b"), text("\0").reshape(())], text("\0a\0", "\0a\0b")),
    ),
    Found(
        *("the first of two zeros is the greatest", "float[N] x"),
        "k = Constant<value_ints = [1]>() v, i = TopK(x, k) y = Reciprocal(v)",
        *([f32(-1, -0.0, 0.0)], f32(-INF)),
    ),
    Found("text that is there", "string[N] x", "y = NonZero(x)", [text("", "a", "0")], i64([1, 2])),
    Found(
        *("padding of text", "string[N] x, int64[1] s", "y = CenterCropPad(x, s)"),
        *([text("a"), i64(3)], text("", "a", "")),
    ),
    Found(
        *("weights by number of the n-gram", "int64[N] x"),
        'y = TfIdfVectorizer<mode = "IDF", min_gram_length = 1, max_gram_length = 1, max_skip_count = 0, '
        "ngram_counts = [0], ngram_indexes = [1, 0], pool_int64s = [7, 8], weights = [0.5, 2.0]>(x)",
        *([i64(7, 8, 8)], f32(2, 0.5)),
    ),
    Found(
        *("a scalar of text in the model", "", 'c = Constant<value_string = "a b">() y, n = StringSplit(c)'),
        *([], text("a", "b")),
    ),
    Found(
        *("a default that a model holds in single precision", "double[N] x", "y = HardSigmoid(x)"),
        *([np.array([1.0])], np.array([0.5 + float(np.float32(0.2))])),
    ),
)


@pytest.mark.parametrize("run", [*GRAPH.values(), NATIVE["native, 1 thread"]], ids=["graph", "native"])
@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_found(case: Found, run: Callable[..., list[Any]]) -> None:
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({case.inputs}) => (float[?] y) {{ {case.body} }}'
    )
    model.graph.output[0].ClearField("type")
    names = [i.name for i in model.graph.input]
    (actual,) = run(model.SerializeToString(), dict(zip(names, case.feeds, strict=True)))
    assert_close(actual, np.asarray(case.expected).astype(actual.dtype))


@pytest.mark.parametrize("run", [*GRAPH.values(), *NATIVE.values()], ids=["graph", "native", "2 threads"])
def test_an_optional_sequence_holds_it(run: Callable[..., list[Any]]) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (optional(seq(float[N])) x) => (seq(float[N]) y) '
        "{ y = OptionalGetElement(x) }"
    )
    (actual,) = run(model.SerializeToString(), {"x": [f32(1), f32(2, 3)]})
    assert [a.tolist() for a in actual] == [[1], [2, 3]]


@pytest.mark.parametrize("read", ["y = OptionalGetElement(x)", "y = OptionalHasElement(x)"])
def test_an_optional_has_the_sizes_declared_for_it(read: str) -> None:
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g (optional(float[2,N]) x) => (float[?] y) {{ {read} }}'
    )
    model.graph.output[0].ClearField("type")
    session = sardonyx.InferenceSession(model.SerializeToString())
    assert session.get_inputs()[0].shape == [2, "N"]
    session.run(None, {"x": np.ones((2, 3), np.float32)})
    for shape in ((3, 3), (2,)):
        with pytest.raises(InvalidArgument, match="for input: x"):
            session.run(None, {"x": np.ones(shape, np.float32)})


@pytest.mark.parametrize("run", [*GRAPH.values(), NATIVE["native, 1 thread"]], ids=["graph", "native"])
@pytest.mark.parametrize("call", ["t = SequenceErase(s, p)", "t = SequenceInsert(s, x, p)"])
def test_a_position_beyond_a_known_sequence_is_refused(call: str, run: Callable[..., list[Any]]) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> g (float[2] x) => (int64 y) '
        f"{{ s = SequenceConstruct(x, x) p = Constant<value_int = -3>() {call} y = SequenceLength(t) }}"
    )
    with pytest.raises(REFUSALS, match="position -3 is out of range for a sequence of 2"):
        run(model.SerializeToString(), {"x": f32(1, 2)})


def test_the_reference_keeps_the_end_of_constant_texts() -> None:
    words = ["a\0", "", "b"]
    constant = onnx.TensorProto(name="x", data_type=onnx.TensorProto.STRING, dims=[3])
    constant.string_data.extend(word.encode() for word in words)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["x"], ["y"])],
            *("g", [], [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.STRING, [3])], [constant]),
        ),
        opset_imports=[onnx.helper.make_opsetid("", 21)],
        ir_version=10,
    )
    assert reference(model, {}, [])[0].tolist() == words
    assert sardonyx.InferenceSession(model.SerializeToString()).run(None, {})[0].tolist() == words


CUT = "a = Constant<value_ints = [1]>() b = Constant<value_ints = [99]>() c = Constant<value_ints = [2]>()"
EMPTY_CACHES = {
    "past": "k = Slice(x, a, b, c) "
    "o, y, p = com.microsoft.GroupQueryAttention<num_heads = 1, kv_num_heads = 1>(z, z, z, k, k, s, t)",
    "update": "u = Slice(x, a, b, c) y = TensorScatter<axis = 2>(w, u)",
}


@pytest.mark.parametrize("run", [*GRAPH.values(), NATIVE["native, 1 thread"]], ids=["graph", "native"])
@pytest.mark.parametrize("call", EMPTY_CACHES.values(), ids=EMPTY_CACHES)
def test_nothing_that_is_left_of_a_cut(call: str, run: Callable[..., list[Any]]) -> None:
    inputs = "float[B, 1, P, 8] x, float[B, N, 8] z, float[B, 1, N, 8] w, int32[B] s, int32 t"
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 24, "com.microsoft": 1]> '
        f"g ({inputs}) => (float[B, 1, N, 8] y) {{ {CUT} {call} }}"
    )
    w = np.arange(24, dtype=np.float32).reshape(1, 1, 3, 8)
    feeds = {"x": w[:, :, :1], "z": w[0], "w": w, "s": np.array([2], np.int32), "t": np.array(3, np.int32)}
    assert_close(run(model.SerializeToString(), feeds)[0], w)
