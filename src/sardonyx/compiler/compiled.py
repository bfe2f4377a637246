"""A native program in parts, as the compiler leaves it and the store keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.base.dataclass import dataclass
from sardonyx.base.deferred import Constant
from sardonyx.base.report import Report
from sardonyx.compiler.build import Code
from sardonyx.runtime.data import ProgramData


@dataclass(frozen=True, slots=True)
class Compiled:
    """Data, constants, machine code, and the report."""

    data: ProgramData
    weights: Sequence[Constant]
    code: Code
    report: Report
