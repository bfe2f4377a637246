"""Weights that are fed and lie as a panel already: they are read where they are, at any address."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import sardonyx

CALLS = {
    "conv": ("float[N,1,L] x, float[{},1,1] w", "Conv(x, w)"),
    "strided": ("float[N,1,L] x, float[{},1,1] w", "Conv<strides = [3]>(x, w)"),
    "depthwise": ("float[N,{},L] x, float[{},1,1] w", "Conv<group = {}>(x, w)"),
    "transposed": ("float[N,1,L] x, float[1,{},1] w", "ConvTranspose(x, w)"),
    "product": ("float[N,1] x, float[1,{}] w", "MatMul(x, w)"),
}


def apart(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy one element behind a multiple of 64 bytes."""
    raw = np.empty(x.size + 32, x.dtype)
    start = -raw.ctypes.data % 64 // x.itemsize + 1
    copy = raw[start : start + x.size].reshape(x.shape)
    copy[...] = x
    return copy


@pytest.mark.parametrize("precision", ["strict", "fp32", "bf16"])
@pytest.mark.parametrize("outputs", [8, 16, 48])
@pytest.mark.parametrize("call", CALLS)
def test_weights_at_any_address(call: str, outputs: int, precision: str) -> None:
    inputs, formula = (text.replace("{}", str(outputs)) for text in CALLS[call])
    text = f'<ir_version: 10, opset_import: ["" : 21]> g ({inputs}) => (float y) {{ y = {formula} }}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.precision", precision)
    made = sardonyx.InferenceSession(model.SerializeToString(), options)
    rng = np.random.default_rng(outputs)
    sizes = [[n if isinstance(n, int) else 40 for n in i.shape] for i in made.get_inputs()]
    x, w = (rng.integers(-9, 9, size).astype(np.float32) for size in sizes)
    (y,) = made.run(None, {"x": x, "w": apart(w)})
    spread = x[:, :, ::3] if call == "strided" else x
    factors = w.reshape((1, outputs, 1) if x.ndim == 3 else (1, outputs))
    np.testing.assert_array_equal(y, spread * factors)
