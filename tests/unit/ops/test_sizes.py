"""Sizes of results over unknown sizes: in one normal form, so that later stages can prove them equal."""

from __future__ import annotations

import pytest

from sardonyx.frontend import load
from tests.unit.frontend.models import parsed, shapes


def sliced(start: int, end: int, step: int) -> str:
    """The text of y = x[start:end:step]."""
    parts = {"i": start, "e": end, "a": 0, "t": step}
    constants = " ".join(f"{name} = Constant<value_ints = [{value}]>()" for name, value in parts.items())
    return f"{constants} y = Slice(x, i, e, a, t)"


def with_ints(numbers: list[int], call: str) -> str:
    """The text of a call with a vector `v` of numbers."""
    return f"v = Constant<value_ints = {numbers}>() y = {call}"


FAR = 2**63 - 1
RANGE = """
    n = Size(x)
    o = Constant<value_int = 0>()
    d = Constant<value_int = 2>()
    y = Range(o, n, d)
"""
STRIDED = """
    s = Shape(x)
    o = Constant<value_ints = [1]>()
    t = Constant<value_ints = [2]>()
    m = Sub(s, o)
    h = Div(m, t)
    k = Add(h, o)
    y = ConstantOfShape(k)
"""
CASES = (
    ("all but the first", "float[N] x", sliced(1, FAR, 1), "N-1"),
    ("all but the last", "float[N] x", sliced(0, -1, 1), "N-1"),
    ("the last", "float[N] x", sliced(-1, 2**31 - 1, 1), "1"),
    ("reversed", "float[N] x", sliced(-1, -FAR, -1), "N"),
    ("every other", "float[N] x", sliced(0, FAR, 2), "floordiv(N+1, 2)"),
    ("heads", "float[B,T,512] x", with_ints([0, 0, 8, 64], "Reshape(x, v)"), "B,T,8,64"),
    ("the rest", "float[B,T,512] x", with_ints([-1, 64], "Reshape(x, v)"), "8*B*T,64"),
    ("the whole", "float[B,T,H] x", with_ints([-1], "Reshape(x, v)"), "B*H*T"),
    ("halves", "float[N,6] x", "y, z = Split<axis = 1, num_outputs = 2>(x)", "N,3"),
    ("joined", "float[N,T] x", "y = Concat<axis = 1>(x, x, x)", "N,3*T"),
    ("padded", "float[N,T] x", with_ints([0, 1, 0, 2], "Pad(x, v)"), "N,T+3"),
    ("reflected", "float[N,T] x", with_ints([0, 1, 0, 2], 'Pad<mode = "reflect">(x, v)'), "N,T+3"),
    ("tiled", "float[N,T] x", with_ints([2, 3], "Tile(x, v)"), "2*N,3*T"),
    ("expanded", "float[N,1] x", with_ints([3, 1, 5], "Expand(x, v)"), "3,N,5"),
    ("flattened", "float[N,C,H] x", "y = Flatten(x)", "N,C*H"),
    ("blocks", "float[N,C,H,W] x", "y = DepthToSpace<blocksize = 2>(x)", "N,floordiv(C, 4),2*H,2*W"),
    ("a product", "float[N,K] x", "t = Transpose(x) y = MatMul(x, t)", "N,N"),
    ("a sum of products", "float[N,K] x", 'y = Einsum<equation = "ik,jk->ij">(x, x)', "N,N"),
    ("kept", "float[N,K] x", with_ints([1], "ReduceMax(x, v)"), "N,1"),
    ("a range", "float[N] x", RANGE, "floordiv(N+1, 2)"),
    ("residual of a stride", "float[N] x", STRIDED, "floordiv(N+1, 2)"),
)


@pytest.mark.parametrize(
    ("inputs", "body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_size(inputs: str, body: str, expected: str) -> None:
    kind = "int64" if "Range(" in body else "float"
    assert shapes(parsed(f"g ({inputs}) => ({kind}[?] y) {{ {body} }}"))[0] == expected


def test_a_part_cut_to_fit_broadcasts_to_the_whole() -> None:
    """Position embeddings: min(T, 512) rows can only be added to T rows where both are T."""
    model = parsed("""
        g (float[T,8] x, float[512,8] table) => (float[?] y) {
            s = Shape<start = 0, end = 1>(x)
            o = Constant<value_ints = [0]>()
            p = Slice(table, o, s)
            y = Add(x, p)
        }""")
    assert shapes(model) == ["T,8"]


def test_residual_sums_of_pooled_images_agree() -> None:
    """Twice the quarter and the half of an image whose halves are rounded up."""
    model = parsed("""
        g (float[1,1,H,W] x) => (float[?] y) {
            a = MaxPool<kernel_shape = [1, 1], strides = [2, 2]>(x)
            b = MaxPool<kernel_shape = [1, 1], strides = [2, 2]>(a)
            e = Constant<value_floats = [1.0, 1.0, 2.0, 2.0]>()
            u = Resize(b, , e)
            y = Add(a, u)
        }""")
    height = load(model).graph.outputs[0][1].shape[2]
    assert str(height) == "2*floordiv(H+3, 4)"


def test_computed_sizes_keep_what_is_known() -> None:
    model = parsed("""
        g (float[N,12] x, int64[1] n) => (float[?] y) {
            two = Constant<value_ints = [2]>()
            rest = Constant<value_ints = [-1]>()
            m = Mul(n, two)
            to = Concat<axis = 0>(two, m, rest)
            y = Reshape(x, to)
        }""")
    (value,) = (v for _, v in load(model).graph.outputs)
    assert value.shape[0] == 2
    assert str(value.shape[1]).startswith("2*")
