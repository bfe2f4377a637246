"""Keras 3: .keras archives, HDF5 files and live models through Keras's own ONNX export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, Case, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensorflow import refuse_left_over, without_erfc
from sardonyx.convert.frameworks.networks.tensors import Tensor

OPSET = 18


def load(source: str, request: Request) -> Any:
    """The model of a file; one whose layers hold Python code is refused."""
    import keras

    try:
        return keras.saving.load_model(source, compile=False, safe_mode=True)
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        if "unsafe" in said.lower() or "lambda" in said.lower():
            raise ConvertError(
                f"{source} holds a Lambda layer, whose code Keras does not run from a file; give "
                "package.module:function, which builds the model and loads its weights"
            ) from error
        raise ConvertError(f"{source} cannot be read by Keras {keras.__version__}: {said}") from error


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export a built model."""
    if not getattr(model, "inputs", None):
        raise ConvertError("the model was not built; call it once on a batch before it is saved")
    specs = [Tensor(spec.name, tuple(spec.shape), str(spec.dtype)) for spec in model.inputs]
    cases, axes, drawn = tensors.cases_of(specs, request)
    answers = [_answered(model, specs, part) for part in cases]
    try:
        opset = min(request.opset or OPSET, OPSET)
        model.export(str(path), format="onnx", opset_version=opset, verbose=False)
        without_erfc(path)
    except Exception as error:
        said = " ".join(str(error).split())[:400]
        raise ConvertError(f"Keras cannot export this model ({type(error).__name__}: {said})") from error
    refuse_left_over(path, lambda: _traced(model, specs))
    names = tuple(tensor._keras_history.operation.name for tensor in model.outputs)
    names = names if len(set(names)) == len(names) else ()
    checked = [Case(part, answer) for part, answer in zip(cases, answers, strict=True)]
    return Exported(path, checked, drawn, outputs=names, batch=False, axes=axes)


def _traced(model: Any, specs: list[Tensor]) -> Any:
    """The graph of a model on TensorFlow."""
    import tensorflow as tf

    parts = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in specs]
    function = tf.function(lambda *given: model(given if len(given) > 1 else given[0], training=False))
    return function.get_concrete_function(*parts).graph


def _answered(model: Any, specs: list[Tensor], feeds: Feeds) -> list[Array]:
    import keras

    parts = [keras.ops.convert_to_tensor(feeds[spec.name]) for spec in specs]
    answer = model(parts if len(parts) > 1 else parts[0], training=False)
    if isinstance(answer, dict):
        answer = [answer[name] for name in sorted(answer)]
    answer = answer if isinstance(answer, list | tuple) else [answer]
    return [np.asarray(keras.ops.convert_to_numpy(part)) for part in answer]
