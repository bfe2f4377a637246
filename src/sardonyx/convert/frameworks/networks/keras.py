"""Keras 3: .keras archives, HDF5 files and live models through Keras's own ONNX export."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensorflow import refuse_left_over, without_erfc
from sardonyx.convert.frameworks.networks.tensors import Tensor

OPSET = 18
STRANGE = re.compile(r"Could not locate class '(\w+)'")


def load(source: str, request: Request) -> Any:
    """The model of a file; one that needs Python code that is not in the file is refused."""
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
        strange = STRANGE.search(str(error))
        if strange:
            raise ConvertError(
                f"{source} holds a class of your own, {strange[1]}, whose code is not in the file; give "
                "package.module:function, which imports it and loads the model"
            ) from error
        raise ConvertError(f"{source} cannot be read by Keras {keras.__version__}: {said[:300]}") from error


def export(model: Any, request: Request, path: Path) -> Exported:
    """Export a built model."""
    specs = _specs(model, request)
    cases, axes, drawn = tensors.cases_of(specs, request)
    checked = tensors.asked(cases, lambda part: _answered(model, specs, part), drawn=drawn)
    try:
        opset = min(request.opset or OPSET, OPSET)
        model.export(str(path), format="onnx", opset_version=opset, verbose=False, **_signature(model, specs))
        without_erfc(path)
    except Exception as error:
        said = " ".join(str(error).split())[:400]
        raise ConvertError(f"Keras cannot export this model ({type(error).__name__}: {said})") from error
    refuse_left_over(path, lambda: _traced(model, specs))
    names = _output_names(model, specs, cases[0])
    return Exported(
        path, checked, drawn, outputs=names, batch=False, axes=axes, notes=tensors.rounded(specs, request)
    )


def _is_graph(model: Any) -> bool:
    """Whether it is made of layers that are joined, and not a class with a `call` of its own."""
    return bool(getattr(model, "inputs", None))


def _specs(model: Any, request: Request) -> list[Tensor]:
    """The inputs; those of the user's own class as it was called, of the types of sample or statement."""
    if _is_graph(model):
        return [Tensor(spec.name, tuple(spec.shape), str(spec.dtype)) for spec in model.inputs]
    shapes = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    if not shapes or not all(isinstance(size, int) for shape in shapes for size in shape[1:]):
        raise ConvertError("the model was not built; call it once on a batch of tensors first")
    names = list(inspect.signature(model.call).parameters)[: len(shapes)]
    types = {tensor.name: tensor.dtype for tensor in tensors.renamed(tensors.stated(request), names)}
    if request.sample is not None:
        types = {name: part.dtype.name for name, part in tensors.sampled(request.sample, names).items()}
    return [
        Tensor(name, (None, *shape[1:]), types.get(name, str(model.input_dtype)))
        for name, shape in zip(names, shapes, strict=True)
    ]


def _signature(model: Any, specs: list[Tensor]) -> dict[str, Any]:
    import keras

    if _is_graph(model):
        return {}
    parts = [keras.InputSpec(shape=spec.shape, dtype=spec.dtype, name=spec.name) for spec in specs]
    return {"input_signature": parts}


def _output_names(model: Any, specs: list[Tensor], part: Feeds) -> tuple[str, ...]:
    """The keys of a dictionary, or the layers that answer, if they differ."""
    answer = _called(model, [_tensor(part[spec.name]) for spec in specs])
    if isinstance(answer, dict):
        return tuple(sorted(answer))
    if not _is_graph(model):
        return tensors.answer_names(answer)
    return tensors.output_names([(tensor._keras_history.operation.name,) for tensor in model.outputs])


def _traced(model: Any, specs: list[Tensor]) -> Any:
    """The graph of a model on TensorFlow."""
    import tensorflow as tf

    parts = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in specs]
    function = tf.function(lambda *given: _called(model, given))
    return function.get_concrete_function(*parts).graph


def _answered(model: Any, specs: list[Tensor], feeds: Feeds) -> list[Array]:
    import keras

    answer = _called(model, [_tensor(feeds[spec.name]) for spec in specs])
    if isinstance(answer, dict):
        answer = [answer[name] for name in sorted(answer)]
    answer = answer if isinstance(answer, list | tuple) else [answer]
    return [np.asarray(keras.ops.convert_to_numpy(part)) for part in answer]


def _tensor(part: Array) -> Any:
    import keras

    return keras.ops.convert_to_tensor(part)


def _called(model: Any, parts: Sequence[Any]) -> Any:
    if _is_graph(model):
        return model(parts if len(parts) > 1 else parts[0], training=False)
    takes_training = "training" in inspect.signature(model.call).parameters
    return model(*parts, training=False) if takes_training else model(*parts)
