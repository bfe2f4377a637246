"""Convolutions with another block of channels than the targets of today: no kernel knows its size."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.base.dataclass import replace
from sardonyx.base.policy import Goal, Policy
from sardonyx.base.report import Report
from sardonyx.compiler.builder import Parts, body_program
from sardonyx.ir.run import run
from sardonyx.runtime import cache
from sardonyx.runtime.program import Program
from sardonyx.runtime.weights import Weights
from sardonyx.store import identity
from sardonyx.targets.x86_64 import isa
from sardonyx.targets.x86_64.backend import X86Backend
from tests.runnable import need
from tests.tolerance import assert_close
from tests.unit.passes.graphs import parse

BLOCK = 32
TEXT = """
g (float[1,3,20,20] x) => (float[1,40,10,10] y)
{ a = Conv<pads = [1,1,1,1], strides = [2,2]>(x, v) r = Relu(a) y = Conv<pads = [1,1,1,1]>(r, w) }
"""


@pytest.mark.parametrize("precision", ["strict", "fp32"])
@pytest.mark.parametrize("level", [isa.V3, isa.V4], ids=lambda level: level.name)
def test_blocks_of_32(level: isa.Target, precision: str, rng: np.random.Generator) -> None:
    weights = {"v": (40, 3, 3, 3), "w": (40, 40, 3, 3)}
    given = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in weights.items()}
    graph, x = parse(TEXT, **given), rng.standard_normal((1, 3, 20, 20)).astype(np.float32)
    backend = X86Backend(Goal(replace(need(level), channel_block=BLOCK), Policy(precision)))
    with backend.build(cache.shared(), identity.build()) as build:
        parts = Parts(backend, Report(), build)
        data = body_program(graph, parts)
        image = build.code(parts.report).image
    program = Program(data, Weights(parts.constants.arrays), image, lambda: parts.report, threads=1)
    assert any("winograd" in k.plan for k in parts.report.kernels) == (
        precision == "fp32" and level is isa.V4
    ), "a panel of AVX2 holds no whole block"
    assert_close(program.run([x], [0])[0], run(graph, [x])[0], 9 * 40)
