"""Groups -> the program of a machine: calls in order, records, constants, and the IR modules they need.

Knows groups, calls and control flow; must not know passes, ONNX or which machine it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sardonyx.base.dataclass import dataclass, field, replace
from sardonyx.base.report import KernelNote, Report
from sardonyx.base.trace import Trace
from sardonyx.compiler.assemble import Assembler
from sardonyx.compiler.backend import Backend
from sardonyx.compiler.bodies import CONTROL, NATIVE_CONTROL, add_control, control_step
from sardonyx.compiler.build import Build
from sardonyx.compiler.compile import outline, simplify
from sardonyx.compiler.storages import Constants
from sardonyx.fuse.partition import partition
from sardonyx.ir.graph import Graph, symbols_of
from sardonyx.ir.group import Fusion, Group
from sardonyx.ir.place import Place
from sardonyx.kernels.call import NativeCall
from sardonyx.kernels.families import Calls
from sardonyx.runtime.data import ProgramData
from sardonyx.runtime.host import HostOperation


class Machine(Backend, Protocol):
    """A backend whose groups become calls of native code."""

    def calls(self, group: Group, places: Mapping[int, Place]) -> Calls:
        """The calls that compute a group, each with the IR modules it links to (by key)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a program and those inside it share: machine code, constants, the report."""

    backend: Machine
    report: Report
    build: Build
    constants: Constants = field(default_factory=Constants)


def body_program(graph: Graph, parts: Parts) -> ProgramData:
    """The program of a graph inside another one; what it needs is added to `parts`."""
    fusion = partition(simplify(graph, parts.backend, Trace.off()), parts.backend.native)
    parts.report.decisions.extend(fusion.decisions)
    return build_program(fusion, parts, Trace.off())


def build_program(fusion: Fusion, parts: Parts, trace: Trace) -> ProgramData:
    """The program of groups; what it needs is added to `parts`."""
    builder = Builder(fusion, parts)
    builder.add(fusion)
    trace.stage("lower", builder.calls)
    return builder.data()


class Builder:
    """Lowers groups to calls and appends them to one program."""

    def __init__(self, fusion: Fusion, parts: Parts) -> None:
        known = {name for value in fusion.graph.inputs for name in symbols_of(value)}
        self.assembler = Assembler(fusion, sorted(known), parts.constants)
        self.parts = parts
        self.calls: list[NativeCall] = []

    def add(self, fusion: Fusion) -> None:
        """Append all groups of the program's graph or of a graph inside it."""
        for group in fusion.groups:
            self._add_group(fusion, group)

    def _add_group(self, fusion: Fusion, group: Group) -> None:
        root, report = group.root, self.parts.report
        if group.kind == "host" and root.prim in CONTROL:
            step = control_step(root, lambda body: body_program(body, self.parts))
            self.assembler.host(root, step, root.args)
            report.kernels.append(KernelNote(step.name, root.origins, "control", "bodies run from Python"))
        elif group.kind == "host":
            self.assembler.host(root, HostOperation.of(root), root.args)
            report.note_host(root.prim, root.origins)
        elif root.prim in NATIVE_CONTROL:
            add_control(self.assembler, fusion, root, self.parts.backend.native, self.add)
            report.kernels.append(KernelNote(root.prim, root.origins, "control", "native jumps"))
        else:
            for call, modules in self.parts.backend.calls(group, fusion.places):
                for name, text in modules.items():
                    self.parts.build.add(name, text)
                self.assembler.call(call)
                self.calls.append(call)
                note_call = KernelNote(call.symbol, call.origins, call.kind, call.plan, call.arithmetic)
                report.kernels.append(note_call)
        self.assembler.computed(root)

    def data(self) -> ProgramData:
        """The finished program; its inputs have the names of the graph's."""
        assembler = self.assembler
        assembler.settle()
        results = assembler.results()
        assembler.close()
        return replace(
            outline(assembler.fusion.graph),
            storages=assembler.specs(),
            segments=tuple(assembler.segments),
            results=results,
        )
