"""What every program offers, native or not, and what a profiled run tells. Must not know how it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from sardonyx.base.report import Report
from sardonyx.runtime.fit import Change


class CallTime(NamedTuple):
    """One native call or host step of a profiled run.

    `busy_ns` is the time of the slowest thread inside it, `wait_ns` what then passes until the next begins.
    """

    name: str
    origins: tuple[str, ...]
    busy_ns: float
    wait_ns: float


class Runnable(Protocol):
    """What runs a model; see `Program`."""

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The wanted outputs."""
        ...

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """All outputs and what took how long."""
        ...

    @property
    def report(self) -> Report:
        """What the compiler decided."""
        ...


Special: TypeAlias = Callable[[Change], Runnable]
"""Makes another program of the same model, for feeds that break what the usual one assumes."""
