"""Native programs for x86-64: which passes and kernel families serve, how code is built.

Must not know ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal
from sardonyx.base.target import Target
from sardonyx.compiler.backend import Job
from sardonyx.compiler.bodies import NATIVE_CONTROL
from sardonyx.compiler.build import Build
from sardonyx.compiler.builder import Parts, build_program
from sardonyx.compiler.compile import described, refuse
from sardonyx.compiler.compiled import Compiled
from sardonyx.frontend import Loaded
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.place import Place
from sardonyx.kernels.families import NATIVE as FAMILIES
from sardonyx.kernels.families import Calls, native_calls
from sardonyx.kernels.loops import Emissions
from sardonyx.object import engine
from sardonyx.passes import PIPELINE
from sardonyx.runtime.cache import Cache
from sardonyx.targets.x86_64 import isa
from sardonyx.targets.x86_64.instructions import ROUND_BF16

NATIVE = FAMILIES | NATIVE_CONTROL
"""Primitives of kinds opaque and control that run in native code."""


def _rounding(goal: Goal) -> Target:
    """The goal's target, with an instruction that rounds as matrix registers do where these round."""
    tile, target = goal.find_matrix("f32"), goal.target
    if tile is None or tile.terms > 1:
        return target
    return replace(target, instructions=(*target.instructions, ROUND_BF16))


class X86Backend:
    """Makes the programs of one model of LLVM IR, joined into one image."""

    native = NATIVE
    pipeline = PIPELINE

    def __init__(self, goal: Goal) -> None:
        engine.begin()
        self.goal = goal
        self.emissions = Emissions(_rounding(goal))

    def calls(self, group: Group, places: Mapping[int, Place]) -> Calls:
        """The calls that compute a group, each with the IR modules it links to (by key)."""
        return native_calls(group, places, self.goal, self.emissions)

    def make(self, fusion: Fusion, loaded: Loaded, job: Job) -> Compiled:
        """The program in parts.

        Raises UnsupportedOp as `refuse` does, CompileError if LLVM refuses the code.
        """
        options = job.options
        self.goal = self.goal.over(fusion.graph.weight_bytes, grows=fusion.graph.grows)
        quick = options.effort != "full"
        with self.build(job.store, job.compiler, options.jobs, quick=quick) as build:
            parts = Parts(self, job.report, build)
            data = build_program(fusion, parts, job.trace)
            job.keep(parts.constants.arrays)
            data = job.trace.stage("assemble", described(data, loaded, job))
            if options.fallback == "error":
                refuse(job.report.fallbacks)
            for name in sorted(build.modules) if job.trace.prints_code else ():
                job.trace.code(f"{name.replace(' ', '_')}.ll", partial(build.ir, name))
            code = job.trace.stage("codegen", build.code(job.report))
        return Compiled(data, parts.constants.arrays, code, job.report)

    def build(self, store: Cache, compiler: str, jobs: int = 0, *, quick: bool = False) -> Build:
        """Where the modules of one program are compiled; see `Build`."""
        return Build(self.goal, isa.level(self.goal.target), store, compiler, jobs, quick=quick)
