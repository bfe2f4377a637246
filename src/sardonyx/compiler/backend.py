"""What a target's folder says: what is native, which passes run, how a program is made of groups.

The compiler's stages in order are in compile.py; all that depends on the target stands behind this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from sardonyx.base.dataclass import dataclass, field
from sardonyx.base.deferred import Constant
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.policy import Goal
from sardonyx.base.report import Report
from sardonyx.base.trace import Trace
from sardonyx.compiler.compiled import Compiled
from sardonyx.frontend import Loaded
from sardonyx.ir.graph import Graph
from sardonyx.ir.group import Fusion
from sardonyx.runtime.cache import Cache
from sardonyx.runtime.data import Closing
from sardonyx.runtime.runnable import MakeAlternative, ModelProgram

Pass: TypeAlias = Callable[[Graph, Goal], Graph]


@dataclass(frozen=True, slots=True)
class Job:
    """One compilation.

    Attributes:
        options: what the user asks for.
        store: where objects are kept.
        alternative: makes the programs for feeds that this one does not serve.
        compiler: a digest of this package's code, on which the texts of shared modules depend.
        keep: is given the program's constants when all are known, to keep them while code is generated.
        report: what was decided.
        trace: what names, times, verifies and may dump the stages.
        closing: what is to be made of the outputs of the groups.
    """

    options: CompileOptions
    store: Cache
    alternative: MakeAlternative
    compiler: str
    keep: Callable[[Sequence[Constant]], object] = list
    report: Report = field(default_factory=Report)
    trace: Trace = field(default_factory=Trace.off)
    closing: Closing | None = None


class Backend(Protocol):
    """Makes programs for a goal."""

    @property
    def goal(self) -> Goal:
        """The machine and the policy."""

    @property
    def native(self) -> frozenset[str]:
        """Primitives of kinds opaque and control that it executes; the others run on the host."""

    @property
    def pipeline(self) -> tuple[Pass, ...]:
        """The passes over a graph, in order."""

    def make(self, fusion: Fusion, loaded: Loaded, job: Job) -> Compiled | ModelProgram:
        """The program of groups: in parts that can be kept and started, or as it runs."""
