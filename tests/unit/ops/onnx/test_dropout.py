"""Without training nothing is dropped, and the mask says so: the result is x * mask."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import sardonyx
from tests.unit.runtime.programs import f32


@pytest.mark.parametrize(
    ("opset", "kind"), [(7, "float"), (10, "bool"), (12, "bool"), (13, "bool"), (22, "bool")]
)
def test_the_mask_keeps_everything(opset: int, kind: str) -> None:
    text = f"g (float[N, 3] x) => (float[N, 3] y, {kind}[N, 3] mask) {{ y, mask = Dropout(x) }}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    x = f32(4, 3)
    y, mask = sardonyx.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert mask.dtype == (np.float32 if kind == "float" else np.bool_)
    np.testing.assert_array_equal(mask, ReferenceEvaluator(model).run(None, {"x": x})[1])
    np.testing.assert_array_equal(y, x * mask)
