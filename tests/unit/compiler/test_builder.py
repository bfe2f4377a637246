"""Groups become calls in order; what Python must run is a step of its own, and the report says which."""

from __future__ import annotations

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.base.report import Report
from sardonyx.compiler.builder import Parts, body_program
from sardonyx.ir.graph import Graph
from sardonyx.runtime import cache
from sardonyx.runtime.data import ProgramData
from sardonyx.store import identity
from sardonyx.targets.x86_64.backend import X86Backend
from tests.unit.passes.graphs import parse


def program(graph: Graph) -> tuple[ProgramData, Report]:
    backend = X86Backend(Goal(targets.detect()))
    with backend.build(cache.shared(), identity.build(), jobs=1) as build:
        parts = Parts(backend, Report(), build)
        data = body_program(graph, parts)
        called = [name for segment in data.segments for name in segment.functions]
        texts = "".join(build.ir(name) for name in build.modules)
        assert all(f"@{name}(" in texts for name in called), "every call has its module"
    return data, parts.report


def test_one_segment_of_calls() -> None:
    text = "g (float[N,4] x) => (float y) { e = Exp(x) y = ReduceSum<keepdims = 0>(e) }"
    data, report = program(parse(text))
    (segment,) = data.segments
    assert segment.host is None
    assert len(report.kernels) == len(segment.functions) >= 1
    assert report.fallbacks == []
    assert [spec.name for spec in data.inputs] == ["x"]


def test_python_runs_between_segments() -> None:
    data, report = program(parse("g (string[N] s) => (string[N] y) { y = StringConcat(s, s) }"))
    assert [segment.host is not None for segment in data.segments] == [True, False]
    (note,) = report.fallbacks
    assert note.reason == "no native kernel"


def test_bodies_that_are_not_native_run_from_python() -> None:
    graph = parse("""g (bool c, string[N] s) => (string[N] y) { y = If (c) <
        then_branch = t () => (string[N] a) { a = StringConcat(s, s) },
        else_branch = e () => (string[N] b) { b = Identity(s) }> }""")
    data, report = program(graph)
    assert any(segment.host is not None for segment in data.segments)
    assert [note.plan for note in report.kernels if note.kind == "control"] == ["bodies run from Python"]


def test_bodies_that_are_native_are_jumps() -> None:
    graph = parse("""g (bool c, float[4] x) => (float[4] y) { y = If (c) <
        then_branch = t () => (float[4] a) { a = Exp(x) },
        else_branch = e () => (float[4] b) { b = Sin(x) }> }""")
    data, report = program(graph)
    assert len(data.segments) == 1
    assert [note.plan for note in report.kernels if note.kind == "control"] == ["native jumps"]
