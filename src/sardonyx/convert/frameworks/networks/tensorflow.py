"""TensorFlow: SavedModels and Keras 2 files through tf2onnx, which knows TensorFlow 2.15 best."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sardonyx.convert.framework import Array, ConvertError, Exported, Feeds, Request, shaped
from sardonyx.convert.frameworks.networks import tensors
from sardonyx.convert.frameworks.networks.places import place_of
from sardonyx.convert.frameworks.networks.tensors import Tensor

OPSET = 18  # the newest that tf2onnx 1.17 writes


@dataclass(frozen=True)
class Function:
    """A function of tensors by name, to tensors in the order of `outputs`."""

    call: Callable[[Sequence[Any]], list[Any]]
    inputs: list[Tensor]
    outputs: tuple[str, ...]
    kept: Any = None


def load(source: str, request: Request) -> Function:
    """The serving function of a SavedModel, or the model of a Keras 2 file."""
    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    path = Path(source)
    if path.is_dir():
        return _of_saved_model(tf, source, request)
    try:
        model = tf.keras.models.load_model(source, compile=False)
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise ConvertError(f"{source} cannot be read by TensorFlow {tf.__version__}: {said}") from error
    return of_keras(model)


def _of_saved_model(tf: Any, source: str, request: Request) -> Function:
    try:
        loaded = tf.saved_model.load(source)
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise ConvertError(
            f"{source} cannot be read as a SavedModel: {said}; is the folder whole?"
        ) from error
    signatures = dict(loaded.signatures)
    wanted = request.options.get("part") or "serving_default"
    if wanted not in signatures:
        known = ", ".join(signatures) or "none; save it with tf.saved_model.save(..., signatures=...)"
        raise ConvertError(f"{source} has no signature {wanted!r}; it has {known}")
    signature = signatures[wanted]
    specs = signature.structured_input_signature[1]
    inputs = [_tensor(name, spec) for name, spec in specs.items()]
    outputs = tuple(sorted(signature.structured_outputs))

    def call(parts: Sequence[Any]) -> list[Any]:
        answer = signature(**dict(zip(specs, parts, strict=True)))
        return [answer[name] for name in outputs]

    return Function(call, inputs, outputs, loaded)


def of_keras(model: Any) -> Function:
    """A built Keras model as a function."""
    inputs = [_tensor(tensor.name.partition(":")[0], tensor) for tensor in model.inputs]
    outputs = tuple(dict.fromkeys(getattr(model, "output_names", ()) or ()))

    def call(parts: Sequence[Any]) -> list[Any]:
        answer = model(list(parts) if len(parts) > 1 else parts[0], training=False)
        if isinstance(answer, dict):
            return [answer[name] for name in sorted(answer)]
        return list(answer) if isinstance(answer, list | tuple) else [answer]

    return Function(call, inputs, outputs, model)


def _tensor(name: str, spec: Any) -> Tensor:
    dtype = spec.dtype if isinstance(spec.dtype, str) else spec.dtype.name
    if spec.shape is None or getattr(spec.shape, "rank", 0) is None:
        raise ConvertError(
            f"the input {name} has no known rank; give its shape to tf.function and save again"
        )
    return Tensor(name, tuple(spec.shape), dtype)


def of_live(model: Any) -> Function:
    """What a user's function returned: a built Keras model as a function of tensors, else ConvertError."""
    if getattr(model, "inputs", None):
        return of_keras(model)
    raise ConvertError(
        f"a {type(model).__name__} is not a built Keras model; save it with "
        "tf.saved_model.save(..., signatures=...) and give the folder"
    )


def export(model: Any, request: Request, path: Path) -> Exported:
    """Convert a function or a built Keras model and ask it for its answers."""
    import tensorflow as tf
    import tf2onnx

    model = model if isinstance(model, Function) else of_live(model)
    cases, axes, drawn = tensors.cases_of(model.inputs, request)
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in model.inputs]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    opset = min(request.opset or OPSET, OPSET)
    try:
        function = tf.function(lambda *parts: model.call(parts), autograph=False)
        tf2onnx.convert.from_function(function, input_signature=specs, opset=opset, output_path=str(path))
        without_erfc(path)
    except Exception as error:
        raise ConvertError(refusal(error)) from error
    refuse_left_over(path, lambda: function.get_concrete_function(*specs).graph)
    return Exported(
        path,
        tensors.asked(cases, lambda part: answered(model, part), drawn=drawn),
        drawn,
        outputs=model.outputs,
        batch=False,
        axes=axes,
        notes=tensors.rounded(model.inputs, request),
    )


def without_erfc(path: Path) -> None:
    """tf2onnx 1.17 writes the complement of the error function as an operator, which ONNX does not have."""
    import onnx

    model = onnx.load(str(path))
    strange = [node for node in model.graph.node if node.op_type == "Erfc" and not node.domain]
    for at, node in enumerate(strange):
        one, part, sign = (f"erfc_{at}_{name}" for name in ("one", "erf", "type"))
        ones = onnx.helper.make_tensor(one, onnx.TensorProto.FLOAT, [], [1.0])
        model.graph.initializer.append(ones)
        place = list(model.graph.node).index(node)
        made = (
            onnx.helper.make_node("Erf", [node.input[0]], [part]),
            onnx.helper.make_node("CastLike", [one, part], [sign]),
            onnx.helper.make_node("Sub", [sign, part], [node.output[0]]),
        )
        model.graph.node.remove(node)
        for step, new in enumerate(made):
            model.graph.node.insert(place + step, new)
    if strange:
        onnx.save(model, str(path))


def refuse_left_over(path: Path, traced: Callable[[], Any]) -> None:
    """ConvertError for an operator of TensorFlow that tf2onnx left in the file as it was.

    `traced` gives the graph whose operations know which line of Python they come from.
    """
    import onnx

    for node in onnx.load(str(path), load_external_data=False).graph.node:
        if not node.domain and not onnx.defs.has(node.op_type):
            raise ConvertError(
                f"TensorFlow's operator {node.op_type} (node {node.name or '?'}) has no ONNX form"
                f"{_place(node.op_type, traced)}; replace it by others, or export a model "
                "that leaves it out and compute it outside"
            )


def _place(operator: str, traced: Callable[[], Any]) -> str:
    try:
        operations = traced().get_operations()
    except Exception:  # no place is known then
        return ""
    lines = (traceback.format_list(row.traceback) for row in operations if row.type == operator)
    return place_of("".join(next(lines, ())))


def answered(model: Function, feeds: Feeds) -> list[Array]:
    """What the function answers."""
    import tensorflow as tf

    parts = [tf.constant(feeds[spec.name]) for spec in model.inputs]
    return shaped([part.numpy() for part in model.call(parts)])


def refusal(error: Exception) -> str:
    """What tf2onnx says, as a sentence."""
    said = " ".join(str(error).split())[:400] or type(error).__name__
    return f"tf2onnx cannot convert it ({type(error).__name__}: {said})"
