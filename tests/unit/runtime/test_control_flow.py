"""If, Loop and Scan in compiled programs: native jumps where sizes allow it, else bodies run from Python."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from sardonyx.base.knobs import CompileOptions
from sardonyx.errors import RunError, ShapeError
from sardonyx.runtime.program import Program
from sardonyx.store.loader import load_program
from sardonyx.store.variants import Variants
from tests.tolerance import assert_close

Array = np.ndarray[Any, Any]
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'


def program(text: str, threads: int = 1) -> Program | Variants:
    model = onnx.parser.parse_model(HEAD + text)
    return load_program(model.SerializeToString(), CompileOptions.resolve(threads=threads))


def check(
    text: str, *cases: dict[str, Any], steps: int | None = None, native: bool = True, length: int = 64
) -> None:
    """Compare with ONNX's reference; `steps` is the number of segments that end in Python.

    `length` is that of the longest sum.
    """
    model = onnx.parser.parse_model(HEAD + text)
    reference = ReferenceEvaluator(model)
    for threads in (1, 2):
        made = program(text, threads)
        for feeds in cases:
            expected = reference.run(None, feeds)
            found = made.run(tuple(feeds[i.name] for i in made.inputs), tuple(range(len(expected))))
            for e, f in zip(expected, found, strict=True):
                if isinstance(e, list):
                    assert isinstance(f, list)
                    assert len(e) == len(f)
                    for p, q in zip(e, f, strict=True):
                        assert_close(q, np.asarray(p), length)
                    continue
                e = np.asarray(e)
                if e.shape == (*f.shape, 1):
                    e = e.reshape(f.shape)  # the reference makes rows of stacked scalars
                assert_close(f, e, length)
        assert not native or not made.report.fallbacks
        if steps is not None:
            assert isinstance(made, Program)
            assert sum(segment.host is not None for segment in made.data.segments) == steps


def f32(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


TRUE, FALSE = np.array(True), np.array(False)

BRANCHES = """
g (float[N, 8] x, bool c) => (float[N, 4] y, float[N, 8] z)
<float[8, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32}> {
  h = Exp(x)
  y, z = If (c) <
    then_branch = t () => (float[N, 4] ty, float[N, 8] tz)
      { m = MatMul(h, w)  ty = Relu(m)  tz = Softmax(x) },
    else_branch = e () => (float[N, 4] ey, float[N, 8] ez)
      { n = Neg(h)  ey = MatMul(n, w)  ez = Identity(x) }>
}
"""


def test_an_if_of_equal_sizes_is_one_native_segment() -> None:
    feeds = [{"x": f32(n, 8), "c": c} for n in (1, 5, 3000) for c in (TRUE, FALSE)]
    check(BRANCHES, *feeds, steps=0)


def test_results_of_an_if_that_nobody_reads_are_not_computed() -> None:
    text = BRANCHES.replace("=> (float[N, 4] y, float[N, 8] z)", "=> (float[N, 8] z)")
    check(text, {"x": f32(3, 8), "c": TRUE}, {"x": f32(3, 8), "c": FALSE}, steps=0)
    assert not any("MatMul" in o for note in program(text).report.kernels for o in note.origins)


def test_an_if_decided_by_what_was_computed() -> None:
    text = """
    g (float[1, 16] x) => (float[1, 16] y) <float[1] zero = {0}> {
      s = ReduceSum<keepdims = 0>(x)  c = Greater(s, zero)
      k = Sigmoid(x)
      y = If (c) <
        then_branch = t () => (float[1, 16] a) { e = Exp(k)  m = ReduceMean<axes = [1]>(e)  a = Sub(e, m) },
        else_branch = e () => (float[1, 16] b) { b = Identity(k) }>
    }
    """
    check(text, *({"x": f32(1, 16, seed=n)} for n in range(6)), steps=0)


def test_ifs_inside_ifs() -> None:
    text = """
    g (float[N, 3] x, bool p, bool q) => (float[N, 3] y) <float one = {1}> {
      y = If (p) <
        then_branch = t () => (float[N, 3] a) {
          u = Exp(x)
          a = If (q) <
            then_branch = tt () => (float[N, 3] b) { v = Softmax(u)  b = Mul(v, u) },
            else_branch = te () => (float[N, 3] d) { d = ReduceSum<keepdims = 1>(u)  }>
        },
        else_branch = e () => (float[N, 3] f) { f = Add(x, one) }>
    }
    """.replace("d = ReduceSum<keepdims = 1>(u)", "r = CumSum(u, ax)  d = Identity(r)").replace(
        "<float one = {1}>", "<float one = {1}, int64 ax = {1}>"
    )
    check(text, *({"x": f32(4, 3), "p": p, "q": q} for p in (TRUE, FALSE) for q in (TRUE, FALSE)), steps=0)


def test_an_operand_seen_through_a_view_is_read_in_place_or_copied() -> None:
    text = """
    g (float[4, N, 6] x, bool c) => (float[?, ?, ?] y, float[?, ?] z) {
      a = Transpose<perm = [2, 0, 1]>(x)
      first = Constant<value = int64 {0}>()
      b = Gather<axis = 0>(x, first)
      y, z = If (c) <
        then_branch = t () => (float[?, ?, ?] ty, float[?, ?] tz) { ty = Softmax(a)  tz = Exp(b) },
        else_branch = e () => (float[?, ?, ?] ey, float[?, ?] ez) { ey = Neg(a)  ez = Softmax<axis = 0>(b) }>
    }
    """
    check(text, {"x": f32(4, 5, 6), "c": TRUE}, {"x": f32(4, 2, 6), "c": FALSE}, steps=0)


ONE_SIDED = """
g (float[N, 4] x, bool c) => (float[N, 4] y) <int64[2] pair = {-1, 8}, int64[2] back = {-1, 4}> {
  y = If (c) <
    then_branch = t () => (float[N, 4] a) { r = Reshape(x, pair)  s = Softmax(r)  a = Reshape(s, back) },
    else_branch = e () => (float[N, 4] b) { b = Exp(x) }>
}
"""


def test_the_branch_that_is_not_taken_may_have_impossible_sizes() -> None:
    x = f32(3, 4)
    for threads in (1, 2):
        made = program(ONE_SIDED, threads)
        assert_close(made.run((x, FALSE), (0,))[0], np.exp(x))
        for _ in range(2):
            with pytest.raises(ShapeError, match="Reshape"):
                made.run((x, TRUE), (0,))
        assert_close(made.run((x, FALSE), (0,))[0], np.exp(x))
        assert made.run((f32(2, 4), TRUE), (0,))[0].shape == (2, 4)


def test_branches_of_different_sizes() -> None:
    text = """
    g (float[N, 4] x, bool c) => (float[?, ?] y) {
      y = If (c) <
        then_branch = t () => (float[?, 4] a) { a = Concat<axis = 0>(x, x) },
        else_branch = e () => (float[?, 4] b) { b = Exp(x) }>
    }
    """
    cases = [{"x": f32(n, 4), "c": c} for n in (3, 1, 5000) for c in (TRUE, FALSE)]
    check(text, *cases, steps=0)
    more = text.replace("y = If", "z = If").replace(
        " }>\n    }", " }>\n      y = Softmax<axis = 0>(z)\n    }"
    )
    check(more, *cases, steps=0)


def test_a_branch_may_hold_what_runs_on_the_host() -> None:
    text = """
    g (float[N] x, bool c) => (float[?] y) {
      y = If (c) <
        then_branch = t () => (float[?] a) { u, i, j, k = Unique(x)  a = Exp(u) },
        else_branch = e () => (float[?] b) { b = Neg(x) }>
    }
    """
    x = np.array([3, 1, 3, 2], np.float32)
    check(text, {"x": x, "c": TRUE}, {"x": x, "c": FALSE}, native=False)


def test_a_branch_may_read_sizes_whose_product_is_beyond_any_array() -> None:
    names = [f"N{n}" for n in range(35)]
    inputs = ", ".join(f"float[{name}] x{n}" for n, name in enumerate(names))
    read = ", ".join(f"x{n}" for n in range(35))
    text = f"""g ({inputs}, bool c) => (float[?] y) {{ j = Concat<axis = 0>({read}) s = Shape(j) y = If (c) <
        then_branch = t () => (float[?] a) {{
            z = ConstantOfShape(s) u, i, k, n = Unique(z) a = Concat<axis = 0>(u, z) }},
        else_branch = e () => (float[?] b) {{ b = Neg(x0) }}> }}"""
    x = {f"x{n}": np.zeros(4 + n % 2, np.float32) for n in range(35)}
    check(text, {**x, "c": TRUE}, {**x, "c": FALSE}, native=False)


LOOP = """
g (int64 n, bool go, float[N] x) => (float[N] state, float[?, N] rows, int64[?, 1] numbers)
<float half = {0.5}, int64[1] one = {1}> {
  k = Exp(x)
  state, rows, numbers = Loop (n, go, x) <
    body = b (int64 i, bool c, float[N] s) => (bool d, float[N] t, float[N] r, int64[1] j) {
      d = Identity(c)  f = Cast<to = 1>(i)  m = Mul(s, half)  p = Add(m, k)  t = Add(p, f)
      r = Sub(t, s)  j = Reshape(i, one)
    }>
}
"""


def test_a_loop_with_carried_captured_and_stacked_values() -> None:
    cases = [{"n": np.array(n), "go": TRUE, "x": f32(size)} for n, size in ((3, 4), (1, 4), (40, 4), (5, 9))]
    check(LOOP, *cases, steps=1)


def test_a_loop_without_a_trip_gives_empty_rows_and_its_initial_state() -> None:
    x = f32(4)
    for n, go in ((0, TRUE), (3, FALSE)):
        state, rows, numbers = program(LOOP).run((np.array(n), go, x), (0, 1, 2))
        np.testing.assert_array_equal(state, x)
        assert not np.may_share_memory(state, x)
        assert rows.shape == (0, 4)
        assert numbers.shape == (0, 1)


def test_a_loop_that_ends_by_its_condition() -> None:
    text = """
    g (float[2] x, float limit) => (float[2] y, float[?, 2] rows) <bool go = {1}> {
      y, rows = Loop ("", go, x) <
        body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t, float[2] r) {
          t = Add(s, s)  r = Identity(t)  m = ReduceMax<keepdims = 0>(t)  d = Less(m, limit)
        }>
    }
    """.replace('""', "none").replace("<bool go = {1}>", "<bool go = {1}, int64 none = {1000}>")
    check(text, {"x": np.array([1, 2], np.float32), "limit": np.array(50, np.float32)}, steps=1)


def test_carried_values_may_grow_and_swap() -> None:
    text = """
    g (int64 n, float[K] a, float[2] p, float[2] q) => (float[?] long, float[2] u, float[2] v)
    <bool go = {1}> {
      long, u, v = Loop (n, go, a, p, q) <
        body = b (int64 i, bool c, float[?] s, float[2] x, float[2] y)
          => (bool d, float[?] t, float[2] y2, float[2] x2) {
          d = Identity(c)  t = Concat<axis = 0>(s, x)  y2 = Identity(y)  x2 = Identity(x)
        }>
    }
    """
    fixed = {"p": f32(2, seed=1), "q": f32(2, seed=2)}
    cases = [{"n": np.array(n), "a": f32(k), **fixed} for n, k in ((3, 1), (4, 2))]
    check(text, *cases, steps=1)


def test_an_if_inside_a_loop_inside_an_if() -> None:
    text = """
    g (int64 n, bool c, float[N] x) => (float[N] y) <bool go = {1}, int64 two = {2}, int64 zero = {0}> {
      y = If (c) <
        then_branch = t () => (float[N] a) {
          e = Exp(x)
          a = Loop (n, go, x) <
            body = b (int64 i, bool c2, float[N] s) => (bool d, float[N] r) {
              d = Identity(c2)  m = Mod(i, two)  odd = Greater(m, zero)
              r = If (odd) <
                then_branch = tt () => (float[N] f) { f = Add(s, e) },
                else_branch = te () => (float[N] h) { h1 = Tanh(s)  h = Mul(h1, x) }>
            }>
        },
        else_branch = el () => (float[N] z) { z = Neg(x) }>
    }
    """
    cases = ({"n": np.array(n), "c": c, "x": f32(k)} for n, k in ((5, 6), (40, 6000)) for c in (TRUE, FALSE))
    check(text, *cases, steps=0)


def test_a_scan_with_several_states_and_outputs() -> None:
    text = """
    g (float[2] s, float[3] p, float[T, 2] a, float[T, 3] b)
      =>
      (float[2] s2, float[3] p2, float[?, 2] u, float[?, 3] v) {
      s2, p2, u, v = Scan <num_scan_inputs = 2,
        body = body (float[2] s1, float[3] p1, float[2] a1, float[3] b1)
        => (float[2] s3, float[3] p3, float[2] u1, float[3] v1) {
          s3 = Add(s1, a1)  p4 = Mul(p1, b1)  p3 = Tanh(p4)  u1 = Exp(s3)  v1 = Identity(p3)
        }> (s, p, a, b)
    }
    """
    lengths = (1, 4, 70)
    check(text, *({"s": f32(2), "p": f32(3), "a": f32(n, 2), "b": f32(n, 3)} for n in lengths), steps=0)
    fixed = {"s": f32(2), "p": f32(3), "a": f32(5, 2), "b": f32(5, 3)}
    check(text.replace("float[T,", "float[5,"), fixed, steps=0)


def test_a_loop_over_a_sequence() -> None:
    text = """
    g (int64 n, float[N] x) => (seq(float[?]) y) <bool go = {1}> {
      none = SequenceEmpty<dtype = 1>()
      y = Loop (n, go, none) <
        body = b (int64 i, bool c, seq(float[?]) s) => (bool d, seq(float[?]) t) {
          d = Identity(c)  f = Cast<to = 1>(i)  r = Add(x, f)  t = SequenceInsert(s, r)
        }>
    }
    """
    made = program(text)
    y = made.run((np.array(3), f32(4)), (0,))[0]
    assert [v.shape for v in y] == [(4,)] * 3
    np.testing.assert_allclose(y[2], f32(4) + 2, rtol=1e-6)


def test_results_share_no_memory_with_feeds_or_each_other() -> None:
    text = """
    g (int64 n, float[N] x) => (float[N] y, float[N] z) <bool go = {1}> {
      y, z = Loop (n, go, x, x) <
        body = b (int64 i, bool c, float[N] s, float[N] t) => (bool d, float[N] s2, float[N] t2) {
          d = Identity(c)  s2 = Identity(s)  t2 = Identity(s)
        }>
    }
    """
    x = f32(4)
    for n in (0, 2):
        y, z = program(text).run((np.array(n), x), (0, 1))
        y += 1
        np.testing.assert_array_equal(z, x)
        np.testing.assert_array_equal(x, f32(4))


GROWING = """
g (int64 n, float[N] x) => (float[?] y, float[?] z) <bool go = {1}> {
  y, z = Loop (n, go, x) <
    body = b (int64 i, bool c, float[?] s) => (bool d, float[?] t, float r) {
      d = Identity(c)  t = Concat<axis = 0>(s, x)  [pick] r = Gather(x, i)
    }>
}
"""


def test_an_error_names_the_step_the_iteration_and_the_node() -> None:
    made = program(GROWING)
    assert made.run((np.array(2), f32(2)), (1,))[0].shape == (2,)
    with pytest.raises(RunError, match=r"Loop_\d+, iteration 3: .*pick.*out of range"):
        made.run((np.array(5), f32(3)), (0,))


FOR = """
g (int64 n, float[N, M] x, float[K] s, float[L] v) => (float[N, M] big, float[K] y, float[?] z)
<bool go = {1}> {
  big = Softmax(x)
  y, z = Loop (n, go, s) <
    body = b (int64 i, bool c, float[K] p) => (bool d, float[K] q, float r) {
      d = Identity(c)  [pick] r = Gather(v, i)  e = Tanh(p)  q = Add(e, r)
    }>
}
"""


def loop_feeds(n: int, rows: int, state: int) -> dict[str, Array]:
    return {"n": np.array(n), "x": f32(rows, 500), "s": f32(state), "v": f32(40)}


@pytest.mark.parametrize(("rows", "state"), [(600, 40), (3, 400_000), (600, 400_000), (3, 40)])
def test_a_loop_is_left_to_one_thread_if_it_does_little(rows: int, state: int) -> None:
    check(FOR, loop_feeds(40, rows, state), loop_feeds(1, rows, state), steps=0)
    for threads in (1, 2):
        made = program(FOR, threads)
        assert made.run(tuple(loop_feeds(0, rows, state).values()), (2,))[0].shape == (0,)
        for _ in range(3):
            with pytest.raises(RunError, match="pick: index 40 is out of range for an axis of size 40"):
                made.run(tuple(loop_feeds(41, rows, state).values()), (0, 1, 2))
            made.run(tuple(loop_feeds(2, rows, state).values()), (0, 1, 2))


def test_state_is_updated_in_place_only_where_nobody_reads_it_later() -> None:
    text = """
    g (int64 n, float[N] x, float[N] z) => (float[N] a, float[N] b, float[N] c, float[N] d, float[?, N] rows)
    <bool go = {1}, float half = {0.5}> {
      a, b, c, d, rows = Loop (n, go, x, z, x, z) <
        body = body (int64 i, bool g1, float[N] p, float[N] q, float[N] r, float[N] s) =>
          (bool g2, float[N] p2, float[N] q2, float[N] r2, float[N] s2, float[N] row) {
          g2 = Identity(g1)
          h = Mul(p, half)  e = Tanh(h)  p2 = Add(e, p)
          q2 = Sub(q, p2)
          u = Softmax<axis = 0>(r)  r2 = Mul(u, r)
          v = Mul(s, half)  s2 = Add(v, half)  row = Add(v, r)
        }>
    }
    """
    for k in (5, 70000):
        check(text, {"n": np.array(6), "x": f32(k), "z": f32(k, seed=1)}, steps=0, length=max(k, 64))


def test_loops_inside_loops() -> None:
    text = """
    g (int64 n, int64 m, float[N] x) => (float[N] y, float[?, N] rows) <bool go = {1}, float half = {0.5}> {
      y, rows = Loop (n, go, x) <
        body = b (int64 i, bool c, float[N] s) => (bool d, float[N] t, float[N] r) {
          d = Identity(c)  k = Exp(s)  one = Constant<value = int64 {1}>()  trips = Add(i, one)
          u = Loop (trips, c, s) <
            body = inner (int64 j, bool c2, float[N] p) => (bool d2, float[N] q) {
              d2 = Identity(c2)  h = Mul(p, half)  f = Cast<to = 1>(j)  v = Add(h, k)  w = Mul(v, half)
              q = Sub(w, f)
            }>
          t = Tanh(u)  r = Sub(t, x)
        }>
    }
    """
    check(text, *({"n": np.array(n), "m": np.array(2), "x": f32(k)} for n, k in ((4, 3), (6, 5000))), steps=0)


def test_a_while_loop_that_swaps_and_keeps_values() -> None:
    text = """
    g (float[2] a, float[2] b, float limit) => (float[2] x, float[2] y, float[2] z)
    <bool go = {1}, int64 most = {9223372036854775807}> {
      x, y, z = Loop (most, go, a, b, a) <
        body = w (int64 i, bool c, float[2] p, float[2] q, float[2] r) =>
          (bool d, float[2] p2, float[2] q2, float[2] r2) {
          p2 = Identity(q)  s = Add(p, q)  q2 = Identity(p)  r2 = Add(r, s)
          m = ReduceMax<keepdims = 0>(r2)  d = Less(m, limit)
        }>
    }
    """
    for limit in (0.0, 5.0, 100.0):
        feeds = {"a": np.array([1, 2], np.float32), "b": np.array([3, 5], np.float32)}
        check(text, {**feeds, "limit": np.array(limit, np.float32)}, steps=0)


def test_threads_share_a_program() -> None:
    made = program(LOOP, threads=2)
    wrong = []

    def work(seed: int) -> None:
        for size in (3, 8, 5):
            x = f32(size, seed=seed)
            state = x
            for i in range(6):
                state = state * np.float32(0.5) + np.exp(x) + i
            found = made.run((np.array(6), TRUE, x), (0,))[0]
            if not np.allclose(found, state, rtol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_scanned_inputs_of_different_lengths_are_refused() -> None:
    text = """
    g (float[2] s, float[T, 2] a, float[U, 2] b) => (float[2] s2, float[?, 2] u) {
      s2, u = Scan <num_scan_inputs = 2,
        body = body (float[2] s1, float[2] a1, float[2] b1) => (float[2] s3, float[2] u1) {
          s3 = Add(s1, a1)  u1 = Mul(s3, b1)
        }> (s, a, b)
    }
    """
    made = program(text, 1)
    made.run((f32(2), f32(4, 2), f32(4, 2)), (0, 1))
    for lengths in ((4, 3), (3, 4), (4, 1)):
        with pytest.raises((RunError, ShapeError), match="different|contradict|differ"):
            made.run((f32(2), *(f32(n, 2) for n in lengths)), (0, 1))
