"""OpenVINO behind the part of onnxruntime's API that a benchmark calls; its precision is that of the run.

Unasked, it rounds float32 to bfloat16, and to 8 bits what it multiplies with weights of 8 bits, also where a
model widens them.

The package depends on openvino nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openvino

from sardonyx.base.knobs import PRECISION

__version__ = openvino.__version__.partition("-")[0]

SETTINGS: dict[str, Any] = {
    "INFERENCE_PRECISION_HINT": "bf16" if PRECISION.read() == "bf16" else "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "PERFORMANCE_HINT": "LATENCY",
}


class SessionOptions:
    """What a benchmark sets; 0 threads are all."""

    intra_op_num_threads = 0
    log_severity_level = 0


class InferenceSession:
    """A model file compiled for the CPU."""

    def __init__(self, path: str, options: SessionOptions) -> None:
        threads = options.intra_op_num_threads
        settings = {**SETTINGS, "INFERENCE_NUM_THREADS": threads} if threads else SETTINGS
        self.model: Any = openvino.Core().compile_model(path, "CPU", settings)
        self.request = self.model.create_infer_request()

    def run(self, names: None, feeds: Mapping[str, Any]) -> list[Any]:
        """All outputs, in the model's order."""
        results = self.request.infer(dict(feeds))
        return [results[output] for output in self.model.outputs]
