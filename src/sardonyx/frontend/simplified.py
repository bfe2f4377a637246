"""Writes a model back as ONNX after the simplifications that ONNX itself can express.

Decides what `optimized_model_filepath` and an optimising ModelCompiler receive; must not know the engine's
own graph.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnx_ir
from onnx_ir.passes import InPlacePass, PassResult, Sequential, common

from sardonyx.frontend.load import Source

_EXTERNAL_BYTES = 1024


class _PlainCasts(InPlacePass):
    """Casts to the type of another value are Cast, other casts to the type that a value has are Identity."""

    def call(self, model: onnx_ir.Model) -> PassResult:
        """Replace the casts of all graphs."""
        changed = False
        for node in model.graph.all_nodes():
            from_, to = (node.inputs[0], node.outputs[0].dtype) if node.inputs else (None, None)
            if node.domain or to is None or to in _WITH_SATURATION:
                continue
            if node.op_type == "CastLike":
                node.op_type = "Cast"
                node.resize_inputs(1)
                node.attributes.clear()
                node.attributes.add(onnx_ir.AttrInt64("to", to.value))
            elif node.op_type == "Cast" and from_ is not None and from_.dtype == to:
                node.op_type = "Identity"
                node.attributes.clear()
            else:
                continue
            changed = True
        return PassResult(model, changed)


_WITH_SATURATION = frozenset(t for t in onnx_ir.DataType if t.name.startswith("FLOAT8"))


def simplified(source: Source) -> onnx_ir.Model:
    """The model with functions inlined and duplicates, dead nodes and casts to the same type removed.

    All shapes that ONNX can infer are declared. External data is still external.
    """
    model = onnx_ir.from_proto(source.proto)
    onnx_ir.external_data.set_base_dir(model.graph, source.folders[0])
    steps = Sequential(
        common.InlinePass(),
        common.CommonSubexpressionEliminationPass(),
        common.ShapeInferencePass(),
        _PlainCasts(),
        common.IdentityEliminationPass(),
        common.RemoveUnusedNodesPass(),
    )
    return steps(model).model


def write_simplified(
    source: Source, path: str | os.PathLike[str], external_name: str | None = None, external_bytes: int = 0
) -> None:
    """Write the simplified model.

    Initialisers of at least `external_bytes` (0 = 1024) go to the file `external_name` beside it, if one is
    named.

    Raises OSError if the file cannot be written.
    """
    model = simplified(source)
    if external_name is None:
        onnx_ir.external_data.load_to_model(model)
        onnx_ir.save(model, Path(path))
        return
    limit = external_bytes or _EXTERNAL_BYTES
    onnx_ir.save(model, Path(path), external_data=external_name, size_threshold_bytes=limit)
