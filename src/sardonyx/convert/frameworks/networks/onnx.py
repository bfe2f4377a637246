"""ONNX files of other exporters, MATLAB's among them: old opsets, weights as inputs, placeholders.

The file itself, as this engine runs it, is what the finished one is compared with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.convert import finish
from sardonyx.convert.framework import Exported, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensors import Tensor

TYPES = {"float": "float32", "double": "float64", "bool": "bool", "float16": "float16", "string": "str"}


def load(source: str, request: Request) -> Any:
    """The model, if every operator of it is one of ONNX."""
    model = finish.opened(Path(source))
    finish.refuse_strange(model)
    finish.weights_are_no_inputs(model)
    return model


def export(model: Any, request: Request, path: Path) -> Exported:
    """Write it as it is, and what it says."""
    path.write_bytes(model.SerializeToString())
    settings = sardonyx.SessionOptions()
    settings.log_severity_level = 4
    session = sardonyx.InferenceSession(str(path), settings)
    specs = [_tensor(row) for row in session.get_inputs()]
    cases, axes, drawn = tensors.cases_of(specs, request)
    checked = tensors.asked(
        cases, lambda part: [np.asarray(answer) for answer in session.run(None, part)], drawn=drawn
    )
    return Exported(path, checked, drawn, batch=False, axes={} if not request.dynamic else axes)


def _tensor(row: Any) -> Tensor:
    shape = tuple(size if isinstance(size, int) else None for size in row.shape)
    kind = row.type.removeprefix("tensor(").removesuffix(")")
    return Tensor(row.name, shape, TYPES.get(kind, kind))
