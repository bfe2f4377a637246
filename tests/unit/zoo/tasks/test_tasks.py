"""The table of tasks: each has its file and its models, and what is none is named."""

from __future__ import annotations

import importlib

import pytest

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.tasks import TASKS, pipeline, task_of, tasks_of


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_what_it_names(name: str) -> None:
    task = TASKS[name]
    assert task.name == name and set(task.models) <= set(catalog().models)
    assert callable(importlib.import_module(f"sardonyx.zoo.tasks.{task.home}").make)


def test_samples_of_models_are_of_tasks() -> None:
    for model in catalog().models.values():
        if model.sample is not None:
            assert task_of(model.sample.task)[0].name == model.sample.task


def test_a_task_by_its_name_or_a_model() -> None:
    assert task_of("voice") == (TASKS["voice"], "silero_vad_v6")
    assert task_of("isnet_fp16") == (TASKS["segment"], "isnet_fp16")
    assert task_of("table") == (TASKS["table"], "")


@pytest.mark.parametrize(
    ("task", "model", "told"),
    [
        ("cook", None, "no task 'cook'; there are ocr, "),
        ("table", None, "the task table needs a model; name an ONNX file"),
        ("ocr", "magika", "the task ocr has the models ppocrv4_rec, not 'magika'"),
    ],
)
def test_what_there_is_not(task: str, model: str | None, told: str) -> None:
    with pytest.raises(FetchError, match=told):
        pipeline(task, model)


def test_tasks_of_a_model_that_the_zoo_has() -> None:
    assert tasks_of("minilm_l6_int8w") == ["embed", "search", "label"]
    assert tasks_of("oww_embedding") == []
    with pytest.raises(KeyError, match="the zoo has no model 'isnet_uint'; is it isnet_uint8"):
        tasks_of("isnet_uint")
