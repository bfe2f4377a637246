"""ONNX files of other exporters, MATLAB's among them: old opsets, weights as inputs, placeholders.

The file itself, as this engine runs it, is what the finished one is compared with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

import sardonyx
from sardonyx.convert import finish
from sardonyx.convert.framework import Exported, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensors import Tensor
from sardonyx.frontend.external import tensors_of

TYPES = {"float": "float32", "double": "float64", "bool": "bool", "float16": "float16", "string": "str"}


class Opened(NamedTuple):
    """A model with its external data in it, and the files that both were read from."""

    model: onnx.ModelProto
    files: tuple[str, ...]


def load(source: str, request: Request) -> Opened:
    """The model, if every operator of it is one of ONNX."""
    path = Path(source)
    model = finish.opened(path)
    finish.refuse_strange(model)
    finish.weights_are_no_inputs(model)
    return Opened(model, (source, *_beside(path)))


def _beside(path: Path) -> list[str]:
    """The files of external data, each once."""
    model = onnx.load(path, load_external_data=False)
    entries = (entry for tensor, _ in tensors_of(model) for entry in tensor.external_data)
    return sorted({str(path.parent / entry.value) for entry in entries if entry.key == "location"})


def export(source: Opened | onnx.ModelProto, request: Request, path: Path) -> Exported:
    """Write it as it is, and what it says; a model in memory was read from no files."""
    opened = source if isinstance(source, Opened) else Opened(source, ())
    finish.probabilities_are_tensors(opened.model)
    path.write_bytes(opened.model.SerializeToString())
    settings = sardonyx.SessionOptions()
    settings.log_severity_level = 4
    session = sardonyx.InferenceSession(str(path), settings)
    specs = [_tensor(row) for row in session.get_inputs()]
    cases, axes, drawn = tensors.cases_of(specs, request)
    checked = tensors.asked(
        cases, lambda part: [np.asarray(answer) for answer in session.run(None, part)], drawn=drawn
    )
    axes = axes if request.dynamic else {}
    return Exported(
        path,
        checked,
        drawn,
        batch=False,
        axes=axes,
        sources=opened.files,
        notes=tensors.rounded(specs, request),
    )


def _tensor(row: Any) -> Tensor:
    shape = tuple(size if isinstance(size, int) else None for size in row.shape)
    kind = row.type.removeprefix("tensor(").removesuffix(")")
    return Tensor(row.name, shape, TYPES.get(kind, kind))
