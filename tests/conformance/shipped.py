"""The model cases that the onnx package ships as files, as raw cases of the shape that it makes itself.

Reads the folder of the installed package; knows no engine and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = ("simple", "pytorch-operator", "pytorch-converted")


class Shipped(NamedTuple):
    """The shape of a case as the onnx package makes them."""

    name: str
    model: Any
    data_sets: list[tuple[list[Any], list[Any]]]


def shipped_cases() -> list[Shipped]:
    """All of them: one folder a case, and the networks of `light`."""
    folders = (folder for kind in KINDS for folder in sorted((DATA / kind).iterdir()))
    return [*(_case(folder) for folder in folders if folder.is_dir()), *_light_cases()]


def _case(folder: Path) -> Shipped:
    model = onnx.load(folder / "model.onnx")
    sets = [
        (_tensors(data, "input", model.graph.input), _tensors(data, "output", model.graph.output))
        for data in sorted(folder.glob("test_data_set_*"))
    ]
    return Shipped(folder.name, model, sets)


def _tensors(folder: Path, side: str, declared: Any) -> list[Any]:
    """What the files of one side hold, in the order of their numbers."""
    count = len(list(folder.glob(f"{side}_*.pb")))
    values = zip(range(count), declared, strict=False)
    return [_read(folder / f"{side}_{number}.pb", value.type) for number, value in values]


def _read(path: Path, kind: Any) -> Any:
    message = onnx.SequenceProto() if kind.HasField("sequence_type") else onnx.TensorProto()
    message.ParseFromString(path.read_bytes())
    return message


def _light_cases() -> Iterator[Shipped]:
    """Networks whose weights are constant; their only feed is the ramp that ONNX prescribes."""
    for path in sorted((DATA / "light").glob("*.onnx")):
        model = onnx.load(path)
        expected = _read(path.with_name(f"{path.stem}_output_0.pb"), model.graph.output[0].type)
        yield Shipped(f"test_{path.stem}", model, [([ramp(model)], [expected])])


def ramp(model: Any) -> np.ndarray[Any, Any]:
    """0, 1/n, 2/n ... in the shape of the only input of a model that is not an initializer."""
    weights = {tensor.name for tensor in model.graph.initializer}
    (shape,) = (
        [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in model.graph.input
        if value.name not in weights
    )
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype(np.float32)
