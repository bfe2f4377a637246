"""If, Loop, sequences and optionals: what is decided while loading, and what is left to the run."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.knobs import CompileOptions
from sardonyx.errors import NeedsContent, ShapeError, UnsupportedOp
from sardonyx.frontend import load
from sardonyx.frontend.load import FeedFacts
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.ops.onnx import control
from sardonyx.ops.onnx.control import Kind, LoopBody, RankChangeError, known_truth
from sardonyx.ops.subgraph import Body
from tests.unit.frontend.models import outputs, parsed, shapes
from tests.unit.ops.formulas import computed
from tests.unit.ops.microsoft.search.bodies import nested

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def prims(text: str) -> list[str]:
    return [v.prim for v in load(parsed(text)).graph.order()]


BRANCHES = """
    then_branch = a () => (float[?] p) { p = Neg(x) },
    else_branch = b () => (float[?] q) { q = Add(x, x) }
"""
LONGER = """
    then_branch = a () => (float[?] p) { p = Neg(x) },
    else_branch = b () => (float[?] q) { q = Concat<axis = 0>(x, x) }
"""


def test_a_known_condition_leaves_one_branch() -> None:
    text = f"""g (float[N,3] x) => (float[?] y) {{
        s = Shape<start = 1, end = 2>(x)  three = Constant<value_ints = [3]>()
        c = Equal(s, three)  y = If<{BRANCHES}>(c)
    }}"""
    assert prims(text) == ["input", "neg"]


def test_branches_that_agree_keep_their_sizes() -> None:
    text = f"g (float[N,3] x, bool c) => (float[?] y) {{ y = If<{BRANCHES}>(c) }}"
    assert shapes(parsed(text)) == ["N,3"]
    for condition, expected in ((True, -X), (False, 2 * X)):
        (y,) = outputs(parsed(text), X, np.asarray(condition))
        np.testing.assert_array_equal(y, expected)


def test_sizes_that_differ_are_known_after_the_run() -> None:
    text = f"g (float[N,3] x, bool c) => (float[?] y, int64[?] s) {{ y = If<{LONGER}>(c)  s = Shape(y) }}"
    for condition, rows in ((True, 2), (False, 4)):
        y, sizes = outputs(parsed(text), X, np.asarray(condition))
        assert y.shape == (rows, 3)
        assert sizes.tolist() == [rows, 3]


@pytest.mark.parametrize(
    "other",
    [
        "z = Constant<value_ints = [0]>() q = Unsqueeze(x, z)",
        "w = ConstantOfShape(n) q = MatMul(x, w)",
    ],
    ids=["another rank", "sizes that do not fit"],
)
def test_a_branch_that_does_not_fit_asks_for_the_condition(other: str) -> None:
    text = f"""g (float[2,3] x, int64 m) => (float[?] y) {{
        one = Constant<value_int = 1>()  n = Constant<value_ints = [7, 3]>()  c = Equal(m, one)
        y = If<then_branch = a () => (float[?] p) {{ p = Neg(x) }},
               else_branch = b () => (float[?] q) {{ {other} }}>(c)
    }}"""
    with pytest.raises(NeedsContent) as raised:
        load(parsed(text))
    assert raised.value.inputs == ("m",)


def looped(trips: str, body: str, carried: str = "x") -> str:
    return f"""g (float[2,3] x, int64 m) => (float[?] y, float[?] rows) {{
        n = {trips}  yes = Constant<value = bool {{1}}>()
        y, rows = Loop<body = b (int64 i, bool go, float[?,?] a) => (bool more, float[?,?] c, float[?] row)
            {{ {body} }}>(n, yes, {carried})
    }}"""


DOUBLE = "more = Identity(go)  c = Add(a, a)  row = ReduceSum<keepdims = 0>(c)"
GROW = "more = Identity(go)  c = Concat<axis = 0>(a, x)  row = ReduceSum<keepdims = 0>(c)"
STOP = """limit = Constant<value_float = 100.0>()  c = Add(a, a)  row = ReduceSum<keepdims = 0>(c)
    more = Less(row, limit)"""


def test_a_short_loop_is_built_in_place() -> None:
    text = looped("Constant<value_int = 3>()", DOUBLE)
    assert "loop" not in prims(text)
    y, rows = outputs(parsed(text), X, 0)
    np.testing.assert_array_equal(y, 8 * X)
    assert rows.tolist() == [30, 60, 120]


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_a_loop_of_unknown_length(trips: int) -> None:
    text = looped("Identity(m)", DOUBLE)
    assert "loop" in prims(text)
    y, rows = outputs(parsed(text), X, np.int64(trips))
    np.testing.assert_array_equal(y, X * 2.0**trips)
    assert len(rows) == trips


def test_carried_values_may_grow() -> None:
    y, rows = outputs(parsed(looped("Identity(m)", GROW)), X, np.int64(3))
    assert y.shape == (8, 3)
    assert rows.tolist() == [30, 45, 60]


def test_a_loop_ends_with_its_condition() -> None:
    y, rows = outputs(parsed(looped("Identity(m)", STOP)), X, np.int64(100))
    assert rows.tolist() == [30, 60, 120]
    np.testing.assert_array_equal(y, 8 * X)


@pytest.mark.parametrize("trips", ["Constant<value_int = 3>()", "Identity(m)"])
@pytest.mark.parametrize("counter", ["int64 i", "int64[1] i"])
@pytest.mark.parametrize("flag", ["bool go", "bool[1] go"])
def test_counters_and_conditions_may_have_an_axis(trips: str, counter: str, flag: str) -> None:
    text = f"""g (float[2] x, int64 m) => (float[?] y, int64[?] rows) {{
        n = {trips}  yes = Constant<value = bool {{1}}>()
        y, rows = Loop<body = b ({counter}, {flag}, float[?] a)
            => ({flag[:-3]} more, float[?] c, int64[?] row) {{ more = Identity(go)
                f = Cast<to = 1>(i)  c = Add(a, f)  row = Identity(i) }}>(n, yes, x)
    }}"""
    y, rows = outputs(parsed(text), X[0, :2], np.int64(3))
    np.testing.assert_array_equal(y, X[0, :2] + 3)
    assert rows.shape == ((3, 1) if "[1]" in counter else (3,))
    assert rows.ravel().tolist() == [0, 1, 2]


RAISE = """more = Identity(go)  z = Constant<value_ints = [0]>()  c = Unsqueeze(a, z)
    row = ReduceSum<keepdims = 0>(c)"""


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_every_iteration_may_raise_a_rank(trips: int) -> None:
    y, rows = outputs(parsed(looped(f"Constant<value_int = {trips}>()", RAISE)), X, 0)
    assert y.shape == (1,) * trips + (2, 3)
    assert rows.tolist() == [15] * trips


def test_a_rank_that_a_trip_count_decides_asks_for_it() -> None:
    with pytest.raises(NeedsContent) as raised:
        load(parsed(looped("Identity(m)", RAISE)))
    assert raised.value.inputs == ("m",)


def test_a_scalar_may_become_a_vector_in_the_first_iteration() -> None:
    """The iterations after it are a loop as long as data says."""
    text = """g (float[2] x) => (float[?] y, int64[?] rows) {
        zero = Constant<value_float = 0.0>()  yes = Constant<value = bool {1}>()
        y, rows = Loop<body = b (int64 i, bool go, float[?] a) => (bool more, float[?] c, int64 row) {
            limit = Constant<value_float = 10.0>()
            c = Add(a, x)  s = ReduceSum<keepdims = 0>(c)  more = Less(s, limit)  row = Identity(i)
        }>(, yes, zero)
    }"""
    assert "loop" in prims(text)
    y, rows = outputs(parsed(text), X[0, 1:])
    np.testing.assert_array_equal(y, X[0, 1:] * 4)
    assert rows.tolist() == [0, 1, 2, 3]


def test_a_rank_that_never_settles_is_refused() -> None:
    with pytest.raises(ShapeError, match="carried value a"):
        load(parsed(looped("Constant<value_int = 100>()", RAISE)))


def test_sequences_of_known_course_leave_no_trace() -> None:
    text = """g (float[N,6] x) => (float[?] y, int64 n) {
        z = Constant<value_int = 0>()  w = Constant<value_ints = [2, 4]>()
        s = SplitToSequence<axis = 1>(x, w)  first = SequenceAt(s, z)
        t = SequenceInsert(s, first)  u = SequenceErase(t, z)
        y = ConcatFromSequence<axis = 1>(u)  n = SequenceLength(u)
    }"""
    assert not [p for p in prims(text) if p.startswith("sequence")]
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    y, n = outputs(parsed(text), x)
    np.testing.assert_array_equal(y, np.concatenate([x[:, 2:], x[:, :2]], 1))
    assert n == 2


def test_a_sequence_may_grow_in_a_loop() -> None:
    text = """g (float[N] x, int64 m) => (float[?] y) {
        yes = Constant<value = bool {1}>()  e = SequenceEmpty()
        s = Loop<body = b (int64 i, bool go, seq(float[?]) a) => (bool more, seq(float[?]) c)
            { more = Identity(go)  c = SequenceInsert(a, x) }>(m, yes, e)
        y = ConcatFromSequence<axis = 0, new_axis = 1>(s)
    }"""
    (y,) = outputs(parsed(text), X[0], np.int64(3))
    np.testing.assert_array_equal(y, np.stack([X[0]] * 3))


def test_a_body_beyond_native_code_is_repeated_in_place() -> None:
    """The counter decides the size of a slice that the text of a body leaves open."""
    text = """g (float[2,36,4] x, int64[2] at) => (float[?] y) {
        yes = Constant<value = bool {1}>()  n = Constant<value_int = 2>()
        y = Loop<body = b (int64 i, bool go) => (bool more, float[?] c) {
            more = Identity(go)  z = Constant<value_ints = [0]>()  one = Constant<value_ints = [1]>()
            from = Unsqueeze(i, z)  to = Add(from, one)
            start = Slice(at, from, to)  end = Add(start, one)
            part = Slice(x, start, end, z)  size = Shape(part)
            scales = Constant<value_floats = [1.0, 0.5, 1.0]>()
            c = Resize<mode = "nearest">(part, , scales)
        }>(n, yes)
    }"""
    for mode in ("error", "reference"):
        loaded = load(parsed(text), CompileOptions(fallback=mode))
        assert not loaded.fallbacks
        assert "loop" not in [v.prim for v in loaded.graph.order()]
    x = np.arange(288, dtype=np.float32).reshape(2, 36, 4)
    (y,) = outputs(parsed(text), x, np.array([1, 0]))
    np.testing.assert_array_equal(y, x[::-1, None, ::2])


def kind(*shape: dims.Dim | None, dtype: dt.DType = dt.F32) -> Kind:
    return Kind(dtype, shape)


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (None, True),
        (const(np.array(True)), True),
        (const(np.array([False])), False),
        (placeholder("c", dt.BOOL, ()), None),
    ],
)
def test_what_is_known_of_a_condition(value: Value | None, truth: bool | None) -> None:
    assert known_truth(value) is truth
    assert known_truth(None, absent=False) is False


def test_kinds_keep_the_sizes_that_hold_on_both_courses() -> None:
    n, m = dims.symbol("N"), dims.symbol("M")
    assert kind(n, 3).joined(kind(n, 3), "it") == kind(n, 3)
    assert kind(n, 3).joined(kind(m, 3), "it") == kind(None, 3)
    assert kind(None, 3).joined(kind(n, 4), "it") == kind(None, None)
    assert str(kind(n, None)) == "float[N,?]"
    with pytest.raises(ShapeError, match=r"^it is float\[3\] in one branch and double\[3\] in another"):
        kind(3).joined(kind(3, dtype=dt.F64), "it")
    with pytest.raises(RankChangeError, match="must agree in type and rank"):
        kind(3).joined(kind(3, 3), "it")


def test_a_kind_forgets_sizes_of_the_inside() -> None:
    n, m = dims.symbol("N"), dims.symbol("M")
    value = placeholder("x", dt.F32, (n, m + 1))
    assert Kind.of(value) == kind(n, m + 1)
    assert Kind.of(value, frozenset({"M"})) == kind(n, None)


COUNTED = """g (int64 i, bool c, float[?] s) => (bool d, float[?] t) {
    f = Cast<to = 1>(i) t = Add(s, f) d = Identity(c) }"""


def test_iterations_are_counted_from_where_they_begin() -> None:
    body = nested(COUNTED)
    s, true = const(np.float32([1, 2])), const(np.array(True))
    number = const(np.array(4))
    for first in (0, 3):
        counted = LoopBody(body, first)
        assert (counted.inputs, counted.outputs) == (body.inputs, body.outputs)
        assert computed(counted.inline(number, true, s)[1])[0].tolist() == [5 + first, 6 + first]


@pytest.mark.parametrize(("trips", "conditions"), [(0, True), (5, True), (5, False)])
def test_a_counted_loop_over_constants(trips: int, conditions: bool) -> None:
    s, count = const(np.float32([1, 2])), const(np.array(trips))
    found = control.repeat(count, const(np.array(conditions)), [s], LoopBody(nested(COUNTED)))
    done = sum(range(trips)) if conditions else 0
    assert computed(found[0])[0].tolist() == [1 + done, 2 + done]


def test_a_loop_without_an_end_is_refused() -> None:
    with pytest.raises(control.UnsupportedOp, match="a Loop without a trip count or an end"):
        control.repeat(None, None, [const(np.float32([1, 2]))], LoopBody(nested(COUNTED)))


@pytest.mark.parametrize("cond", [np.array([True, False]), np.array(1)])
def test_a_condition_is_one_truth(cond: np.ndarray) -> None:
    branch = nested("g () => (float y) <float y = {1}> { }")
    with pytest.raises(ShapeError, match="the condition must be one bool"):
        control.if_(const(cond), then_branch=branch, else_branch=branch)


@pytest.mark.parametrize(
    "trips", ["Constant<value = int64 {2}>()", "Constant<value = int64 {0}>()", "Identity(m)"]
)
@pytest.mark.parametrize("made", ["SequenceConstruct(x)", "SequenceEmpty()", "Optional(x)"])
def test_what_is_stacked_must_be_a_tensor(trips: str, made: str) -> None:
    kind = "optional" if made == "Optional(x)" else "seq"
    loop = f"""g (float[N] x, int64 m) => (float[?,N] y) {{ n = {trips}
        y = Loop(n,)
            <body = b (int64 i, bool c) => (bool d, {kind}(float[N]) s) {{ d = Identity(c) s = {made} }}>
    }}"""
    scan = f"""g (float[N] x, float[S] a) => (float[?,N] y) {{
        y = Scan<num_scan_inputs = 1, body = b (float t) => ({kind}(float[N]) s) {{ s = {made} }}>(a)
    }}"""
    for text in (loop, scan):
        with pytest.raises(ShapeError, match="a result that is stacked must be a tensor"):
            load(parsed(text))


def test_axes_from_the_iteration_ask_for_the_trip_count() -> None:
    """A body that cannot be closed is built in place once it is known how often, unless that is too much."""
    text = """g (float[2,3] x, int64 n) => (float[2,3] y) { one = Constant<value_ints = [1]>()
        y = Loop<body = b (int64 i, bool c, float[2,3] s) => (bool d, float[2,3] t)
            { k = Reshape(i, one)  r = ReduceSum(s, k)  t = Add(s, r)  d = Identity(c) }>(n, , x) }"""
    with pytest.raises(NeedsContent, match="the trip count, as the body fits no other") as asked:
        load(parsed(text))
    assert (asked.value.answerable, asked.value.inputs) == (True, ("n",))
    once = X + X.sum(0)
    for count, expected in ((1, once), (2, once + once.sum(1, keepdims=True))):
        known = load(parsed(text), facts=FeedFacts(contents={"n": np.array(count)}))
        np.testing.assert_array_equal(outputs(known, X, np.array(count))[0], expected)
    with pytest.raises(UnsupportedOp, match="axes must be known"):
        load(parsed(text), facts=FeedFacts(contents={"n": np.array(99)}))


@pytest.mark.parametrize("nodes", [control.UNROLL_NODES, control.UNROLL_NODES // 2])
def test_what_took_many_nodes_is_not_built_again(nodes: int) -> None:
    found = control.Settled(nested_body(), [], [], nodes)
    assert control.repeatable(found, 2) == (nodes < control.UNROLL_NODES)


def nested_body() -> Body:
    return nested("g (float s) => (float t) { t = Neg(s) }").close([placeholder("s", dt.F32, ())])
