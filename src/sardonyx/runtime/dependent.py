"""A model whose graph depends on what is fed: one program for each kind of feed, made when it first comes.

Must not know how programs are found or compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sardonyx.base.needs import Needs
from sardonyx.base.report import FallbackNote, Report
from sardonyx.base.signature import ModelMeta, TensorInfo
from sardonyx.runtime.plan import Signature
from sardonyx.runtime.program import CallTime, Program

Make = Callable[[Needs, tuple[Any, ...], Mapping[str, Any]], tuple[Program, Needs]]
"""(needs, their key, feeds by name) -> the program for such feeds, and the needs as known then."""

_MOST_PROGRAMS = 64


class DependentProgram:
    """Looks like a `Program` and runs the one that fits.

    Args:
        signature: what the model shows of itself.
        fed: the initialisers that are fed after the inputs, in the model's order.
        make: finds or compiles a program.
    """

    def __init__(self, signature: Signature, fed: Sequence[str], make: Make) -> None:
        self.inputs: tuple[TensorInfo, ...] = signature.inputs
        self.outputs: tuple[TensorInfo, ...] = signature.outputs
        self.initializer_inputs: tuple[TensorInfo, ...] = signature.initializer_inputs
        self.metadata: ModelMeta = signature.metadata
        self._names = [info.name for info in signature.inputs]
        self._names += [info.name for info in signature.initializer_inputs if info.name in fed]
        self._needs = signature.needs
        self._read = self._needs.reader(self._names)
        self._make = make
        self._programs: dict[tuple[Any, ...], Program] = {}
        self.report = Report()

    @property
    def fallbacks(self) -> tuple[FallbackNote, ...]:
        """What does not run native in the program used last."""
        return tuple(self.report.fallbacks)

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """See `Program.run`. Raises what compiling raises too."""
        return self._program(feeds).run(feeds, wanted)

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        """See `Program.profile`."""
        return self._program(feeds).profile(feeds)

    def _program(self, feeds: Sequence[Any]) -> Program:
        found = self._programs.get(self._read(feeds))
        return found if found is not None else self._new(feeds)

    def _new(self, feeds: Sequence[Any]) -> Program:
        by_name = dict(zip(self._names, feeds, strict=True))
        program, needs = self._make(self._needs, self._read(feeds), by_name)
        if needs != self._needs:
            self._needs, self._read = needs, needs.reader(self._names)
            self._programs.clear()
        if len(self._programs) >= _MOST_PROGRAMS:
            self._programs.pop(next(iter(self._programs)))
        self._programs[self._read(feeds)] = program
        compiles = self.report.counters.get("compiles", 0)
        self.report = Report.from_json(program.report.as_json())
        self.report.count("compiles", compiles)
        return program
