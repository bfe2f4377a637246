"""Everything that stages hand on can be printed, checked and measured."""

from __future__ import annotations

import pytest

from sardonyx.base.dtype import F32
from sardonyx.compiler.tracing import views
from sardonyx.errors import CompileError
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import placeholder
from sardonyx.kernels.call import NativeCall
from sardonyx.loops.nest import Affine, Axis, Buffer, Kernel, Reduced, Store


def test_a_graph_is_printed_and_measured_by_its_values() -> None:
    x = placeholder("x", F32, (4,))
    graph = Graph((x,), (("y", x * x),))
    view = views()[Graph]
    assert view.size(graph) == len(graph.order())
    assert "mul" in view.text(graph)


def test_a_call_shows_its_loops_or_its_plan() -> None:
    view = views()[NativeCall]
    assert view.text(NativeCall("gemm", (), (), (), ("MatMul_1",), kind="product", plan="by tiles")) == (
        "gemm: product by tiles  # MatMul_1"
    )
    axis, buffer = Axis("i", 4), Buffer("b", F32, "out", object())
    stored = Store(buffer, Affine(0, ((axis, 1),)), (), Reduced("r0", F32, frozenset()))
    kernel = Kernel("copy", (axis,), (stored,), ("Sum_1",))
    assert "Sum_1" in view.text(NativeCall("k1", (), (), (), kernel=kernel))


def test_a_kernel_that_reads_what_is_not_computed_is_refused() -> None:
    axis, buffer = Axis("i", 4), Buffer("b", F32, "out", object())
    stored = Store(buffer, Affine(0, ((axis, 1),)), (), Reduced("r0", F32, frozenset()))
    verify = views()[NativeCall].verify
    assert verify is not None
    with pytest.raises(CompileError):
        verify(NativeCall("k1", (), (), (), kernel=Kernel("copy", (axis,), (stored,), ())))
