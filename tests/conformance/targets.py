"""The ways a model can be run by the conformance suite; one line each.

A target takes the serialised model and returns something with the `run` of InferenceSession.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tests.conformance.cases import Runnable, Target

FATAL_ONLY = 4


def engine(target: str) -> Target:
    """The engine as users meet it, told to compile for a target; empty = what this machine is."""

    def session(model: bytes) -> Runnable:
        import sardonyx

        options = sardonyx.SessionOptions()
        options.add_session_config_entry("sardonyx.target", target)
        made: Runnable = sardonyx.InferenceSession(model, options)
        return made

    return session


def peer(model: bytes) -> Runnable:
    """onnxruntime, to judge the suite itself; on one thread, as others part what they quantise."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.intra_op_num_threads = 1
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


class Graph:
    """The graph as it is loaded, run by numpy: the meaning of the operators without any compilation."""

    def __init__(self, model: bytes) -> None:
        self.model = model

    def run(self, output_names: None, feeds: dict[str, Any]) -> list[Any]:
        """All outputs in graph order."""
        from sardonyx.frontend import specialise
        from sardonyx.ir.run import run

        arrays = {n: np.asarray(v) if isinstance(v, np.generic) else v for n, v in feeds.items()}
        loaded, _ = specialise(self.model, arrays)
        return run(loaded.graph, [arrays[info.name] for info in loaded.inputs])


def freed(target: Target) -> Target:
    """The same with all sizes of inputs unknown, so that shape arithmetic is symbolic."""

    def session(model: bytes) -> Runnable:
        import onnx

        proto = onnx.load_from_string(model)
        for value in proto.graph.input:
            for axis, size in enumerate(value.type.tensor_type.shape.dim):
                if size.dim_value > 0:
                    size.dim_param = f"{value.name}_{axis}"
        return target(proto.SerializeToString())

    return session


TARGETS: dict[str, Target] = {
    "native": engine(""),
    "avx2": engine("x86_64-v3"),
    "reference": engine("reference"),
    "native-free": freed(engine("")),
    "graph": Graph,
    "graph-free": freed(Graph),
}
YARDSTICKS: dict[str, Target] = {"onnxruntime": peer, "onnx": Reference}
