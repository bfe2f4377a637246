"""Matrices packed in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.compression.few_bits import quantized
from sardonyx.compression.scope import every_graph, forget_unused_weights
from tests.unit.compression.models import drawn, error, kinds, model, two_layers, with_bodies

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[N, 70] x) => (float[N, 24] y) { a = MatMul (x, w)  y = Gemm (a, v, c) }"""


def _net(bias: tuple[int, ...] = (24,)) -> object:
    return model(TEXT, w=drawn(70, 48), v=drawn(48, 24, seed=1), c=drawn(*bias, seed=2))


@pytest.mark.parametrize(("bits", "bound"), [(4, 0.2), (8, 0.02)])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("block", [16, 32])
def test_matrices_in_blocks(bits: int, bound: float, symmetric: bool, block: int) -> None:
    original, made = _net(), _net()
    assert quantized(made, bits=bits, symmetric=symmetric, block=block) == ["a", "y"]
    forget_unused_weights(made.graph)
    assert kinds(made) == ["MatMulNBits", "MatMulNBits"]
    assert error(made, original, {"x": drawn(3, 70, seed=7)}) < bound
    assert made.ByteSize() < original.ByteSize() * (bits / 32 + 0.2)


@pytest.mark.parametrize("bias", [(1,), (24, 1)])
def test_a_bias_that_is_no_row_is_added_after(bias: tuple[int, ...]) -> None:
    original, made = _net(bias), _net(bias)
    quantized(made, bits=8)
    assert kinds(made) == ["MatMulNBits", "MatMulNBits", "Add"]
    assert error(made, original, {"x": drawn(24, 70, seed=7)}) < 0.02


def test_a_matrix_is_packed_once_for_all_that_read_it() -> None:
    original, made = with_bodies(), with_bodies()
    assert quantized(made, bits=8) == ["p", "h"]
    forget_unused_weights(made.graph)
    assert sorted(len(graph.initializer) for graph in every_graph(made.graph)) == [0, 0, 3]
    assert error(made, original, {"x": drawn(4, 32), "c": np.array(True)}) < 0.02


def test_matrices_of_endless_numbers_stay() -> None:
    weight = drawn(70, 48)
    weight[3, 4] = np.nan
    made = model(TEXT, w=weight, v=drawn(48, 24, seed=1), c=drawn(24, seed=2))
    assert quantized(made) == ["y"]
    assert quantized(_net(), kinds=("MatMul",)) == ["a"]


def test_left_alone() -> None:
    assert quantized(_net(), ("a",)) == ["y"]
    assert quantized(two_layers()) == ["a"]
