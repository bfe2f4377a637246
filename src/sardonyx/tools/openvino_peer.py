"""OpenVINO behind the part of onnxruntime's API that a benchmark calls; float32 stays float32 in it.

Imports openvino alone; the package depends on it nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openvino

__version__ = openvino.__version__.partition("-")[0]


class SessionOptions:
    """What a benchmark sets; 0 threads are all."""

    intra_op_num_threads = 0
    log_severity_level = 0


class InferenceSession:
    """A model file compiled for the CPU."""

    def __init__(self, path: str, options: SessionOptions) -> None:
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if options.intra_op_num_threads:
            settings["INFERENCE_NUM_THREADS"] = options.intra_op_num_threads
        self.model: Any = openvino.Core().compile_model(path, "CPU", settings)
        self.request = self.model.create_infer_request()

    def run(self, names: None, feeds: Mapping[str, Any]) -> list[Any]:
        """All outputs, in the model's order."""
        results = self.request.infer(dict(feeds))
        return [results[output] for output in self.model.outputs]
