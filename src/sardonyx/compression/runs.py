"""Sessions of models in memory, with more outputs than they declare."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from sardonyx.ort.logger import FATAL
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession

Feeds = Mapping[str, Any]
LARGE_BYTES = 1 << 30
"""Beyond this a model goes through a file, with its weights beside it."""


def opened(model: onnx.ModelProto, threads: int = 0) -> InferenceSession:
    """A session of a model in memory; 0 threads are as many as there are cores."""
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = FATAL
    if model.ByteSize() < LARGE_BYTES:
        return InferenceSession(model.SerializeToString(), options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "model.onnx"
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        onnx.save(copy, path, save_as_external_data=True, location="weights")
        return InferenceSession(path, options)


def opened_with(model: onnx.ModelProto, names: Sequence[str]) -> InferenceSession:
    """A session whose outputs are values of the main graph, whether declared or not."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    declared = {value.name: value for value in model.graph.output}
    shown.graph.output.extend(declared.get(name, onnx.ValueInfoProto(name=name)) for name in names)
    return opened(shown)
