"""What every program offers, native or not, and what a profiled run tells. Must not know how it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from sardonyx.base.named import NamedTuple
from sardonyx.base.report import FallbackNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.runtime.size_check import Overrides


class CallTime(NamedTuple):
    """One native call or host step of a profiled run.

    `busy_ns` is the time of the slowest thread inside it, `wait_ns` what then passes until the next begins.
    `flops` and `traffic_bytes`: what it computes and must read and write; 0 = unknown.
    """

    name: str
    origins: tuple[str, ...]
    busy_ns: float
    wait_ns: float
    flops: int = 0
    traffic_bytes: int = 0


class Runnable(Protocol):
    """What runs a model; see `Program`."""

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs."""
        ...

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """All outputs and what took how long."""
        ...

    def compile_fully(self) -> None:
        """Have the full code now, where it was compiled quickly."""
        ...

    @property
    def report(self) -> Report:
        """What the compiler decided."""
        ...


class ModelProgram(Runnable, Protocol):
    """What runs a whole model, and what the model shows of itself."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Names, types and sizes of the inputs."""
        ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Those of the outputs."""
        ...

    @property
    def initializer_inputs(self) -> tuple[TensorInfo, ...]:
        """Those of the weights that may be fed."""
        ...

    @property
    def metadata(self) -> ModelMeta:
        """What the file says of itself."""
        ...

    @property
    def fallbacks(self) -> tuple[FallbackNote, ...]:
        """Operators without native code."""
        ...


MakeAlternative: TypeAlias = Callable[[Overrides], ModelProgram]
"""Makes another program of the same model, for feeds that break what the usual one assumes."""
