"""TensorFlow Lite: flat buffers through tf2onnx, quantised ones included; compared with its interpreter."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.tensorflow import OPSET, refusal, without_erfc
from sardonyx.convert.frameworks.networks.tensors import Tensor

POINTS = 3  # an interpreter rounds after every layer, the converted graph once less or more


def load(source: str, request: Request) -> Any:
    """The file's interpreter."""
    import tensorflow as tf

    try:
        interpreter = tf.lite.Interpreter(model_path=source)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        said = str(error).strip().splitlines()[0]
        raise ConvertError(
            f"{source} cannot be read by TensorFlow Lite: {said}; is the file whole?"
        ) from error
    return source, interpreter


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert the file and ask the interpreter for its answers."""
    import tf2onnx

    source, interpreter = model
    inputs = interpreter.get_input_details()
    specs = [
        Tensor(row["name"], tuple(map(int, row["shape"])), np.dtype(row["dtype"]).name) for row in inputs
    ]
    cases, _, drawn = tensors.cases_of(specs, request)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        tf2onnx.convert.from_tflite(source, opset=min(request.opset or OPSET, OPSET), output_path=str(path))
        without_erfc(path)
    except Exception as error:
        raise ConvertError(refusal(error)) from error
    answers = tensors.asked(cases, lambda part: _answered(interpreter, part), drawn=drawn)
    return Exported(path, answers, drawn, batch=False, points=POINTS)


def _answered(interpreter: Any, feeds: Feeds) -> list[Array]:
    for row in interpreter.get_input_details():
        interpreter.set_tensor(row["index"], feeds[row["name"]])
    interpreter.invoke()
    return [interpreter.get_tensor(row["index"]) for row in interpreter.get_output_details()]
