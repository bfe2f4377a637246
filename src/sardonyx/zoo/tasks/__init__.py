"""What models of the zoo are for: tasks that take a file or a text and answer as a person would want it.

`pipeline(task, model)` makes one; the table says which models each may use. Knows no command.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sardonyx.zoo.download import FetchError
from sardonyx.zoo.tasks.answer import Answer

Pipeline = Callable[..., Answer]


@dataclass(frozen=True)
class Task:
    """A row: what goes in and comes out, the file that does it, its models (the first by default)."""

    name: str
    takes: str
    gives: str
    home: str
    models: tuple[str, ...]


TASKS = {
    task.name: task
    for task in (
        Task("ocr", "picture", "the printed lines", "ocr", ("ppocrv4_rec",)),
        Task(
            "classify",
            "picture",
            "classes and probabilities",
            "pictures",
            (
                *("efficientnet_lite2", "efficientnet_lite0"),
                *("lcnet_orientation", "opennsfw_resnet50_thin", "mnist_cntk"),
            ),
        ),
        Task(
            "detect",
            "picture",
            "boxes, drawn on the picture",
            "detect",
            ("picodet_layout_cdla", "yolox_ddddocr_det"),
        ),
        Task("segment", "picture", "the foreground, cut out", "pictures", ("isnet_uint8", "isnet_fp16")),
        Task("embed", "texts", "a vector for each", "texts", ("minilm_l6_int8w",)),
        Task("search", "text and a file of texts", "the nearest lines", "texts", ("minilm_l6_int8w",)),
        Task("label", "text and labels", "which label fits", "texts", ("minilm_l6_int8w",)),
        Task(
            "wake-word",
            "sound",
            "when the word was said",
            "sounds",
            ("oww_hey_jarvis", "oww_alexa", "oww_hey_mycroft"),
        ),
        Task("voice", "sound", "when somebody speaks", "sounds", ("silero_vad_v6",)),
        Task("speech-quality", "sound", "scores from 1 to 5", "sounds", ("dnsmos_sig_bak_ovr",)),
        Task("speak", "text", "a wav file", "speak", ("piper_joe_vits",)),
        Task("file-type", "file", "what it is", "files", ("magika",)),
        Task("table", "rows of .csv and --model FILE", "an answer for each row", "rows", ()),
    )
}
OWN = {
    "classify": "sardonyx.zoo.tasks.own",
    "detect": "sardonyx.zoo.tasks.own",
    "table": "sardonyx.zoo.tasks.rows",
}


def task_of_file(path: str) -> Task:
    """What a model of one's own is for: by its metadata, and else by whether it takes a picture or columns.

    Raises:
        FetchError: it does not name a task, or cannot be loaded.
    """
    own = importlib.import_module("sardonyx.zoo.tasks.own")
    name = own.task_of(path)
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
    raise FetchError(f"there is no task {name!r}; there are {', '.join(TASKS)}")


def pipeline(task: str, model: str | None = None) -> Pipeline:
    """A callable for a task: it takes a path, an array or a text, and gives an Answer.

    Args:
        task: a task's name, that of a model, or an ONNX file whose metadata says what it is for.
        model: one of the task's models; for `classify`, `detect` and `table` also an ONNX file of one's own.

    Raises:
        FetchError: there is no such task or model, or it cannot be downloaded.
    """
    if _is_file(task):
        row, first = task_of_file(task), task
    else:
        row, first = task_of(task)
    chosen = model or first
    own = _is_file(chosen) and row.name in OWN
    if not chosen:
        raise FetchError(f"the task {row.name} needs a model; name an ONNX file")
    if not own and row.models and chosen not in row.models:
        raise FetchError(f"the task {row.name} has the models {', '.join(row.models)}, not {chosen!r}")
    home = importlib.import_module(OWN[row.name] if own else f"sardonyx.zoo.tasks.{row.home}")
    made: Pipeline = home.make(row.name, chosen)
    return made


def _is_file(name: str) -> bool:
    return name.endswith(".onnx") and Path(name).is_file()
