"""Small models for the tests of this folder, written in ONNX's text syntax."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from sardonyx.frontend import Loaded, load
from sardonyx.ir.run import run


def parsed(body: str, opset: int = 21, imports: str = "") -> onnx.ModelProto:
    """A model of one graph; `imports` are further opset imports, functions may follow the graph."""
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}{imports}]>\n{body}')


def outputs(model: onnx.ModelProto | Loaded, *feeds: Any) -> list[np.ndarray[Any, Any]]:
    """What a model gives for arrays, run by numpy."""
    loaded = model if isinstance(model, Loaded) else load(model)
    return [np.asarray(y) for y in run(loaded.graph, [np.asarray(f) for f in feeds])]


def shapes(model: onnx.ModelProto) -> list[str]:
    """The sizes of the outputs, as text."""
    return [",".join(map(str, value.shape)) for _, value in load(model).graph.outputs]
