"""Which type a file is of, from its first and last bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.base.files import no_file
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks.answer import Answer, percent

CONFIG = "magika_config.json"


def make(task: str, model: str) -> Callable[[Any], Answer]:
    """The pipeline; it takes a path or bytes."""
    session = sardonyx.InferenceSession(str(pull(model)))
    config = json.loads(catalog().assets[CONFIG].path.read_text(encoding="utf-8"))

    def run(source: Any) -> Answer:
        data = source if isinstance(source, bytes) else content(source)
        if len(data) < config["min_file_size_for_dl"]:
            return Answer("too short to tell", [])
        (chances,) = session.run(None, {"bytes": features(data, config)[None]})
        order = np.argsort(-chances[0])[:3]
        names = config["target_labels_space"]
        rows = [{"type": names[at], "probability": float(chances[0, at])} for at in order]
        return Answer("\n".join(f"{percent(row['probability']):>6}  {row['type']}" for row in rows), rows)

    return run


def content(path: str | Path) -> bytes:
    """The bytes of a file; FetchError if there is none or it cannot be read."""
    if not Path(path).is_file():
        raise FetchError(no_file(path))
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror}") from error


def features(data: bytes, config: dict[str, Any]) -> Array:
    """The bytes after the blanks at the beginning and before those at the end, padded: int32 [2048]."""
    head = data[: config["block_size"]].lstrip()[: config["beg_size"]]
    tail = data[-config["block_size"] :].rstrip()[-config["end_size"] :]
    row = np.full(config["beg_size"] + config["end_size"], config["padding_token"], np.int32)
    row[: len(head)] = np.frombuffer(head, np.uint8)
    row[len(row) - len(tail) :] = np.frombuffer(tail, np.uint8)
    return row
