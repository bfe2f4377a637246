"""A target of one's own: a family and a backend in one file, known once it stands in the list of families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

import sardonyx
from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.base.report import KernelNote
from sardonyx.base.target import Target
from sardonyx.compiler.backend import Job
from sardonyx.compiler.compile import described, outline
from sardonyx.frontend import Loaded
from sardonyx.fuse.run import Memory, run_group
from sardonyx.ir.group import Fusion
from sardonyx.passes.algebra import algebra
from sardonyx.passes.widen import widen
from sardonyx.runtime.data import ProgramData
from sardonyx.runtime.runnable import CallTime
from sardonyx.runtime.size_check import SizeCheck
from sardonyx.targets.detect import host
from sardonyx.targets.host import Host

ABACUS = Target("abacus", "", "", (), lanes=1)
MODEL = """<ir_version: 10, opset_import: ["" : 20]>
agraph (float[N, 3] x, float[3, 2] w) => (float[N, 2] y) { p = MatMul(x, w)  y = Relu(p) }"""


class Counted:
    """A program whose groups are computed one after the other by what they mean."""

    def __init__(self, fusion: Fusion, data: ProgramData, job: Job) -> None:
        self.fusion, self.report = fusion, job.report
        self.inputs, self.outputs = data.inputs, data.outputs
        self.initializer_inputs, self.metadata = data.initializer_inputs, data.metadata
        self.fallbacks = data.fallbacks
        self.check = SizeCheck(data, whole=True)

    def run(self, feeds: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        self.check.sizes(feeds)
        memory = Memory(self.fusion, feeds)
        for group in self.fusion.groups:
            run_group(group, memory)
            memory.note(group.root)
        results = memory.outputs()
        return [results[number].copy() for number in wanted]

    def profile(self, feeds: Sequence[Any]) -> tuple[list[Any], list[CallTime]]:
        return self.run(feeds, range(len(self.outputs))), []


class Backend:
    native = frozenset[str]()
    pipeline = (widen, algebra)

    def __init__(self, goal: Goal) -> None:
        self.goal = goal

    def make(self, fusion: Fusion, loaded: Loaded, job: Job) -> Counted:
        for group in fusion.groups:
            job.report.kernels.append(KernelNote(group.name, group.root.origins, "bead", "one by one"))
        return Counted(fusion, described(outline(fusion.graph), loaded, job), job)


class Family:
    targets = (ABACUS,)

    def with_features(self, target: Target, features: Sequence[str]) -> Target:
        return target

    def features(self, machine: str, system: str) -> frozenset[str]:
        return frozenset({"beads"} if machine == "abacus" else ())

    def unit_bits(self, machine: str, system: str) -> int:
        return 0

    def missing(self, target: Target, host: Host) -> tuple[str, ...]:
        return ()

    def choose(self, host: Host) -> Target | None:
        return ABACUS if host.machine == "abacus" else None

    def backend(self, goal: Goal) -> Backend:
        return Backend(goal)


@pytest.fixture
def abacus() -> Iterator[None]:
    targets.FAMILIES.append(Family())
    yield
    targets.FAMILIES.pop()


@pytest.mark.usefixtures("abacus")
def test_a_session_runs_on_it(rng: np.random.Generator) -> None:
    options = sardonyx.SessionOptions()
    options.add_session_config_entry("sardonyx.target", "abacus")
    model = onnx.parser.parse_model(MODEL).SerializeToString()
    session = sardonyx.InferenceSession(model, options)
    w = rng.normal(size=(3, 2)).astype(np.float32)
    for rows in (1, 4):
        x = rng.normal(size=(rows, 3)).astype(np.float32)
        (y,) = session.run(None, {"x": x, "w": w})
        np.testing.assert_allclose(y, np.maximum(x @ w, 0), rtol=1e-5, atol=1e-6)
    assert {note.kind for note in session.report.kernels} == {"bead"}


@pytest.mark.usefixtures("abacus")
def test_its_folder_says_what_a_machine_of_its_kind_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "Abacus")
    found = host(targets.FAMILIES)
    assert (found.machine, found.features) == ("abacus", {"beads"})


@pytest.mark.usefixtures("abacus")
def test_a_machine_of_its_kind_is_given_it() -> None:
    assert targets.choose(Host("abacus", frozenset())) is ABACUS
    with pytest.raises(sardonyx.errors.TargetError, match="x86_64-v4, x86_64-v3, reference, abacus"):
        targets.by_name("fingers")
