"""Indices, positions, axes and lengths out of range, for every operator that is fed some."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
from tests.unit.runtime.hostile import Bad, Case, check, floats, ints, session

FAR = 2**62
TABLE = floats(5, 6)
I32 = np.int32


def bounds(**feeds: object) -> Bad:
    return Bad(feeds, InvalidArgument, "out of range")


def fails(match: str, **feeds: object) -> Bad:
    return Bad(feeds, Fail, match)


def every(value: int) -> np.ndarray:
    return np.full((5, 2), value)


LOOKUPS = (
    Case(
        "Gather",
        "(float[5, 6] x, int64[N] i) => (float y) { y = Gather(x, i) }",
        {"x": TABLE, "i": ints(0, -5)},
        (bounds(i=ints(5)), bounds(i=ints(0, -6)), bounds(i=ints(FAR)), bounds(i=ints(-FAR))),
    ),
    Case(
        "Gather_of_Range",
        "(int64 n, int64[K] i) => (int64 y) { a = Constant<value_int = 0>()  b = Constant<value_int = 1>()  "
        "r = Range(a, n, b)  y = Gather(r, i) }",
        {"n": np.array(9), "i": ints(8, -9)},
        (bounds(i=ints(9)), bounds(n=np.array(8)), bounds(i=ints(-10))),
    ),
    Case(
        "GatherElements",
        "(float[5, 6] x, int64[M, K] i) => (float y) { y = GatherElements<axis = 1>(x, i) }",
        {"x": TABLE, "i": every(-6)},
        (bounds(i=every(6)), bounds(i=every(-7)), fails("exceed", i=np.zeros((6, 1), np.int64))),
    ),
    Case(
        "GatherND",
        "(float[5, 6] x, int64[M, 2] i) => (float y) { y = GatherND(x, i) }",
        {"x": TABLE, "i": ints(0, -6).reshape(1, 2)},
        (bounds(i=ints(0, 6).reshape(1, 2)), bounds(i=ints(-6, 0).reshape(1, 2))),
    ),
    Case(
        "ScatterElements",
        "(float[5, 6] x, int64[M, K] i, float[M, L] u) => (float y) "
        "{ y = ScatterElements<axis = 1>(x, i, u) }",
        {"x": TABLE, "i": every(0), "u": floats(5, 2)},
        (
            bounds(i=every(6)),
            bounds(i=every(-7)),
            fails("different sizes", u=floats(5, 3)),
            fails("exceed", i=np.zeros((6, 2), np.int64), u=floats(6, 2)),
        ),
    ),
    Case(
        "ScatterND",
        "(float[5, 6] x, int64[M, 2] i, float[L] u) => (float y) { y = ScatterND(x, i, u) }",
        {"x": TABLE, "i": ints(0, 1).reshape(1, 2), "u": floats(1)},
        (
            bounds(i=ints(5, 0).reshape(1, 2)),
            bounds(i=ints(0, -7).reshape(1, 2)),
            fails("do not fit", u=floats(2)),
        ),
    ),
    Case(
        "Compress",
        "(float[5, 6] x, bool[N] c) => (float y) { y = Compress<axis = 0>(x, c) }",
        {"x": TABLE, "c": np.array([True, False, True])},
        (bounds(c=np.ones(6, bool)),),
    ),
    Case(
        "MaxUnpool",
        "(float[1, 1, 2, 2] x, int64[1, 1, 2, 2] i) => (float y) "
        "{ y = MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(x, i) }",
        {"x": floats(1, 1, 2, 2), "i": ints(0, 2, 8, 15).reshape(1, 1, 2, 2)},
        (bounds(i=ints(0, 2, 8, 16).reshape(1, 1, 2, 2)), bounds(i=ints(0, 2, 8, -17).reshape(1, 1, 2, 2))),
    ),
    Case(
        "ArrayFeatureExtractor",
        "(float[5, 6] x, int64[K] i) => (float y) { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }",
        {"x": TABLE, "i": ints(5)},
        (bounds(i=ints(6)), bounds(i=ints(-7))),
    ),
    Case(
        "EmbedLayerNormalization",
        "(int32[B, T] i, int32[B, T] g, float[9, 8] w, float[6, 8] p, float[3, 8] q, float[8] a, float[8] b) "
        "=> (float y, int32 m) { y, m = com.microsoft.EmbedLayerNormalization(i, g, w, p, q, a, b) }",
        {
            "i": np.zeros((1, 6), I32),
            "g": np.zeros((1, 6), I32),
            "w": floats(9, 8),
            "p": floats(6, 8),
            "q": floats(3, 8),
            "a": floats(8),
            "b": floats(8),
        },
        (
            bounds(i=np.full((1, 6), 9, I32)),
            bounds(g=np.full((1, 6), 3, I32)),
            bounds(i=np.zeros((1, 7), I32), g=np.zeros((1, 7), I32)),
        ),
    ),
    Case(
        "RotaryEmbedding",
        "(float[B, T, 16] x, int64[B, T] i, float[8, 4] c, float[8, 4] s) => (float y) "
        "{ y = com.microsoft.RotaryEmbedding<num_heads = 2>(x, i, c, s) }",
        {"x": floats(1, 2, 16), "i": ints(0, 7).reshape(1, 2), "c": floats(8, 4), "s": floats(8, 4)},
        (bounds(i=ints(0, 8).reshape(1, 2)), bounds(i=ints(-9, 0).reshape(1, 2))),
    ),
    Case(
        "RoiAlign",
        "(float[1, 2, 5, 6] x, float[R, 4] r, int64[S] b) => (float y) "
        "{ y = RoiAlign<output_height = 2, output_width = 2>(x, r, b) }",
        {"x": floats(1, 2, 5, 6), "r": floats(1, 4), "b": ints(0)},
        (bounds(b=ints(1)), bounds(b=ints(-1)), fails("differ in number", b=ints(0, 0))),
    ),
)

LENGTHS = (
    Case(
        "ReverseSequence",
        "(float[4, 2] x, int64[2] n) => (float y) { y = ReverseSequence(x, n) }",
        {"x": floats(4, 2), "n": ints(4, 1)},
        (bounds(n=ints(5, 1)), bounds(n=ints(-1, 1))),
    ),
    Case(
        "TensorScatter",
        "(float[2, 4, 3] x, float[2, 2, 3] u, int64[2] i) => (float y) { y = TensorScatter(x, u, i) }",
        {"x": floats(2, 4, 3), "u": floats(2, 2, 3), "i": ints(0, 2)},
        (bounds(i=ints(3, 0)), bounds(i=ints(-1, 0))),
    ),
    Case(
        "LSTM",
        "(float[T, B, 4] x, int32[C] n, float[1, 12, 4] w, float[1, 12, 3] r) => (float y) "
        "{ y = LSTM<hidden_size = 3>(x, w, r, , n) }",
        {"x": floats(3, 2, 4), "n": ints(3, 1, dtype=I32), "w": floats(1, 12, 4), "r": floats(1, 12, 3)},
        (
            bounds(n=ints(4, 1, dtype=I32)),
            bounds(n=ints(-1, 1, dtype=I32)),
            fails("sequence_lens has the shape", n=ints(3, 1, 1, dtype=I32)),
        ),
    ),
    Case(
        "GroupQueryAttention",
        "(float[1, T, 16] q, float[1, T, 8] k, float[1, 1, P, 8] p, int32[1] n, int32 total) => (float y) "
        "{ y, nk, nv = com.microsoft.GroupQueryAttention<num_heads = 2, kv_num_heads = 1>"
        "(q, k, k, p, p, n, total) }",
        {
            "q": floats(1, 1, 16),
            "k": floats(1, 1, 8),
            "p": floats(1, 1, 4, 8),
            "n": ints(2, dtype=I32),
            "total": np.array(3, I32),
        },
        (
            bounds(n=ints(9, dtype=I32)),
            bounds(n=ints(-1, dtype=I32)),
            bounds(n=ints(2**31 - 1, dtype=I32)),
            fails("negative size", total=np.array(-1, I32)),
        ),
    ),
    *(
        Case(
            name,
            f"(float[N] x, int64 i) => ({kind} y) {{ s = SequenceConstruct(x, x)  {body} }}",
            {"x": floats(3), "i": np.array(1)},
            (fails("out of range", i=np.array(high)), fails("out of range", i=np.array(-4))),
        )
        for name, kind, body, high in (
            ("SequenceAt", "float", "y = SequenceAt(s, i)", 2),
            ("SequenceInsert", "int64", "t = SequenceInsert(s, x, i)  y = SequenceLength(t)", 3),
            ("SequenceErase", "int64", "t = SequenceErase(s, i)  y = SequenceLength(t)", 2),
        )
    ),
    Case(
        "TopK",
        "(float[5, 6] x, int64[1] k) => (float v, int64 i) { v, i = TopK(x, k) }",
        {"x": TABLE, "k": ints(3)},
        (fails("larger than the axis", k=ints(7)), fails("negative|is below|result of", k=ints(-1))),
    ),
    Case(
        "Split",
        "(float[6] x, int64[2] n) => (float a, float b) { a, b = Split(x, n) }",
        {"x": floats(6), "n": ints(2, 4)},
        (
            fails("Split", n=ints(2, 5)),
            fails("Split", n=ints(17, 3)),
            fails("negative|is below|result of", n=ints(-1, 7)),
        ),
    ),
)

AXES = (
    *(
        Case(
            name,
            f"(float[1, 6] x, int64{shape} a) => (float y) {{ y = {name}(x, a) }}",
            {"x": floats(1, 6), "a": np.zeros((1,) if shape else (), np.int64)},
            tuple(fails("axis", a=np.full((1,) if shape else (), axis)) for axis in (9, -9, FAR)),
        )
        for name, shape in (("Squeeze", "[1]"), ("Unsqueeze", "[1]"), ("CumSum", ""), ("ReduceSum", "[1]"))
    ),
    Case(
        "Slice",
        "(float[5, 6] x, int64[2] s, int64[2] e, int64[2] a, int64[2] t) => (float y) "
        "{ y = Slice(x, s, e, a, t) }",
        {"x": TABLE, "s": ints(9, -9), "e": ints(FAR, -FAR), "a": ints(0, 1), "t": ints(1, -1)},
        (
            fails("step must not be 0", t=ints(0, 1)),
            fails("axis 2 is out of range", a=ints(2, 0)),
            fails("twice", a=ints(0, 0)),
        ),
    ),
)


@pytest.mark.parametrize("case", (*LOOKUPS, *LENGTHS, *AXES), ids=lambda case: case.name)
def test_out_of_range(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    "text",
    [
        "(float[2] x, int64 n) => (float y) { y = Loop(n, , x) <body = b (int64 i, bool c, float[2] s) => "
        "(bool d, float[2] t) { t = Add(s, x)  d = Identity(c) }> }",
        "(float[2] x, int64 n) => (float y) { y = Loop(n, ) <body = b (int64 i, bool c) => "
        "(bool d, float[2] t) { t = Add(x, x)  d = Identity(c) }> }",
    ],
    ids=["carried", "stacked"],
)
def test_a_negative_trip_count_is_none(text: str) -> None:
    subject = session(text)
    for trips in (-1, -(2**63)):
        (y,) = subject.run(None, {"x": np.ones(2, np.float32), "n": np.array(trips)})
        assert y.tolist() in ([1.0, 1.0], [])


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_regions_far_outside_end_soon(mode: str) -> None:
    """Samples outside of the image count as 0, however many they are."""
    subject = session(
        "(float[1, 2, 5, 6] x, float[R, 4] r, int64[R] b) => (float y) "
        f'{{ y = RoiAlign<output_height = 2, output_width = 2, mode = "{mode}">(x, r, b) }}'
    )
    rows = np.array(
        [[-1e30, 0, 1e30, 3], [np.nan, 0, np.inf, 1], [-2e9, -2e9, 3e9, 3e9], [1, 1, 3, 3]], np.float32
    )
    feeds = {"x": np.ones((1, 2, 5, 6), np.float32), "r": rows, "b": np.zeros(4, np.int64)}
    (y,) = subject.run(None, feeds)
    assert np.isfinite(y).all()
    assert np.all(y[3] == 1)
    assert np.all(y[2] < 1e-6) if mode == "avg" else np.all((y[2] == 0) | (y[2] == 1))
