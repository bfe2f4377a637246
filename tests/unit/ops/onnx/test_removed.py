"""Operators that ONNX took back, in the versions that ONNX knows under the same name: beside onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.errors import ShapeError, UnsupportedOp
from tests.unit.frontend.models import outputs, parsed

NODES = {
    "ThresholdedRelu": "ThresholdedRelu<alpha = 0.5>(x)",
    "MeanVarianceNormalization": "MeanVarianceNormalization(x)",
    "all channels": "MeanVarianceNormalization<across_channels = 1>(x)",
    "only the mean": "MeanVarianceNormalization<normalize_variance = 0>(x)",
    "three axes": "MeanVarianceNormalization<across_channels = 1, normalize_variance = 1>(x)",
}


@pytest.mark.parametrize("case", NODES)
def test_first_versions(case: str) -> None:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    shape = (2, 3, 5) if case == "three axes" else (2, 3, 5, 4)
    x = np.random.default_rng(4).standard_normal(shape, dtype=np.float32)
    sizes = ",".join(map(str, shape))
    model = parsed(f"g (float[{sizes}] x) => (float[{sizes}] y) {{ y = {NODES[case]} }}", 8)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    (y,) = outputs(model, x)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


def test_a_norm_is_taken_over_the_axes_that_there_are() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    (y,) = outputs(parsed("g (float[2,3,2] x) => (float[2,3,2] y) { y = MeanVarianceNormalization(x) }"), x)
    np.testing.assert_allclose(y, (x - x.mean((0, 2), keepdims=True)) / x.std((0, 2), keepdims=True), 1e-5)
    none = "g (float[2,3,2] x) => (float[2,3,2] y) { y = MeanVarianceNormalization<axes=[5]>(x) }"
    with pytest.raises(ShapeError, match="none of the axes"):
        outputs(parsed(none), x)


def test_images_have_four_axes() -> None:
    for node in ("Crop<border = [0, 0, 0, 0]>(x)", "ImageScaler<bias = [1.0]>(x)"):
        with pytest.raises(ShapeError, match="images"):
            outputs(
                parsed(f"g (float[2,3] x) => (float[?] y) {{ y = {node} }}", 8), np.zeros((2, 3), np.float32)
            )


@pytest.mark.parametrize("given", ["border = [1, 1, 1]", "border = [0, 0, -1, 0]", "border = [2, 2, 2, 2]"])
def test_what_is_cut_off_must_be_there(given: str) -> None:
    with pytest.raises(ShapeError, match="border"):
        x = np.zeros((1, 1, 3, 3), np.float32)
        outputs(parsed(f"g (float[1,1,3,3] x) => (float[?] y) {{ y = Crop<{given}>(x) }}", 8), x)


def test_others_stay_unknown() -> None:
    with pytest.raises(UnsupportedOp, match="GRUUnit"):
        outputs(parsed("g (float[2] x) => (float[?] y) { y = GRUUnit(x) }", 8), np.zeros(2, np.float32))
