"""Which products look at their numbers: those of many columns whose weights are too large for pairs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import sardonyx
from sardonyx.base import dtype as dt
from sardonyx.base.policy import Goal
from sardonyx.ir.place import Storage
from sardonyx.ir.value import const, placeholder
from sardonyx.kernels.arguments import Gemm
from sardonyx.kernels.call import Address, NativeCall
from sardonyx.kernels.outliers.call import outlier_call
from sardonyx.targets.x86_64 import isa
from tests.runnable import need

CASES = {"any": (130, 128), "small": (130, 24), "few columns": (48, 128)}
BY = {"any": "i8pairs", "small": "i8 ", "few columns": "i16"}


@pytest.mark.parametrize("case", CASES)
def test_products_by_weights(case: str, rng: np.random.Generator) -> None:
    need(isa.V3)
    columns, most = CASES[case]
    w = rng.integers(-most, most, (64, columns)).astype(np.int8)
    text = f"net (uint8[M, 64] a) => (int32[M, {columns}] y) {{ y = MatMulInteger(a, w) }}"
    proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 20]> {text}')
    proto.graph.initializer.append(numpy_helper.from_array(w, "w"))
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", isa.V3.name)
    made = sardonyx.InferenceSession(proto.SerializeToString(), options)
    (note,) = (note for note in made.report.kernels if note.kind == "gemm")
    assert note.arithmetic.startswith(BY[case])
    assert note.arithmetic.endswith("any weights") == (case == "any")
    a = rng.integers(0, 256, (7, 64)).astype(np.uint8)
    assert np.array_equal(made.run(None, {"a": a})[0], a.astype(np.int64) @ w.astype(np.int64))


def test_only_weights_that_are_too_large_are_laid_out_anew(rng: np.random.Generator) -> None:
    a, goal = placeholder("a", dt.U8, (5, 64)), Goal(isa.V3)
    before, others = Storage("packed", dt.I8, 1), Storage("input", dt.U8, 1)
    words = tuple(Address(before) if n == Gemm.B else 0 for n in range(Gemm.EPILOGUE_WORDS))
    call = NativeCall("sdx_gemm_i8pairs", words, (others, before), ())
    for most in (64, 128):
        w = const(rng.integers(-most, most, (64, 130)).astype(np.int8))
        made = outlier_call(call, a.dot(w, dt.I32), goal)
        assert (made is None) == (most == 64)
        if made:
            own = [word.storage for word in made.words if isinstance(word, Address)]
            assert made.symbol == "sdx_gemm_outliers_i8pairs"
            assert made.reads == (others, *own)
            assert before not in own
