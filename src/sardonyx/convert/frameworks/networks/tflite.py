"""TensorFlow Lite: flat buffers through tf2onnx, quantised ones included; compared with its interpreter."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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
    inputs, outputs = _names(interpreter)
    details = interpreter.get_input_details()
    specs = [
        Tensor(name, tuple(map(int, row["shape"])), np.dtype(row["dtype"]).name)
        for name, row in zip(inputs, details, strict=True)
    ]
    cases, _, drawn = tensors.cases_of(specs, request)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        tf2onnx.convert.from_tflite(source, opset=min(request.opset or OPSET, OPSET), output_path=str(path))
        without_erfc(path)
        _rename_inputs(path, dict(zip((row["name"] for row in details), inputs, strict=True)))
    except Exception as error:
        raise ConvertError(refusal(error)) from error
    answers = tensors.asked(cases, lambda part: _answered(interpreter, part), drawn=drawn)
    return Exported(
        path,
        answers,
        drawn,
        outputs=outputs,
        batch=False,
        points=POINTS,
        notes=tensors.rounded(specs, request),
    )


def _names(interpreter: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of inputs and outputs, as the file's signature calls them; without one, of the tensors."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        known = {
            row["index"]: name
            for rows in (runner.get_input_details(), runner.get_output_details())
            for name, row in rows.items()
        }
        if all(row["index"] in known for row in (*inputs, *outputs)):
            return tuple(known[row["index"]] for row in inputs), tuple(known[row["index"]] for row in outputs)
    return tuple(row["name"] for row in inputs), tuple(row["name"] for row in outputs)


def _rename_inputs(path: Path, new: Mapping[str, str]) -> None:
    import onnx

    model = onnx.load(str(path))
    taken = {name for node in model.graph.node for name in node.output}
    new = {old: name for old, name in new.items() if name not in taken}
    for value in model.graph.input:
        value.name = new.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
    onnx.save(model, str(path))


def _answered(interpreter: Any, feeds: Feeds) -> list[Array]:
    for row, part in zip(interpreter.get_input_details(), feeds.values(), strict=True):
        interpreter.set_tensor(row["index"], part)
    interpreter.invoke()
    return [interpreter.get_tensor(row["index"]) for row in interpreter.get_output_details()]
