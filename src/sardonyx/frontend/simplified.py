"""Writes a model back as ONNX after the simplifications that ONNX itself can express.

Decides what `optimized_model_filepath` receives; must not know the engine's own graph.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnx_ir
from onnx_ir.passes import Sequential, common

from sardonyx.frontend.load import Source

_EXTERNAL_BYTES = 1024


def write_simplified(
    source: Source, path: str | os.PathLike[str], external_name: str | None = None, external_bytes: int = 0
) -> None:
    """Write the model with functions inlined and duplicates and dead nodes removed.

    All shapes that ONNX can infer are declared. Initialisers of at least `external_bytes` (0 = 1024) go to
    the file `external_name` beside it, if one is named.

    Raises OSError if the file cannot be written.
    """
    model = onnx_ir.from_proto(source.proto)
    onnx_ir.external_data.set_base_dir(model.graph, source.folders[0])
    steps = Sequential(
        common.InlinePass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.ShapeInferencePass(),
    )
    model = steps(model).model
    if external_name is None:
        onnx_ir.external_data.load_to_model(model)
        onnx_ir.save(model, Path(path))
        return
    limit = external_bytes or _EXTERNAL_BYTES
    onnx_ir.save(model, Path(path), external_data=external_name, size_threshold_bytes=limit)
