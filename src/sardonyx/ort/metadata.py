"""NodeArg and ModelMetadata: what a model shows of itself, in the classes of the onnxruntime API.

Must not know sessions.
"""

from __future__ import annotations

from sardonyx.base.signature import ModelMeta, TensorInfo


class NodeArg:
    """One input or output: its name, its type such as `tensor(float)`, its shape."""

    __slots__ = ("_info",)

    def __init__(self, info: TensorInfo) -> None:
        self._info = info

    @property
    def name(self) -> str:
        """The name in the model."""
        return self._info.name

    @property
    def type(self) -> str:
        """The ONNX type, e.g. `tensor(float)` or `seq(tensor(int64))`."""
        return self._info.type

    @property
    def shape(self) -> list[int | str | None]:
        """A number, a name or None per dimension; [] for scalars and where no shape is declared."""
        return list(self._info.shape or ())

    def __str__(self) -> str:
        return f"NodeArg(name='{self.name}', type='{self.type}', shape={self.shape})"

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, tuple[TensorInfo]]:
        return NodeArg, (self._info,)


def declared(argument: NodeArg) -> TensorInfo:
    """What the model declares of an input or output; its shape is None where it declares none."""
    return argument._info


class ModelMetadata:
    """The descriptive fields of a model file."""

    __slots__ = (
        "custom_metadata_map",
        "description",
        "domain",
        "graph_description",
        "graph_name",
        "producer_name",
        "version",
    )

    def __init__(self, meta: ModelMeta | None = None) -> None:
        meta = meta or ModelMeta()
        self.producer_name = meta.producer_name
        self.graph_name = meta.graph_name
        self.domain = meta.domain
        self.description = meta.description
        self.graph_description = meta.graph_description
        self.version = meta.version
        self.custom_metadata_map: dict[str, str] = dict(meta.custom_metadata_map)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"ModelMetadata({fields})"
