"""The ways a model can be run by the conformance suite; one line each.

A target takes the serialised model and returns something with the `run` of InferenceSession.
"""

from __future__ import annotations

import os
from typing import Any

from tests.conformance.cases import Runnable, Target

FATAL_ONLY = 4


def native(model: bytes) -> Runnable:
    """The engine as users meet it."""
    import sardonyx

    session: Runnable = sardonyx.InferenceSession(model)
    return session


def peer(model: bytes) -> Runnable:
    """onnxruntime, to judge the suite itself."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    session: Runnable = onnxruntime.InferenceSession(model, options)
    return session


class Reference:
    """The reference implementation of the onnx package."""

    def __init__(self, model: bytes) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        self.evaluator = ReferenceEvaluator(onnx.load_from_string(model))

    def run(self, output_names: None, feeds: dict[str, Any]) -> list[Any]:
        """All outputs in graph order."""
        return list(self.evaluator.run(output_names, feeds))


TARGETS: dict[str, Target] = {"native": native}
YARDSTICKS: dict[str, Target] = {"onnxruntime": peer, "reference": Reference}
