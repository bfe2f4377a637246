"""Pipelines: steps in Python and models as one, what becomes of them when a step changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import InferRequest, RequestedOutput, Tensor
from sardonyx.serve.core import Core
from tests.serve.models import repository, save
from tests.serve.test_core import scaled
from tests.unit.serve.steps import with_core

PREPARE = """
import numpy as np

def run(text):
    if text[0, 0] == b"fail":
        raise RuntimeError("as asked")
    return {"numbers": np.array([[float(len(item)), 1.0] for item in text[:, 0]], np.float32)}
"""
PREPARE_CONFIG = """
max_batch_size: 8
input [ { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "numbers" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""
PIPELINE_CONFIG = """
max_batch_size: 8
input [ { name: "sentence" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "score" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling { step [
  { model_name: "prepare" model_version: -1
    input_map { key: "text" value: "sentence" } output_map { key: "numbers" value: "n" } },
  { model_name: "scale" model_version: -1
    input_map { key: "x" value: "n" } output_map { key: "y" value: "score" } }
] }
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    repository(tmp_path, {"scale": (scaled(10.0), "")})
    for name, config in (("prepare", PREPARE_CONFIG), ("pipeline", PIPELINE_CONFIG)):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "config.pbtxt").write_text(config)
    (tmp_path / "prepare" / "1" / "model.py").write_text(PREPARE)
    return tmp_path


def test_a_pipeline_of_python_and_a_model(pipeline: Path) -> None:
    texts = np.array([[b"four"], [b"a"]], object)

    async def use(core: Core) -> Any:
        assert core.metadata("pipeline")["platform"] == "ensemble"
        question = InferRequest("pipeline", [Tensor("sentence", "BYTES", (2, 1), texts)])
        return (await core.infer(question)).outputs

    (score,) = with_core(pipeline, use)
    assert score.name == "score"
    assert score.data.tolist() == [[40.0, 10.0], [10.0, 10.0]]


WIDE = scaled(10.0).replace("2]", "3]")


@pytest.mark.parametrize("way", ["reloaded", "unloaded", "removed"])
def test_a_pipeline_whose_step_does_not_fit_any_more_says_so_and_comes_back(pipeline: Path, way: str) -> None:
    question = InferRequest("pipeline", [Tensor("sentence", "BYTES", (1, 1), np.array([[b"four"]], object))])

    async def change(core: Core) -> None:
        if way == "reloaded":
            save(WIDE, pipeline / "scale/1/model.onnx")
            await core.load("scale")
        elif way == "unloaded":
            await core.unload("scale")
        else:
            shutil.move(pipeline / "scale", pipeline.parent / "away")
            await core.refresh()

    async def back(core: Core) -> None:
        if way == "reloaded":
            repository(pipeline, {"scale": (scaled(10.0), "")})
        elif way == "removed":
            shutil.move(pipeline.parent / "away", pipeline / "scale")
        await (core.load("scale") if way == "unloaded" else core.refresh())

    async def use(core: Core) -> None:
        await core.infer(replace(question))
        await change(core)
        row = next(row for row in core.index() if row["name"] == "pipeline")
        assert row["state"] == "UNAVAILABLE" and "ensemble 'pipeline': step 'scale'" in row["reason"]
        assert not core.ready("pipeline") and core.repository.versions("pipeline") == []
        with pytest.raises(ServeError, match="'pipeline' is not ready: .*step 'scale'") as caught:
            await core.infer(replace(question))
        assert caught.value.code is Code.UNAVAILABLE
        await back(core)
        assert core.ready("pipeline") and core.ready()
        await core.infer(replace(question))

    with_core(pipeline, use)


def test_a_pipeline_of_a_pipeline_is_as_ready_as_that(pipeline: Path) -> None:
    outer = (
        PIPELINE_CONFIG.split("ensemble_scheduling")[0]
        + """ensemble_scheduling { step [
      { model_name: "pipeline" model_version: -1 input_map { key: "sentence" value: "sentence" }
        output_map { key: "score" value: "score" } } ] }"""
    )
    (pipeline / "around/1").mkdir(parents=True)
    (pipeline / "around/config.pbtxt").write_text(outer)

    async def use(core: Core) -> None:
        assert core.ready("around")
        await core.unload("scale")
        reasons = {row["name"]: row["reason"] for row in core.index()}
        assert reasons["around"].startswith("ensemble 'around': step 'pipeline': ")
        assert "step 'scale'" in reasons["around"] and "unloaded" in reasons["around"]
        await core.load("scale")
        assert core.ready("around") and core.ready("pipeline")

    with_core(pipeline, use)


def test_a_pipeline_that_was_refused_for_its_step_is_loaded_once_that_fits(pipeline: Path) -> None:
    save(WIDE, pipeline / "scale/1/model.onnx")

    async def use(core: Core) -> None:
        assert not core.ready("pipeline")
        repository(pipeline, {"scale": (scaled(10.0), "")})
        await core.load("scale")
        assert core.ready("pipeline")

    with_core(pipeline, use)


def test_a_new_configuration_of_a_pipeline_waits_for_its_step(pipeline: Path) -> None:
    told = pipeline / "pipeline/config.pbtxt"

    async def use(core: Core) -> None:
        told.write_text(PIPELINE_CONFIG.replace('key: "x"', 'key: "z"'))
        await core.refresh()
        reason = next(row["reason"] for row in core.index() if row["name"] == "pipeline")
        assert reason.startswith("the old file goes on serving") and core.ready("pipeline")
        repository(
            pipeline,
            {"scale": (scaled(10.0).replace("float[N, 2] x", "float[N, 2] z").replace("Mul(x", "Mul(z"), "")},
        )
        await core.refresh()
        assert core.ready("pipeline")

    with_core(pipeline, use)


def test_a_pipeline_has_the_labels_of_its_configuration_or_of_the_step_that_answers(pipeline: Path) -> None:
    question = InferRequest("pipeline", [Tensor("sentence", "BYTES", (1, 1), np.array([[b"four"]], object))])

    async def use(core: Core) -> Any:
        asked = replace(question, outputs=[RequestedOutput("score", {"classification": 1})])
        return (await core.infer(asked)).outputs[0].data[0, 0].partition(b":")[2]

    assert with_core(pipeline, use) == b"0"
    (pipeline / "scale/names.txt").write_text("much\nlittle\n")
    (pipeline / "scale/config.pbtxt").write_text(
        "max_batch_size: 8 output [ { name: 'y' label_filename: 'names.txt' } ]"
    )
    assert with_core(pipeline, use) == b"0:much"
    told = PIPELINE_CONFIG.replace("dims: [ 2 ] }", "dims: [ 2 ] label_filename: 'own.txt' }")
    (pipeline / "pipeline/config.pbtxt").write_text(told)
    (pipeline / "pipeline/own.txt").write_text("great\nsmall\n")
    assert with_core(pipeline, use) == b"0:great"


def test_a_step_that_fails_is_named(pipeline: Path) -> None:
    async def use(core: Core) -> None:
        text = np.array([[b"fail"]], object)
        question = InferRequest("pipeline", [Tensor("sentence", "BYTES", (1, 1), text)])
        with pytest.raises(ServeError, match="model 'prepare' failed: RuntimeError: as asked"):
            await core.infer(question)

    with_core(pipeline, use)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('value: "n" } }', 'value: "m" } }'), "'n' is made by no step"),
        (('value: "score"', 'value: "n"'), "made twice"),
        (('value: "sentence" }', 'value: "score" }'), "waits for itself"),
    ],
)
def test_a_pipeline_that_does_not_fit_together_is_refused(
    pipeline: Path, change: tuple[str, str], reason: str
) -> None:
    (pipeline / "pipeline" / "config.pbtxt").write_text(PIPELINE_CONFIG.replace(*change))

    async def use(core: Core) -> list[dict[str, str]]:
        return core.index()

    rows = {row["name"]: row for row in with_core(pipeline, use)}
    assert reason in rows["pipeline"]["reason"]


def test_a_pipeline_is_unloaded_with_its_models(pipeline: Path) -> None:
    async def use(core: Core) -> list[str]:
        await core.unload("pipeline", dependents=True)
        return [row["name"] for row in core.index(ready=True)]

    assert with_core(pipeline, use) == []
