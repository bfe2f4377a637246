"""What a model shows of itself: its named inputs and outputs and its metadata. Plain data.

Must not know how the model is compiled or who asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.base.dataclass import dataclass, field

MOST_AXES = 64
"""Of a tensor: as many as an array of numpy has."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output as the model declares it.

    `type` is an ONNX type string such as `tensor(float)` or `seq(tensor(int64))`. A dimension is a number,
    a name, or None if the model leaves it open; `shape` is None if not even the rank is declared.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class ModelMeta:
    """The descriptive fields of a model file; `description` is its doc string."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: Mapping[str, str] = field(default_factory=dict)
