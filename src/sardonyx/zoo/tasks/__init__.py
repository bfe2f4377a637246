"""What models of the zoo are for: tasks that take a file or a text and answer as a person would want it.

`pipeline(task, model)` makes one; the table says which models each may use. Knows no command.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sardonyx.base.files import no_file
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import Model, alike, catalog
from sardonyx.zoo.catalog import model as catalogued
from sardonyx.zoo.fetch import fetch_asset
from sardonyx.zoo.tasks.answer import Answer

Pipeline = Callable[..., Answer]
PICTURE, SOUND = "images:opened", "sounds:samples"


@dataclass(frozen=True)
class Task:
    """A row: what goes in and comes out, the file that does it, its models (the first by default).

    `reads` is the function, as file:name, that reads the first input; without one it is taken as it is.
    """

    name: str
    takes: str
    gives: str
    home: str
    models: tuple[str, ...]
    reads: str = ""


TASKS = {
    task.name: task
    for task in (
        Task("ocr", "picture", "the printed lines", "ocr", ("ppocrv4_rec",), PICTURE),
        Task(
            "classify",
            "picture",
            "classes and probabilities",
            "pictures",
            (
                *("efficientnet_lite2", "efficientnet_lite0"),
                *("lcnet_orientation", "opennsfw_resnet50_thin", "mnist_cntk"),
            ),
            PICTURE,
        ),
        Task(
            "detect",
            "picture",
            "boxes, drawn on the picture",
            "detect",
            ("picodet_layout_cdla", "yolox_ddddocr_det"),
            PICTURE,
        ),
        Task(
            "segment",
            "picture",
            "the foreground, cut out",
            "pictures",
            ("isnet_uint8", "isnet_fp16"),
            PICTURE,
        ),
        Task("embed", "texts", "a vector for each", "texts", ("minilm_l6_int8w",)),
        Task("search", "text and a file of texts", "the nearest lines", "texts", ("minilm_l6_int8w",)),
        Task("label", "text and labels", "which label fits", "texts", ("minilm_l6_int8w",)),
        Task(
            "wake-word",
            "sound",
            "when the word was said",
            "sounds",
            ("oww_hey_jarvis", "oww_alexa", "oww_hey_mycroft"),
            SOUND,
        ),
        Task("voice", "sound", "when somebody speaks", "sounds", ("silero_vad_v6",), SOUND),
        Task("speech-quality", "sound", "scores from 1 to 5", "sounds", ("dnsmos_sig_bak_ovr",), SOUND),
        Task("speak", "text", "a wav file", "speak", ("piper_joe_vits",)),
        Task("file-type", "file", "what it is", "files", ("magika",), "files:content"),
        Task("table", "rows of .csv and --model FILE", "an answer for each row", "rows", (), "rows:table"),
    )
}
OWN = {"classify": "own", "detect": "own", "table": "rows"}


def task_of_file(path: str) -> Task:
    """What a model of one's own is for: by its metadata, and else by whether it takes a picture or columns.

    Raises:
        FetchError: it does not name a task, or cannot be loaded.
    """
    name = _home("own").task_of(path)
    if name not in OWN:
        raise FetchError(
            f"{path} does not say what it is for; --model {path} with one of the tasks {', '.join(OWN)}"
        )
    return TASKS[name]


def task_of(name: str) -> tuple[Task, str]:
    """The task of that name with its first model, or the task of a model with that model."""
    if name in TASKS:
        return TASKS[name], next(iter(TASKS[name].models), "")
    for task in TASKS.values():
        if name in task.models:
            return task, name
    if name.endswith(".onnx"):
        raise FetchError(no_file(name))
    names = [*TASKS, *(model for task in TASKS.values() for model in task.models)]
    raise FetchError(f"there is no task {name!r}{alike(name, names)}; there are {', '.join(TASKS)}")


def tasks_of(model: str) -> list[str]:
    """The tasks that a model of the zoo is for.

    Raises:
        KeyError: the zoo has no model of that name; the message tells names that are like it.
    """
    name = catalogued(model).name
    return [task.name for task in TASKS.values() if name in task.models]


def sampled(name: str, model: str | None = None) -> tuple[str, str, list[str]]:
    """The task, model and inputs of a sample: that of a model, or of the first of a task that has one.

    Raises:
        FetchError: there is no such task or model, it has no sample, or its files cannot be brought.
    """
    task, first = task_of(name)
    names = [model] if model else list(task.models) if name in TASKS else [first]
    rows = [row for one in names if (row := catalog().models.get(one)) and _suits(row, name)]
    if not rows:
        raise FetchError(f"there is no sample of {' or '.join(names) or name}; give {task.takes}")
    sample = rows[0].sample
    assert sample is not None
    inputs = [str(fetch_asset(text)) if text in catalog().assets else text for text in sample.inputs]
    return sample.task, rows[0].name, inputs


def _suits(row: Model, name: str) -> bool:
    return row.sample is not None and (name not in TASKS or row.sample.task == name)


def pipeline(task: str, model: str | None = None) -> Pipeline:
    """A callable for a task: it takes a path, an array or a text, and gives an Answer.

    Args:
        task: a task's name, that of a model, or an ONNX file whose metadata says what it is for.
        model: one of the task's models; for `classify`, `detect` and `table` also an ONNX file of one's own.

    Raises:
        FetchError: there is no such task or model, or it cannot be downloaded.
    """
    return _made(*_chosen(task, model))


def answered(task: str, model: str | None, inputs: Sequence[str]) -> Answer:
    """What a task says of inputs, which are read before the model is brought and loaded.

    Raises:
        FetchError: as `pipeline`, or an input is not what the task takes.
    """
    row, chosen = _chosen(task, model)
    first, *others = inputs
    if row.reads:
        if others:
            raise FetchError(f"the task {row.name} takes one {row.takes}; {others[0]} is too many")
        home, name = row.reads.split(":")
        read = getattr(_home(home), name)(first)
        return _made(row, chosen)(read)
    return _made(row, chosen)(*inputs)


def _chosen(task: str, model: str | None) -> tuple[Task, str]:
    """The task and its model; FetchError if there is no such, or they do not belong together."""
    if _is_file(task):
        row, first = task_of_file(task), task
    else:
        row, first = task_of(task)
    chosen = model or first
    if not chosen:
        raise FetchError(f"the task {row.name} needs a model; name an ONNX file")
    if not _is_own(row, chosen) and row.models and chosen not in row.models:
        raise FetchError(f"the task {row.name} has the models {', '.join(row.models)}, not {chosen!r}")
    return row, chosen


def _made(row: Task, model: str) -> Pipeline:
    made: Pipeline = _home(OWN[row.name] if _is_own(row, model) else row.home).make(row.name, model)
    return made


def _home(name: str) -> ModuleType:
    return importlib.import_module(f"sardonyx.zoo.tasks.{name}")


def _is_own(row: Task, model: str) -> bool:
    return _is_file(model) and row.name in OWN


def _is_file(name: str) -> bool:
    return name.endswith(".onnx") and Path(name).is_file()
