"""Models of one's own that take whole pictures, as `sardonyx vision train` writes them.

Decides what a model says of itself; the picture goes in as it is, uint8 [height, width, 3].
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

import sardonyx
from sardonyx.frontend.summary import summarize
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.tasks import images
from sardonyx.zoo.tasks.answer import Answer, percent

TASKS = {"image-classification": "classify", "object-detection": "detect"}
GIVES = {"classify": ("label", "probabilities"), "detect": ("boxes", "labels", "scores")}
SHOWN = 5


def task_of(path: str) -> str:
    """The task of a file: of its metadata, `table` where it has columns, else ""."""
    summary = summarize(path)
    facts = summary.metadata.custom_metadata_map
    if facts.get("task") in TASKS:
        return TASKS[facts["task"]]
    flat = all(row.shape is not None and row.shape[1:] == (1,) for row in summary.inputs)
    return "table" if "columns" in facts or flat else ""


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline of a file; FetchError if it does not take pictures so or gives something else."""
    session = sardonyx.InferenceSession(model)
    inputs, outputs = session.get_inputs(), {row.name for row in session.get_outputs()}
    if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or not set(GIVES[task]) <= outputs:
        raise FetchError(
            f"{model} is not a model of {task} from uint8 pictures to {', '.join(GIVES[task])}, as "
            "`sardonyx vision train` writes it"
        )
    name = inputs[0].name
    labels = json.loads(session.get_modelmeta().custom_metadata_map.get("labels", "[]"))

    def run(source: Any) -> Answer:
        image = images.opened(source)
        answers = session.run(list(GIVES[task]), {name: np.asarray(image)})
        return _classified(labels, *answers) if task == "classify" else _detected(image, *answers)

    return run


def _classified(labels: list[str], label: Any, chances: Any) -> Answer:
    order = np.argsort(-chances[0], kind="stable")
    rows = [{"label": labels[at], "probability": float(chances[0, at])} for at in order]
    lines = [f"{percent(row['probability']):>6}  {row['label']}" for row in rows[:SHOWN]]
    said = str(label[0])
    if said != rows[0]["label"]:
        lines.insert(0, said)
    return Answer("\n".join(lines), {"label": said, "classes": rows})


def _detected(image: Any, boxes: Any, labels: Any, scores: Any) -> Answer:
    found = [
        {"label": str(label), "score": float(score), "box": [round(float(side), 1) for side in box]}
        for box, label, score in zip(boxes, labels, scores, strict=True)
    ]
    return images.marked(image, found)
