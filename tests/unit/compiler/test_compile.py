"""The compiler as a whole: stages can be watched, options are honoured, the report says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from sardonyx import frontend, targets
from sardonyx.base.knobs import CompileOptions
from sardonyx.base.policy import Goal
from sardonyx.compiler.backend import Job
from sardonyx.compiler.compile import compile_model
from sardonyx.errors import UnsupportedOp
from sardonyx.runtime import cache
from sardonyx.runtime.size_check import Overrides
from sardonyx.targets import backend
from sardonyx.targets.x86_64 import isa
from tests.conftest import Golden
from tests.runnable import need
from tests.unit.runtime.programs import WRITTEN, check, f32, linear, model, program
from tests.unit.stocked import stocked

SOFT = """
g (float[N,8] x) => (float[N,4] y) <float[8,4] w> { m = MatMul(x, w) a = Abs(m) b = Abs(a) y = Softmax(b) }
"""


def soft() -> bytes:
    return model(SOFT, w=f32(8, 4))


def test_stages_that_change_something_are_dumped(tmp_path: Path) -> None:
    program(soft(), cache="off", dump=str(tmp_path), verify=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    stages = [name.split("_")[1] for name in names if name.endswith(".txt") and "_" in name]
    assert stages[0] == "load.txt"
    assert "widen.txt" not in stages
    assert stages[-3:] == ["partition.txt", "lower.txt", "assemble.txt"]
    assert any(name.endswith("_contraction_f32_0.ll") for name in names)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["timings"][0]["stage"] == "load"
    assert report["counters"]["compiles"] > 0


def no_other(overrides: Overrides) -> NoReturn:
    raise AssertionError(overrides)


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the texts of all stages lie."""
    folder = tmp_path_factory.mktemp("dumped")
    options = CompileOptions.resolve(dump=str(folder))
    source = frontend.open_model(soft(), options)
    job = Job(options, cache.at(None), no_other, "")
    compile_model(lambda: frontend.load(source, options), backend(Goal(isa.V4)), job)
    return folder


@pytest.mark.parametrize("stage", ["partition", "lower", "assemble"])
def test_texts_of_stages(stage: str, dumped: Path, golden: Golden) -> None:
    (file,) = dumped.glob(f"*_{stage}.txt")
    lines = [
        " ".join(
            "KERNEL" if word[:1] == "k" and len(word.strip(":")) == 21 else word for word in line.split(" ")
        )
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    assert "\n".join(lines) + "\n" == golden


def test_the_debug_ladder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stocked(tmp_path)
    program(linear(), cache=str(tmp_path))
    assert capsys.readouterr().err == ""
    program(linear(), cache=str(tmp_path), debug=1)
    first = capsys.readouterr().err
    assert [line.split()[0] for line in first.splitlines()][:2] == ["load", "texts"]
    program(linear(), cache=str(tmp_path), debug=3)
    assert "1 kernel, 0 operators outside native code" in capsys.readouterr().err


def test_operators_outside_native_code_can_be_refused() -> None:
    program(linear(), fallback="error")
    with pytest.raises(UnsupportedOp, match=r"to_text \(Cast_1\) does not run native: .*fallback"):
        program(model(WRITTEN), fallback="error")


@pytest.mark.parametrize("target", ["x86_64-v3", "x86_64-v4"])
def test_the_target_can_be_chosen(target: str) -> None:
    need(targets.by_name(target))
    made = program(linear(), target=target)
    check(made, linear(), f32(37, 8))
    plans = [note.plan for note in made.report.kernels]
    assert plans


def test_sizes_in_constants_cost_no_step() -> None:
    made = program(model("g (float[N,M] x) => (int64[2] y) { y = Shape(x) }"))
    assert len(made.data.segments) == 1
    assert made.data.segments[0].host is None
    for rows in (3, 7):
        assert made.run((f32(rows, 2),), (0,))[0].tolist() == [rows, 2]
