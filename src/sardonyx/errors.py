"""The exception tree of the engine; every message says what, where, and what to do.

SardonyxError
    LoadError        the file is not a model this engine can read
    UnsupportedOp    an operator or variant is not supported
        NeedsContent     it has one once the content of some tensors is known
    ShapeError       shapes or types of a model or a feed contradict each other
    CompileError     code generation failed: a fault of the engine
    TargetError      the target asked for is unknown, or this machine cannot execute it
    RunError         a kernel found bad data (an index out of range, a division by zero)
"""

from __future__ import annotations

TOO_DEEP = (
    "sizes are computed from each other in too many steps; fix free dimensions of the inputs to numbers"
)
"""What a RecursionError means: expressions of sizes are all that is followed to any depth."""

_WORDS = (
    ("to unpack", "one of its inputs has more or fewer axes than it takes"),
    ("zip() argument", "lists that belong together are not of one length"),
    (" index out of range", "a number names the place of something that is not there"),
    ("is an empty sequence", "a list must not be empty"),
    ("empty iterable", "a list must not be empty"),
    ("by zero", "it divides by a size or an attribute of 0"),
    ("'NoneType' object", "an input or an attribute that it needs is missing"),
)
"""What Python says where lists or sizes of a node do not fit, and what that means."""


def why_malformed(error: Exception) -> str:
    """What an error that is not the engine's own says of the node that it was raised for."""
    if isinstance(error, RecursionError):
        return TOO_DEEP
    if isinstance(error, MemoryError):
        return f"the node asks for more memory than there is: {error}".removesuffix(": ")
    text = f"{error} is none of what it may be" if isinstance(error, KeyError) else str(error)
    return f"the node is malformed: {next((ours for words, ours in _WORDS if words in text), text)}"


class SardonyxError(Exception):
    """Root of all errors raised by the engine.

    `kind` refines the class for callers that tell cases apart: of a LoadError `protobuf`, `empty`,
    `undefined`, `graph` or `opset`; of an UnsupportedOp `unknown`; of a RunError `bounds` or `memory`.
    """

    def __init__(self, message: str = "", *, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class LoadError(SardonyxError):
    """The file is not a model this engine can read."""


class UnsupportedOp(SardonyxError):  # noqa: N818
    """An operator, or a variant of it, that has no native or reference meaning."""


class NeedsContent(UnsupportedOp):
    """The ranks or axes of a graph depend on what is fed.

    `inputs` are the inputs whose content must be known, `sizes` the free sizes that must be numbers (name,
    and once the loader knows them input and axis), `units` those of which only matters whether they are 1,
    `shapes` the inputs whose rank the model does not declare. `wanted` are the values in question; where they
    are computed from too much, the loader puts the names of `tensors` of the model in place of inputs.
    `answerable` says that the loader knows how to find out.
    """

    def __init__(
        self,
        message: str,
        inputs: tuple[str, ...] = (),
        sizes: tuple[tuple[str, str, int], ...] = (),
        shapes: tuple[str, ...] = (),
        units: tuple[tuple[str, str, int], ...] = (),
        wanted: tuple[object, ...] = (),
        tensors: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.answerable = False
        self.wanted = wanted
        self.tensors = tensors
        self.units = units
        self.inputs = inputs
        self.sizes = sizes
        self.shapes = shapes


class ShapeError(SardonyxError):
    """Shapes or element types contradict each other."""


class CompileError(SardonyxError):
    """Code generation failed; this is a fault of the engine, not of the model."""


class TargetError(SardonyxError):
    """No target has that name, this machine cannot execute it, or no target fits this machine."""


class RunError(SardonyxError):
    """A kernel met data it cannot compute with, e.g. an index out of range."""


def contradiction(step: str, error: ValueError) -> RunError:
    """What is told when a step in Python cannot take the sizes of a call."""
    return RunError(f"{step}: the sizes of this call contradict each other: {error}")
