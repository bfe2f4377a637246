"""Conditions on sizes hold: of values that are gone, of bodies, of models that only the empty fits."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from tests.property.operators.check import REFUSALS
from tests.unit.frontend.models import parsed

TARGETS = ("", "reference")
ASSERTS = "s = Constant<value_ints = [6]>() q = Reshape(x, s) h = Shape(x) {0} = Reshape(q, h)"


def session(text: str, target: str = "", imports: str = "") -> sardonyx.InferenceSession:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", target)
    return sardonyx.InferenceSession(parsed(text, imports=imports).SerializeToString(), options)


@pytest.mark.parametrize("target", TARGETS)
def test_a_branch_asserts_sizes_only_if_it_is_taken(target: str) -> None:
    made = session(
        f"""g (float[N,M] x, bool c) => (float[N,M] y) {{ y = If(c) <
        then_branch = t () => (float[N,M] a) {{ {ASSERTS.format("a")} }},
        else_branch = e () => (float[N,M] b) {{ b = Neg(x) }}> }}""",
        target,
    )
    fits, contradicts = np.ones((2, 3), np.float32), np.ones((2, 2), np.float32)
    yes, no = np.array(True), np.array(False)
    for _ in range(2):
        assert made.run(None, {"x": fits, "c": yes})[0].sum() == 6
        assert made.run(None, {"x": contradicts, "c": no})[0].sum() == -4
        with pytest.raises(REFUSALS, match=r"cannot reshape|do not fit|contradict"):
            made.run(None, {"x": contradicts, "c": yes})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("trips", [2, 50])
def test_a_body_of_a_loop_asserts_sizes(trips: int, target: str) -> None:
    made = session(
        f"""g (float[N,M] z) => (float[N,M] y) {{
        n = Constant<value_int = {trips}>()
        y = Loop(n, , z) <body = b (int64 i, bool c, float[N,M] x) => (bool d, float[N,M] v) {{
            d = Identity(c) {ASSERTS.format("w")} v = Neg(w) }}> }}""",
        target,
    )
    assert made.run(None, {"z": np.ones((3, 2), np.float32)})[0].sum() == 6
    with pytest.raises(REFUSALS, match=r"cannot reshape|do not fit|contradict"):
        made.run(None, {"z": np.ones((2, 2), np.float32)})


@pytest.mark.parametrize("target", TARGETS)
def test_sizes_that_are_found_while_running_are_compared(target: str) -> None:
    made = session(
        """g (float[N] x) => (float[K] y, int64[1] n) {
        i = NonZero(x) r = Constant<value_ints = [-1]>() j = Reshape(i, r) y = Gather(x, j)
        s = Constant<value_ints = [2]>() q = Reshape(y, s) n = Shape(q) }""",
        target,
    )
    assert made.run(None, {"x": np.array([0, 4, 5], np.float32)})[0].tolist() == [4, 5]
    with pytest.raises(REFUSALS, match="cannot reshape"):
        made.run(None, {"x": np.array([3, 4, 5], np.float32)})


FLAT = "o = Constant<value_ints = [1, 1]>() t = Mul(s, o) q = Reshape(x, t) n = Constant<value_ints = [6]>()"
COMPUTED = {
    "alone": f"g (float[2,3] x, int64[2] s) => (float[6] y) {{ {FLAT} y = Reshape(q, n) }}",
    "in a body": f"""g (float[2,3] x, int64[2] s) => (float[6] y) {{ m = ReduceMax<keepdims = 0>(x)
        z = Constant<value_float = 0.0>() c = Greater(m, z) y = If(c) <
        then_branch = t () => (float[6] a) {{ {FLAT} a = Reshape(q, n) }},
        else_branch = e () => (float[6] b) {{ k = Constant<value_ints = [6]>() b = Reshape(x, k) }}> }}""",
    "around a body": f"""g (float[2,3] x, int64[2] s) => (float[6] y) {{ {FLAT}
        z = Constant<value_float = 0.0>() m = ReduceMax<keepdims = 0>(x) c = Greater(m, z) y = If(c) <
        then_branch = t () => (float[6] a) {{ a = Reshape(q, n) }},
        else_branch = e () => (float[6] b) {{ k = Constant<value_ints = [6]>() b = Reshape(x, k) }}> }}""",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("text", COMPUTED.values(), ids=COMPUTED)
def test_a_computed_size_that_nothing_is_left_of_is_still_compared(text: str, target: str) -> None:
    made, x = session(text, target), np.ones((2, 3), np.float32)
    for _ in range(2):
        assert made.run(None, {"x": x, "s": np.array([6, 1])})[0].shape == (6,)
        with pytest.raises(REFUSALS, match="cannot reshape"):
            made.run(None, {"x": x, "s": np.array([4, 2])})


SUM = '<domain: "f", opset_import: ["" : 21]> sum (a, b) => (s) { s = Add(a, b) }'
UNREAD = {
    "alone": "q = Add(x, z) y = Neg(x)",
    "in a branch": """y = If(c) <then_branch = t () => (float[N] a) { q = Add(x, z) a = Neg(x) },
        else_branch = e () => (float[N] b) { q = Add(x, z) b = Neg(x) p = Neg(b) }>""",
    "in a loop": """n = Constant<value_int = 2>() y = Loop(n, , x) <
        body = l (int64 i, bool o, float[N] s) => (bool p, float[N] r) {
        p = Identity(c) q = Add(x, z) r = Neg(s) }>""",
    "in a function": "q = f.sum(x, z) y = Neg(x)",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("nodes", UNREAD.values(), ids=UNREAD)
def test_fed_sizes_are_compared_even_if_no_output_comes_from_them(nodes: str, target: str) -> None:
    made = session(
        f"g (float[N] x, float[M] z, bool c) => (float[N] y) {{ {nodes} }} {SUM}", target, ', "f" : 1'
    )
    x, true = np.ones(3, np.float32), np.array(True)
    for fits in (x, x[:1]):
        assert made.run(None, {"x": x, "z": fits, "c": true})[0].shape == (3,)
    with pytest.raises(REFUSALS, match="do not broadcast"):
        made.run(None, {"x": x, "z": x[:2], "c": true})


@pytest.mark.parametrize("target", TARGETS)
def test_computed_sizes_that_no_output_comes_from_are_not_compared(target: str) -> None:
    unread = f"g (float[2,3] x, int64[2] s) => (float[2,3] y) {{ {FLAT} y = Neg(x) }}"
    (y,) = session(unread, target).run(None, {"x": np.ones((2, 3), np.float32), "s": np.array([4, 2])})
    assert y.sum() == -6


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ("c = Constant<value = float[1,0] {}>() y = Concat<axis = 0>(x, c)", (3, 0)),
        ("c = Constant<value = float[0,5] {}>() y = MatMul(x, c)", (2, 5)),
        ("s = Constant<value_ints = [7, 0, 2]>() y = Reshape<allowzero = 1>(x, s)", (7, 0, 2)),
    ],
)
def test_a_model_that_fits_nothing_but_the_empty(nodes: str, shape: tuple[int, ...], target: str) -> None:
    made = session(f"g (float[N,M] x) => (float[?] y) {{ {nodes} }}", target)
    for _ in range(2):
        (y,) = made.run(None, {"x": np.ones((2, 0), np.float32)})
        assert y.shape == shape
        assert not y.any()
        with pytest.raises(REFUSALS):
            made.run(None, {"x": np.ones((2, 3), np.float32)})


def test_what_fits_no_size_is_refused_when_it_is_read() -> None:
    with pytest.raises(REFUSALS, match="join"):
        session("g (float[N,3] x, float[1,0] z) => (float[?] y) { y = Concat<axis = 0>(x, z) }")
