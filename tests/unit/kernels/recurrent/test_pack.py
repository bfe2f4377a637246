"""Weights packed at run time are what those packed before are."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from sardonyx import targets
from sardonyx.base import dtype as dt
from sardonyx.base.abi import Context
from sardonyx.base.dtype import DType
from sardonyx.base.policy import Goal
from sardonyx.kernels.recurrent.pack import Pack, pack_ir, pack_symbol
from sardonyx.kernels.recurrent.sums import Panel
from tests.unit.kernels.native import guarded, strides
from tests.unit.objects import compiled, loaded

TARGET = targets.detect()


@pytest.mark.parametrize("dtype", [dt.F32, dt.F64, dt.F16, dt.BF16], ids=str)
@pytest.mark.parametrize(("units", "gates", "size"), [(1, 4, 5), (2, 2, 40), (4, 1, 16)])
@pytest.mark.parametrize("threads", [1, 3])
def test_layouts_agree(dtype: DType, units: int, gates: int, size: int, threads: int) -> None:
    compute = dt.F64 if dtype is dt.F64 else dt.F32
    panel = Panel.of(Goal(TARGET), "f64" if compute is dt.F64 else "f32", units, gates)
    r: Any = np.random.default_rng(size).standard_normal((2, size, gates * size)).astype(dtype.numpy)
    expected = panel.pack(r.astype(compute.numpy).reshape(2, size, gates, size))
    to, source = guarded(np.full(expected.shape, 7, compute.numpy), align=64), guarded(r)
    words = {Pack.FROM: source.ctypes.data, Pack.TO: to.ctypes.data, Pack.DIRECTIONS: 2, Pack.ROWS: size}
    words |= {Pack.UNITS: size, Pack.BLOCKS: units, Pack.GATES: gates, Pack.LANES: panel.lanes}
    words |= dict(zip((Pack.FROM_D, Pack.FROM_K, Pack.FROM_U), strides(r), strict=True))
    arguments = np.array([words[word] for word in Pack if word is not Pack.WORDS])
    image = loaded([compiled(pack_ir(dtype, TARGET), TARGET)], TARGET)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(image.address(pack_symbol(dtype)))
    for tid in range(threads):
        context = np.zeros(Context.WORDS, np.int64)
        context[Context.TID], context[Context.NTHREADS] = tid, threads
        function(arguments.ctypes.data, context.ctypes.data)
    assert np.array_equal(to, expected)
