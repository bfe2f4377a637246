"""Sizes that overflow, turn negative or exceed all memory, fed or declared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException
from sardonyx.errors import RunError
from sardonyx.runtime import allocate
from tests.unit.kernels.native import guarded
from tests.unit.runtime.hostile import HEAD, Bad, Case, check, floats, ints, session

BIG, FAR = 2**40, 2**62


def too_much(**feeds: object) -> Bad:
    return Bad(feeds, RuntimeException, "bytes of memory|not enough memory")


def impossible(**feeds: object) -> Bad:
    return Bad(
        feeds,
        Fail,
        "too large|negative|is below|result of|contradict|cannot reshape|too many|malformed|positive|differ"
        "|multiple",
    )


def number(value: float) -> np.ndarray:
    return np.array(value, np.int64)


CASES = (
    Case(
        "ConstantOfShape",
        "(int64[R] s) => (float y) { y = ConstantOfShape(s) }",
        {"s": ints(2, 3)},
        (
            too_much(s=ints(BIG)),
            *(impossible(s=ints(-1, 3)), impossible(s=ints(-1, 0)), impossible(s=ints(0, -3))),
            *(impossible(s=ints(2**31, 2**31, 2**31)), impossible(s=ints(0, BIG, BIG))),
        ),
    ),
    Case(
        "Reshape of nothing",
        "(float[0, 2] x, int64[R] s) => (float y) { y = Reshape<allowzero = 1>(x, s) }",
        {"x": floats(0, 2), "s": ints(4, 0, 3)},
        (impossible(s=ints(0, FAR)), impossible(s=ints(FAR, 0, 4)), impossible(s=ints(0, BIG, BIG))),
    ),
    Case(
        "Split into nothing",
        "(float[N, 2] x) => (float y, float z) { s = Constant<value_ints = [0, 0]>()  y, z = Split(x, s) }",
        {"x": floats(0, 2)},
        (Bad({"x": floats(1, 2)}, Fail, r"parts \[0, 0\] do not fill axis 0 of \[N, 2\]"),),
    ),
    Case(
        "Split into too little",
        "(float[N, 2] x) => (float y) { s = Constant<value_ints = [0, 2]>()  y, z = Split(x, s) }",
        {"x": floats(2, 2)},
        (Bad({"x": floats(3, 2)}, Fail, r"parts \[0, 2\] do not fill axis 0 of \[N, 2\]"),),
    ),
    Case(
        "GridSample of nothing",
        "(float[1,1,2,2] x, float[1,P,1,2] g, int64[1] n) => (float y) { a = Constant<value_ints = [2]>()"
        " o = Constant<value_ints = [0]>()  cut = Slice(x, o, n, a)  y = GridSample(cut, g) }",
        {"x": floats(1, 1, 2, 2), "g": floats(1, 2, 1, 2), "n": ints(1)},
        (Bad({"n": ints(0)}, Fail, "a picture has too few pixels to be read at any point"),),
    ),
    Case(
        "Gather of nothing",
        "(float[N, M] x, int64[A, B] i) => (float y) { y = Gather(x, i) }",
        {"x": floats(0, 3), "i": np.empty((2, 0), np.int64)},
        (impossible(x=np.empty((0, BIG), np.float32), i=np.empty((BIG, 0), np.int64)),),
    ),
    Case(
        "a sequence of nothing",
        "(float[0, 2] x, int64[R] s) => (float y) { r = Reshape<allowzero = 1>(x, s) "
        "q = SequenceConstruct(r, r) y = ConcatFromSequence<axis = 0>(q) }",
        {"x": floats(0, 2), "s": ints(4, 0, 3)},
        (impossible(s=ints(0, BIG, BIG)),),
    ),
    Case(
        "Expand",
        "(float[1, 6] x, int64[R] s) => (float y) { y = Expand(x, s) }",
        {"x": floats(1, 6), "s": ints(3, 1)},
        (
            *(too_much(s=ints(BIG, 6)), impossible(s=ints(FAR, 6))),
            *(impossible(s=ints(-1, 6)), impossible(s=ints(-1, 0))),
        ),
    ),
    Case(
        "Tile",
        "(float[5, 6] x, int64[2] s) => (float y) { y = Tile(x, s) }",
        {"x": floats(5, 6), "s": ints(2, 0)},
        (
            *(too_much(s=ints(BIG, 1)), impossible(s=ints(FAR, 4))),
            *(impossible(s=ints(-1, 1)), impossible(s=ints(-1, 0))),
        ),
    ),
    Case(
        "Range",
        "(int64 a, int64 b, int64 d) => (int64 y) { y = Range(a, b, d) }",
        {"a": number(0), "b": number(5), "d": number(2)},
        (
            too_much(b=number(2 * BIG)),
            impossible(d=number(0)),
            impossible(a=number(-(2**63)), b=number(2**63 - 1), d=number(1)),
        ),
    ),
    Case(
        "OneHot",
        "(int64[N] x, int64 depth, float[2] v) => (float y) { y = OneHot(x, depth, v) }",
        {"x": ints(1, 9, -9), "depth": number(3), "v": floats(2)},
        (too_much(depth=number(BIG)), impossible(depth=number(-1)), impossible(depth=number(FAR))),
    ),
    Case(
        "EyeLike",
        "(int64[2] s) => (float y) { z = ConstantOfShape(s)  y = EyeLike(z) }",
        {"s": ints(2, 3)},
        (too_much(s=ints(2**20, 2**20)),),
    ),
    Case(
        "Reshape",
        "(float[5, 6] x, int64[R] s) => (float y) { y = Reshape(x, s) }",
        {"x": floats(5, 6), "s": ints(6, -1)},
        tuple(
            impossible(s=ints(*s)) for s in ((7, -1), (-1, -1), (-2, 3), (FAR, 4), (30, 0, 0), (2**32, 2**32))
        ),
    ),
    Case(
        "Pad",
        "(float[5, 6] x, int64[4] p) => (float y) { y = Pad(x, p) }",
        {"x": floats(5, 6), "p": ints(1, 0, 0, 2)},
        (impossible(p=ints(-9, 0, 0, 0)), impossible(p=ints(FAR, 0, FAR, 0)), too_much(p=ints(0, 0, 0, BIG))),
    ),
    Case(
        "Resize",
        '(float[1, 1, 5, 6] x, float[4] s) => (float y) { y = Resize<mode = "nearest">(x, , s) }',
        {"x": floats(1, 1, 5, 6), "s": np.array([1, 1, 2, 0.5], np.float32)},
        tuple(impossible(s=np.array([1, 1, s, 1], np.float32)) for s in (-1, np.nan, np.inf, 1e30)),
    ),
    Case(
        "Resize_to",
        '(float[1, 1, 5, 6] x, int64[4] s) => (float y) { y = Resize<mode = "linear">(x, , , s) }',
        {"x": floats(1, 1, 5, 6), "s": ints(1, 1, 2, 5)},
        (impossible(s=ints(1, 1, -1, 1)), impossible(s=ints(1, 1, FAR, 1))),
    ),
    Case(
        "Col2Im",
        "(float[1, 4, N] x, int64[2] s, int64[2] b) => (float y) { y = Col2Im(x, s, b) }",
        {"x": floats(1, 4, 9), "s": ints(4, 4), "b": ints(2, 2)},
        (
            *(impossible(s=ints(FAR, 4)), impossible(s=ints(-4, 4)), impossible(b=ints(0, 2))),
            impossible(b=ints(5, 5)),
        ),
    ),
    Case(
        "Loop",
        "(float[2] x, int64 n) => (float y) { y = Loop(n, ) <body = b (int64 i, bool c) => "
        "(bool d, float[2] t) { t = Add(x, x)  d = Identity(c) }> }",
        {"x": floats(2), "n": number(3)},
        (too_much(n=number(2**45)), too_much(n=number(2**62))),
    ),
    *(
        Case(
            name,
            f"({kind} n, float[1, 8, 1] x) => (float y) {{ {body} }}",
            {"n": number(4), "x": floats(1, 8, 1)},
            tuple(impossible(n=number(n)) for n in wrong),
        )
        for name, kind, body, wrong in (
            ("HannWindow", "int64", "y = HannWindow(n)", (-4, FAR)),
            ("DFT", "int64", "y = DFT(x, n)", (-4, FAR)),
            ("STFT", "int64", "w = Constant<value_int = 4>()  y = STFT(x, n, , w)", (0,)),
        )
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_impossible_sizes(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    ("shape", "call"),
    [
        ((1, 1, 3, 3), "y, i = MaxPool<kernel_shape = [2, 5]>(x) j = Add(i, i)"),
        ((1, 1, 1, 1, 6), "y = Conv<dilations = [3, 2, 1]>(x, w)"),
        ((0, 16, 1, 8), "y = Conv(x, w)"),
        ((1, 16, 0, 8), "y = Conv(x, w)"),
        ((2, 4, 2, 1), "y = AveragePool<kernel_shape = [4, 4]>(x)"),
    ],
)
@pytest.mark.parametrize("free", [False, True])
def test_a_window_larger_than_what_it_slides_over(shape: tuple[int, ...], call: str, free: bool) -> None:
    sizes = ", ".join(f"N{n}" if free else str(size) for n, size in enumerate(shape))
    shapes = f"float[{sizes}] x, float[8, {shape[1]}{', 3' * (len(shape) - 2)}] w"
    subject = session(f"({shapes}) => (float y) {{ {call} }}")
    weights = floats(8, shape[1], *[3] * (len(shape) - 2))
    with pytest.raises(Fail, match="a window of [3457] does not fit into axis [23] of|negative"):
        subject.run(None, {"x": floats(*shape), "w": weights})


def test_quantised_windows_without_pixels(rng: np.random.Generator) -> None:
    """A sum of nothing is 0, whatever groups its channels have."""
    text = "(uint8[1, 16, H, W] x, int8[16, 8, K, L] w) => (int32 y) { y = ConvInteger<group = 2>(x, w) }"
    feeds = {"x": rng.integers(0, 256, (1, 16, 3, 4)).astype(np.uint8), "w": np.zeros((16, 8, 0, 2), np.int8)}
    (y,) = session(text).run(None, feeds)
    assert not y.any()


@pytest.mark.parametrize("size", [BIG, FAR, 2**63 - 1])
def test_huge_declared_sizes(size: int) -> None:
    """An input that nobody can feed; the sizes computed from it may overflow."""
    text = (
        f"(float[{size}, 4] x, float[2, 4] z) => (float y, float w) "
        "{ y = Concat<axis = 0>(x, x)  w = Neg(z) }"
    )
    try:
        subject = session(text)
    except (Fail, RuntimeException) as error:
        assert "too large" in str(error) or "memory" in str(error)
        return
    with pytest.raises(InvalidArgument, match="dimensions"):
        subject.run(None, {"x": floats(2, 4), "z": floats(2, 4)})


@pytest.mark.parametrize("dims", [(BIG,), (FAR, 4), (2**32, 2**32), (-3,), (2**63 - 1, 0, 3)])
def test_constants_of_huge_declared_sizes(dims: tuple[int, ...]) -> None:
    model = onnx.parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { y = Add(x, x) }")
    model.graph.initializer.add(name="w", data_type=1, dims=dims, raw_data=b"1234")
    model.graph.node[0].input[1] = "w"
    with pytest.raises(Fail, match=r'tensor "w"'):
        sardonyx.InferenceSession(model.SerializeToString())


def test_a_sparse_constant_of_huge_size() -> None:
    model = onnx.parser.parse_model(HEAD + "(float[2] x) => (float y) { y = Add(x, w) }")
    values = onnx.helper.make_tensor("w", 1, [1], [1.0])
    indices = onnx.helper.make_tensor("i", 7, [1], [0])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [2**34]))
    with pytest.raises(Fail, match="too large"):
        sardonyx.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize("mode", ["TF", "TFIDF"])
def test_results_of_huge_size_that_numpy_computes(mode: str) -> None:
    made = session(
        "(string[N, 2] x) => (float y) { y = TfIdfVectorizer<max_gram_length = 1, max_skip_count = 0, "
        f'min_gram_length = 1, mode = "{mode}", ngram_counts = [0], ngram_indexes = [35184372088832], '
        'pool_strings = ["a"], weights = [2.0]>(x) }'
    )
    with pytest.raises(RuntimeException, match="bytes of memory"):
        made.run(None, {"x": np.array([["a", "b"]], object)})


@pytest.mark.parametrize("rank", [4, 7])
@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_sizes_whose_product_has_thousands_of_terms(rank: int, mode: str) -> None:
    names = ", ".join("ABCDEFG"[:rank])
    made = session(
        f'(float[{names}] x, int64[{2 * rank}] p) => (float y) {{ y = Pad<mode = "{mode}">(x, p) }}'
    )
    ends = [(0, 1), (1, 0), (2, 0), (-1, 2), (1, 1), (0, 0), (1, -1)][:rank]
    for extent in (2, 3):
        x = np.arange(extent**rank, dtype=np.float32).reshape((extent,) * rank)
        (y,) = made.run(None, {"x": x, "p": np.array(ends).T.ravel()})
        kept = x[tuple(slice(max(-low, 0), extent - max(-high, 0)) for low, high in ends)]
        padded: Any = np.pad
        expected = padded(kept, [(max(low, 0), max(high, 0)) for low, high in ends], mode)
        np.testing.assert_array_equal(y, expected)


def test_models_that_fold_to_huge_constants() -> None:
    """What needs no feed is computed while compiling; not if it is large."""
    made = session("() => (float y) { s = Constant<value_ints = [1099511627776]>()  y = ConstantOfShape(s) }")
    with pytest.raises(RuntimeException, match="bytes of memory"):
        made.run(None, {})


@pytest.mark.parametrize(
    ("text", "shape", "result"),
    [
        (
            "(float[N, 4, M] x, float[5, 4, 3] w) => (float y) { y = Conv<dilations = [5]>(x, w) }",
            *(10, (2, 5, 0)),
        ),
        (
            "(float[N, 4, M] x, float[4, 5, 3] w) => (float y) { y = ConvTranspose<strides = [3]>(x, w) }",
            *(0, (2, 5, 0)),
        ),
        ("(float[N, 4, M] x, float[1] w) => (float y) { y = MaxPool<kernel_shape = [3]>(x) }", 2, (2, 4, 0)),
        ("(float[N, 4, M] x, float[1, 3, 4] w) => (float y) { y = MatMul(w, x) }", 0, (2, 3, 0)),
        ("(float[N, 4, M] x, float[1, 1, 1] w) => (float y) { h = Add(x, w)  y = Softmax(h) }", 0, (2, 4, 0)),
    ],
    ids=["Conv", "ConvTranspose", "MaxPool", "MatMul", "Softmax"],
)
def test_results_without_elements(text: str, shape: int, result: tuple[int, ...]) -> None:
    """No kernel may touch what has no elements: feeds lie against inaccessible memory."""
    subject = session(text)
    weights = subject.get_inputs()[1].shape
    feeds = {"x": guarded(floats(2, 4, 20)), "w": guarded(floats(*weights))}
    subject.run(None, feeds)
    (y,) = subject.run(None, {**feeds, "x": guarded(floats(2, 4, shape))})
    assert y.shape == result


@pytest.mark.parametrize("targets", [BIG, FAR, 2**62 + 1])
def test_a_forest_of_huge_numbers_of_targets(targets: int) -> None:
    tree = """nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], nodes_featureids = [2, 0, 0],
        nodes_values = [0.1, 0.0, 0.0], nodes_modes = ["BRANCH_GT", "LEAF", "LEAF"],
        nodes_truenodeids = [1, 0, 0], nodes_falsenodeids = [2, 0, 0], target_treeids = [0, 0],
        target_nodeids = [1, 2], target_ids = [0, 0], target_weights = [1.5, -1.5]"""
    call = f"ai.onnx.ml.TreeEnsembleRegressor<n_targets = {targets}, {tree}>(x)"
    with pytest.raises((Fail, RuntimeException), match="not enough memory|too large"):
        session(f"(float[N, 3] x) => (float y) {{ y = {call} }}")


def test_memory_is_asked_for_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    allocate.ask(1 << 20)
    with pytest.raises(RunError, match="there are") as caught:
        allocate.ask(1 << 50)
    assert caught.value.kind == "memory"
    monkeypatch.setattr(allocate, "available_bytes", lambda: 1 << 62)
    allocate.ask(1 << 50)


@pytest.mark.skipif(sys.platform != "linux", reason="no process says what it has mapped")
def test_the_limit_of_the_process_is_known_before_memory_is_taken() -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (1 << 29), limits[1]))
    try:
        allocate.ask(1 << 28)
        with pytest.raises(RunError, match=f"takes {1 << 30} bytes of memory, there are") as caught:
            allocate.ask(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert caught.value.kind == "memory"


def test_memory_that_is_short_is_an_error_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = session("(float[N] x) => (float y) { y = Exp(x) }")
    feeds = {"x": floats(3)}
    subject.run(None, feeds)

    def none_left(*_: object) -> None:
        raise MemoryError("Unable to allocate 12 bytes")

    with monkeypatch.context() as patch:
        patch.setattr(allocate, "empty", none_left)
        with pytest.raises(RuntimeException, match="not enough memory: Unable to allocate"):
            subject.run(None, feeds)
    subject.run(None, feeds)
