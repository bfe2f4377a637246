"""A matrix product becomes one call: its words are sizes and strides of the operands as they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dim as dims
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.errors import CompileError
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph
from sardonyx.ir.value import Value, const, placeholder
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, Entry, NativeCall
from sardonyx.kernels.loops import Emissions
from sardonyx.kernels.product.call import dot_call

GOAL = Goal(targets.detect())
N = dims.symbol("n")


def call_of(result: Value, *inputs: Value) -> tuple[NativeCall, dict[str, str]]:
    fusion = partition(Graph(inputs, (("y", result),)))
    (group,) = (g for g in fusion.groups if g.kind == "contract")
    return dot_call(group, fusion.places, GOAL, Emissions(GOAL.target))


def word(call: NativeCall, *names: Gemm) -> list[Any]:
    return [call.words[name] for name in names]


def x(*shape: Any, dtype: dt.DType = dt.F32) -> Value:
    return placeholder("x", dtype, shape)


def test_a_constant_is_packed_and_its_end_stays_in_registers() -> None:
    a, w = x(N, 6), const(np.ones((6, 5), np.float32))
    call, modules = call_of((a.dot(w) + const(np.ones(5, np.float32))).max(0), a)
    assert (call.symbol, modules) == ("sdx_gemm_f32", {})
    assert word(call, Gemm.M, Gemm.N, Gemm.K, Gemm.A_M, Gemm.A_K) == [N, 5, 6, 6, 1]
    assert word(call, Gemm.BATCH0, Gemm.BATCH1, Gemm.FINISH, Gemm.LOW) == [1, 1, 1, 0]
    assert [s.kind for s in call.reads] == ["input", "packed", "const"]
    assert call.work == N * 5 * 6 * 2
    assert isinstance(call.words[Gemm.BIAS], Address)


def test_a_batch_of_single_rows_is_one_product() -> None:
    a, w = x(N, 1, 6), const(np.ones((1, 6, 5), np.float32))
    call, _ = call_of(a.dot(w), a)
    assert word(call, Gemm.M, Gemm.BATCH0, Gemm.BATCH1, Gemm.A_M) == [N, 1, 1, 6]


@pytest.mark.parametrize(("batch", "length"), [(1, 40), (3, 40), (N, 400), (N, dims.symbol("t"))])
def test_rows_run_along_the_longest_axis_that_weights_do_not_follow(batch: Any, length: Any) -> None:
    a, w = x(batch, length, 6), const(np.ones((6, 5), np.float32))
    call, _ = call_of(a.transpose(1, 0, 2).dot(w), a)
    assert word(call, Gemm.M, Gemm.A_M, Gemm.BATCH1) == [length, 6, batch]


def test_rows_stay_where_the_other_operand_follows_a_longer_axis() -> None:
    a, b = x(3, 40, 6), placeholder("b", dt.F32, (40, 6, 5))
    call, _ = call_of(a.transpose(1, 0, 2).dot(b), a, b)
    assert word(call, Gemm.M, Gemm.BATCH1) == [3, 40]


def test_another_end_is_a_function() -> None:
    a, w = x(N, 6), const(np.ones((6, 5), np.float32))
    call, modules = call_of(a.dot(w).exp(), a)
    (symbol,) = modules
    assert call.words[Gemm.EPILOGUE] == Entry(symbol)
    assert len(call.words) > Gemm.EPILOGUE_WORDS, "its own words follow"
    assert isinstance(call.words[Gemm.C], Address), "results that lie as sums do may be asked for"
    assert word(call, Gemm.C_M, Gemm.C_BATCH0, Gemm.C_BATCH1) == [5, 0, 0]


@pytest.mark.parametrize("to", [dt.F16, dt.F64, dt.BOOL])
def test_results_of_other_sizes_than_sums_are_not_asked_for(to: dt.DType) -> None:
    a, w = x(N, 6), const(np.ones((6, 5), np.float32))
    call, _ = call_of(a.dot(w).exp().cast(to), a)
    assert call.words[Gemm.C] == 0


def test_an_operand_is_read_as_it_lies() -> None:
    a, b = x(4, 6, dtype=dt.F64), x(5, 6, dtype=dt.F64)
    call, _ = call_of(a.dot(b.transpose(1, 0)), a, b)
    assert call.symbol == "sdx_gemm_dynamic_f64"
    assert word(call, Gemm.B_K, Gemm.B_N) == [1, 6]


def test_batches_merge_and_broadcast() -> None:
    a, b = x(2, 3, 4, 6), x(1, 1, 6, 5)
    call, _ = call_of(a.dot(b), a, b)
    assert word(call, Gemm.BATCH0, Gemm.BATCH1, Gemm.M) == [1, 1, 24], "rows of all batches run on"
    c = x(2, 3, 6, 5)
    call, _ = call_of(a.dot(c), a, c)
    assert word(call, Gemm.BATCH0, Gemm.BATCH1, Gemm.M, Gemm.A_BATCH1, Gemm.B_BATCH1) == [1, 6, 4, 24, 30]
    d = x(1, 3, 6, 5)
    call, _ = call_of(a.dot(d), a, d)
    assert word(call, Gemm.BATCH0, Gemm.BATCH1, Gemm.B_BATCH0, Gemm.B_BATCH1) == [2, 3, 0, 30]


def test_three_batch_axes_that_do_not_merge_are_refused() -> None:
    a, b = x(2, 2, 3, 4, 6), x(2, 1, 3, 6, 5)
    with pytest.raises(CompileError, match="3 batch axes cannot be merged"):
        call_of(a.dot(b), a, b)
