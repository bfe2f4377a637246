"""Calls that contradict the definition end in a typed error, whether sizes are declared or only fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest

from tests.property.operators.check import GRAPH, NATIVE, REFUSALS

Shape = tuple[int, ...]
RUNNERS = {"graph": GRAPH["graph"], "native": NATIVE["native, 1 thread"]}


class Refused(NamedTuple):
    """A body in ONNX's syntax over inputs x, z, ... of these shapes."""

    body: str
    shapes: tuple[Shape, ...]


def with_ints(numbers: list[int], call: str) -> str:
    """The text of a call with a vector `v` of numbers."""
    return f"v = Constant<value_ints = {numbers}>() y = {call}"


CASES = (
    Refused("y = Add(x, z)", ((2, 3), (2, 4))),
    Refused("y = Add(x, z)", ((0,), (2, 3))),
    Refused("y = Mul(x, z)", ((2, 3), (0,))),
    Refused("c = Constant<value = float[0] {}>() y = Add(x, c)", ((2, 3),)),
    Refused("b = Less(x, z) y = Where(b, x, z)", ((0, 3), (2, 3))),
    Refused("y = MatMul(x, z)", ((0, 3), (2, 3))),
    Refused("y = MatMul(x, z)", ((0, 2, 3), (2, 3, 2))),
    Refused("y = Gemm(x, z)", ((0, 3), (2, 3))),
    Refused("c = Constant<value = float[1, 0] {}>() y = Concat<axis = 0>(x, c)", ((2, 2),)),
    # What only asserts a size, is read for its shape alone, or not at all, must hold all the same.
    Refused("v = Constant<value_ints = [6]>() q = Reshape(x, v) h = Shape(x) y = Reshape(q, h)", ((2, 2),)),
    Refused("q = Add(x, z) h = Shape(q) y = ConstantOfShape(h)", ((2, 3), (2, 2))),
    Refused("q = MatMul(x, z) h = Shape(q) y = ConstantOfShape(h)", ((2, 3), (2, 3))),
    Refused("q = Concat<axis = 0>(x, z) h = Shape(q) y = ConstantOfShape(h)", ((2, 3), (2, 2))),
    Refused("q = Add(x, z) y = Identity(x)", ((2, 3), (2, 2))),
    Refused("b = Less(x, z) y = Where(b, x, w)", ((2, 3), (1, 3), (4, 3))),
    Refused("y = Max(x, z)", ((3,), (2,))),
    Refused("y = PRelu(x, z)", ((2, 3), (2,))),
    Refused("y = MatMul(x, z)", ((2, 3), (4, 2))),
    Refused("y = MatMul(x, z)", ((2, 2, 3), (3, 3, 2))),
    Refused("y = MatMul(x, z)", ((), (3,))),
    Refused("y = Gemm(x, z)", ((2, 3), (2, 3))),
    Refused("y = Gemm(x, z, w)", ((2, 3), (3, 4), (3,))),
    Refused('y = Einsum<equation = "ij,jk->ik">(x, z)', ((2, 3), (4, 2))),
    Refused('y = Einsum<equation = "ij->i">(x)', ((2, 3, 4),)),
    Refused("s = Cast<to = 8>(x) t = StringNormalizer(s) y = Cast<to = 1>(t)", ((2, 2),)),
    Refused("y = Det(x)", ((2, 3),)),
    Refused("y = Concat<axis = 0>(x, z)", ((2, 3), (2, 4))),
    Refused("y = Concat<axis = 2>(x, z)", ((2, 3), (2, 3))),
    Refused(with_ints([5, 2], "Reshape(x, v)"), ((2, 3),)),
    Refused(with_ints([-1, -1], "Reshape(x, v)"), ((2, 3),)),
    Refused(with_ints([4, -1], "Reshape(x, v)"), ((2, 3),)),
    Refused(with_ints([2, 4], "Expand(x, v)"), ((2, 3),)),
    Refused(with_ints([2], "Tile(x, v)"), ((2, 3),)),
    Refused("y = Transpose<perm = [0, 0]>(x)", ((2, 3),)),
    Refused("y = Transpose<perm = [0]>(x)", ((2, 3),)),
    Refused(with_ints([0], "Squeeze(x, v)"), ((2, 3),)),
    Refused(with_ints([0, 0], "Unsqueeze(x, v)"), ((2, 3),)),
    Refused(with_ints([2], "ReduceSum(x, v)"), ((2, 3),)),
    Refused("y = Softmax<axis = 2>(x)", ((2, 3),)),
    Refused("y = ArgMax<axis = -3>(x)", ((2, 3),)),
    Refused(with_ints([1, 3], "Pad(x, v)"), ((2, 3),)),
    Refused(with_ints([-2, 0, -1, 0], "Pad(x, v)"), ((2, 3),)),
    Refused("v = Constant<value_ints = [1, 3]>() y, w = Split<axis = 1>(x, v)", ((2, 3),)),
    Refused("y = ConvTranspose<strides = [2, 2, 2]>(x, z)", ((1, 1, 3, 3), (1, 1, 2, 2))),
    Refused("y = ConvTranspose<dilations = [2]>(x, z)", ((1, 1, 3, 3), (1, 1, 2, 2))),
    Refused("y = ConvTranspose<output_shape = [5]>(x, z)", ((1, 1, 3, 3), (1, 1, 2, 2))),
    Refused("d = Constant<value_int = 3>() i = Cast<to = 7>(x) y = OneHot(i, d, x)", ((2, 2),)),
    Refused("d = Constant<value_int = 3>() i = Cast<to = 7>(x) y = OneHot(i, d, x)", ((1,),)),
    Refused("d = Constant<value_int = 3>() i = Cast<to = 7>(x) y = OneHot(i, d, z)", ((), (2,))),
    Refused("k = Constant<value_ints = [4]>() y, i = TopK(x, k)", ((2, 3),)),
    Refused("y = DepthToSpace<blocksize = 2>(x)", ((1, 3, 2, 2),)),
    Refused("y = SpaceToDepth<blocksize = 2>(x)", ((1, 3, 3, 2),)),
    Refused("i = Constant<value_ints = [3]>() y = Gather<axis = 1>(x, i)", ((2, 3),)),
    Refused("i = Constant<value_ints = [0]>() y = GatherElements(x, i)", ((2, 3),)),
    Refused("i = Constant<value_ints = [0, 0, 0]>() y = GatherND(x, i)", ((2, 3),)),
    Refused("i = Constant<value_ints = [0]>() y = ScatterND(x, i, z)", ((2, 3), (2,))),
    Refused("c = Constant<value_floats = [2.0]>() i = Cast<to = 7>(x) y = Gather(c, i)", ((3,),)),
    Refused("c = Constant<value_floats = [2.0]>() i = Cast<to = 7>(x) y = GatherElements(c, i)", ((3,),)),
    Refused("s = Constant<value_int = -2>() n = Constant<value_int = 4>() y = STFT(x, s, , n)", ((1, 16),)),
    Refused("s = Constant<value_int = 2>() n = Constant<value_int = 32>() y = STFT(x, s, , n)", ((1, 16),)),
    Refused("s = Constant<value_int = 2>() n = Constant<value_int = 0>() y = STFT(x, s, , n)", ((1, 16),)),
    Refused("s = Constant<value_int = 2>() n = Identity(s) y = STFT(x, s, z, n)", ((1, 16), (4,))),
    Refused("s = Constant<value_int = 2>() y = STFT(x, s, z)", ((16,), (4,))),
    Refused("o = Constant<value_int = 0>() s = Cast<to = 7>(x) y = Range(o, s, o)", ((),)),
)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "fed"])
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("case", CASES, ids=[f"{c.body} of {c.shapes}" for c in CASES])
def test_refused(case: Refused, runner: str, declared: bool) -> None:
    feeds = {n: np.ones(s, np.float32) for n, s in zip("xzw", case.shapes, strict=False)}
    inputs = ", ".join(
        f"float[{', '.join(str(k) if declared else f'{n}_{axis}' for axis, k in enumerate(a.shape))}] {n}"
        for n, a in feeds.items()
    ).replace("float[]", "float")
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({inputs}) => (float[?] y) {{ {case.body} }}'
    )
    model.graph.output[0].ClearField("type")
    run: Callable[..., list[Any]] = RUNNERS[runner]
    with pytest.raises(REFUSALS):
        run(model.SerializeToString(), feeds)
