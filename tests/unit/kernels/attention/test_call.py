"""Attention in the forms that exporters write becomes one call, right on every target."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import sardonyx
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import placeholder
from sardonyx.kernels.arguments import Attention
from sardonyx.kernels.attention.call import attention_call
from sardonyx.kernels.call import Address, Entry
from sardonyx.kernels.loops import Emissions
from sardonyx.targets.x86_64 import isa
from tests.runnable import runnable_targets
from tests.tolerance import assert_close

GOAL = Goal(isa.V3)
TARGETS = pytest.mark.parametrize("target", [*(t.name for t in runnable_targets()), "reference"])
FORMS = {
    "scaled": "a = Mul(s, c)",
    "divided, with a bias of keys": "n = Div(s, c) a = Add(n, m)",
    "causal by Trilu": "h = Shape(s) o = ConstantOfShape(h) l = Trilu<upper = 0>(o) a = Sub(s, l)",
    "hidden by Where": "z = Constant<value = float {-10000.0}>() g = Less(m, c) a = Where(g, s, z)",
    "capped": "n = Div(s, c) t = Tanh(n) a = Mul(t, c)",
    "causal by Range": (
        "h = Shape(s) i = Constant<value = int64[1] {2}>() j = Constant<value = int64[1] {3}>() "
        "u = Constant<value = int64 {1}>() w = Constant<value = int64 {0}>() "
        "rs = Gather(h, i) rt = Gather(h, j) r0 = Squeeze(rs) t0 = Squeeze(rt) "
        "ri = Range(w, r0, u) ti = Range(w, t0, u) uu = Constant<value = int64[1] {1}>() "
        "rr = Unsqueeze(ri, uu) g = LessOrEqual(ti, rr) z = Constant<value = float {-10000.0}>() "
        "a = Where(g, s, z)"
    ),
}
HEAD = (
    "g (float[B, 3, S, 24] q, float[B, 3, T, 24] k, float[B, 3, T, 40] v, float[B, 1, 1, T] m) => "
    "(float[B, 3, S, 40] y) { c = Constant<value = float {0.3}>() kt = Transpose<perm = [0, 1, 3, 2]>(k) "
    "s = MatMul(q, kt) "
)


def model(form: str, end: str = "p = Softmax<axis = -1>(a) y = MatMul(p, v)") -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 21]> {HEAD} {form} {end} }}'
    return onnx.parser.parse_model(text)


def feeds(batch: int, rows: int, total: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {"q": (3, rows, 24), "k": (3, total, 24), "v": (3, total, 40), "m": (1, 1, total)}
    drawn = {n: rng.standard_normal((batch, *s)).astype(np.float32) for n, s in shapes.items()}
    return {**drawn, "q": drawn["q"] / 4}


def session(proto: onnx.ModelProto, target: str) -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    return sardonyx.InferenceSession(proto.SerializeToString(), options)


@TARGETS
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_one_kernel(form: str, target: str) -> None:
    proto = model(FORMS[form])
    run = session(proto, target)
    assert "attention" in [note.kind for note in run.report.kernels]
    for sizes in ((1, 1, 70), (2, 19, 19), (1, 64, 33)):
        given = feeds(*sizes)
        assert_close(run.run(None, given)[0], ReferenceEvaluator(proto).run(None, given)[0], 128)


@TARGETS
def test_rows_that_are_not_numbers_are_told_apart(target: str) -> None:
    end = "p = Softmax<axis = -1>(a) n = IsNaN(p) z = Constant<value = float {0}>() w = Where(n, z, p)"
    proto = model("a = Add(s, m)", f"{end} y = MatMul(w, v)")
    given = feeds(2, 5, 40)
    given["m"][1] = -np.inf
    (result,) = session(proto, target).run(None, given)
    assert not result[1].any()
    with np.errstate(invalid="ignore"):
        assert_close(result, ReferenceEvaluator(proto).run(None, given)[0], 128)


def test_words_are_sizes_and_strides_of_the_operands_as_they_lie() -> None:
    n = dims.symbol("n")
    x = placeholder("x", dt.F32, (2, n, 3, 8))
    k, v = (placeholder(name, dt.F32, (1, 3, 5, 8)) for name in "kv")
    scores = x.transpose(0, 2, 1, 3).dot(k.transpose(0, 1, 3, 2))
    e = (scores - scores.reduce_max(3)).exp()
    fusion = partition(Graph((x, k, v), (("y", (e / e.sum(3)).dot(v)),)))
    (group,) = fusion.groups
    call, modules, tile = attention_call(group, fusion.places, GOAL, Emissions(GOAL.target))
    (symbol,) = modules
    assert tile is None
    words = {word: call.words[word] for word in Attention if word < Attention.EPILOGUE_WORDS}
    assert words[Attention.ROWS] == Entry(symbol)
    assert [words[w] for w in (Attention.M, Attention.T, Attention.D, Attention.E)] == [n, 5, 8, 8]
    assert [words[w] for w in (Attention.BATCH0, Attention.BATCH1)] == [2, 3]
    assert [words[w] for w in (Attention.Q_BATCH0, Attention.Q_BATCH1, Attention.Q_M)] == [24 * n, 8, 24]
    assert [words[w] for w in (Attention.K_BATCH0, Attention.K_BATCH1, Attention.K_D)] == [0, 40, 1]
    assert [words[w] for w in (Attention.V_T, Attention.V_E, Attention.Y_M)] == [8, 1, 8]
    assert isinstance(words[Attention.Y], Address)
    assert (call.kind, len(call.reads), len(call.writes)) == ("attention", 3, 1)


SHARED = """<ir_version: 10, opset_import: ["" : 21]>
g (float[B, 6, S, 24] q, float[B, 2, P, 24] before, float[B, 2, S, 24] now, float[B, 2, T, 40] v,
    float[B, 1, S, T] m) => (float[B, 6, S, 40] y, float[B, 2, T, 24] k) {
    k = Concat<axis = 2>(before, now)
    zero = Constant<value = int64[1] {0}>() one = Constant<value = int64[1] {1}>()
    two = Constant<value = int64[1] {2}>() three = Constant<value = int64[1] {3}>()
    six = Constant<value = int64[1] {6}>()
    hk = Shape(k) b = Slice(hk, zero, one) tk = Shape<start = 2>(k) tv = Shape<start = 2>(v)
    ku = Unsqueeze(k, two) ks = Concat<axis = 0>(b, two, three, tk) ke = Expand(ku, ks)
    kh = Concat<axis = 0>(b, six, tk) kr = Reshape(ke, kh) kt = Transpose<perm = [0, 1, 3, 2]>(kr)
    vu = Unsqueeze(v, two) vs = Concat<axis = 0>(b, two, three, tv) ve = Expand(vu, vs)
    vh = Concat<axis = 0>(b, six, tv) vr = Reshape(ve, vh)
    s = MatMul(q, kt) c = Constant<value = float {0.2}>() l = Mul(s, c) w = Add(l, m)
    p = Softmax<axis = -1>(w) y = MatMul(p, vr)
}"""


@TARGETS
def test_heads_that_share_keys_are_one_kernel_and_repeat_nothing(target: str) -> None:
    proto = onnx.parser.parse_model(SHARED)
    run = session(proto, target)
    assert "attention" in [note.kind for note in run.report.kernels]
    assert not any("broadcast" in note.plan for note in run.report.kernels)
    rng = np.random.default_rng(0)
    for batch, rows, past in ((1, 1, 40), (2, 7, 9), (1, 33, 0)):
        shapes = {"q": (6, rows, 24), "before": (2, past, 24), "now": (2, rows, 24)}
        shapes |= {"v": (2, past + rows, 40), "m": (1, rows, past + rows)}
        given = {n: rng.standard_normal((batch, *s)).astype(np.float32) for n, s in shapes.items()}
        for got, exact in zip(run.run(None, given), ReferenceEvaluator(proto).run(None, given), strict=True):
            assert_close(got, exact, 128)


@TARGETS
@pytest.mark.parametrize("groups", [1, 2])
def test_the_operator_with_shared_keys_is_one_kernel(groups: int, target: str) -> None:
    text = f"""<ir_version: 11, opset_import: ["" : 23]>
    g (float[B, 4, S, 16] q, float[B, {groups}, T, 16] k, float[B, {groups}, T, 24] v)
        => (float[B, 4, S, 24] y) {{ y = Attention<is_causal = 1>(q, k, v) }}"""
    proto = onnx.parser.parse_model(text)
    run = session(proto, target)
    assert "attention" in [note.kind for note in run.report.kernels]
    rng = np.random.default_rng(0)
    for batch, rows in ((1, 1), (2, 9)):
        shapes = {"q": (4, rows, 16), "k": (groups, rows, 16), "v": (groups, rows, 24)}
        given = {n: rng.standard_normal((batch, *s)).astype(np.float32) for n, s in shapes.items()}
        assert_close(run.run(None, given)[0], ReferenceEvaluator(proto).run(None, given)[0], 128)
