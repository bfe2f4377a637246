"""Trainings of collections, one at a time on a thread, with what they have come to.

Decides what a training of labelled pictures leaves behind; must not know how that is shown.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sardonyx.errors import SardonyxError
from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.studio.collections import Collection
from sardonyx.vision.writing import written

MODEL, RECORD, REPORT, MISTAKES = "model.onnx", "model.vision.json", "report.html", "mistakes.json"
MOST_MISTAKES = 60


@dataclass(frozen=True)
class Progress:
    """How far a training is: `running`, `done` or `failed`, how many pictures were looked at, and why not."""

    state: str
    done: int = 0
    total: int = 0
    why: str = ""


@dataclass(frozen=True)
class Mistake:
    """A picture that a head which had not learned it took for something else."""

    file: str
    was: str
    said: str
    chance: float


class Trainings:
    """The trainings of this process."""

    def __init__(self) -> None:
        self._progress: dict[str, Progress] = {}
        self._lock = threading.Lock()

    def progress(self, collection: Collection) -> Progress | None:
        """How far its training is; None if there was none since this process began."""
        return self._progress.get(collection.name)

    def begin(self, collection: Collection) -> None:
        """Train on all that have labels; VisionError if some training runs."""
        with self._lock:
            busy = [name for name, row in self._progress.items() if row.state == "running"]
            if busy:
                raise VisionError(f"{busy[0]} is trained right now; wait until that is done")
            count = sum(1 for row in collection.pictures if row.label)
            self._progress[collection.name] = Progress("running", 0, count)
        threading.Thread(target=self._train, args=(collection,), daemon=True).start()

    def _train(self, collection: Collection) -> None:
        name = collection.name

        def told(done: int, total: int) -> None:
            self._progress[name] = Progress("running", done, total)

        try:
            train(collection, told)
        except (SardonyxError, ImportError, OSError) as error:
            self._progress[name] = Progress("failed", why=str(error))
        except Exception as error:
            self._progress[name] = Progress("failed", why=f"{type(error).__name__}: {error}")
            raise
        else:
            self._progress[name] = Progress("done")


def train(collection: Collection, told: Any = None) -> None:
    """Train, and leave the model, its record, a report and the mistakes in the collection's folder.

    Raises:
        VisionError: there is too little to learn from.
    """
    from sardonyx.vision.report import page
    from sardonyx.vision.training import train as trained_on

    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(("file", "labels"))
    for row in collection.pictures:
        if row.label:
            table.writerow((f"pictures/{row.file}", "" if row.label == NONE else row.label))
    listed = collection.folder / "labels.csv"
    written({listed: file.getvalue().encode()})
    result = trained_on(listed, None, told)
    names = result.classes
    mistakes = [
        {
            "file": result.pictures.files[at].name,
            "was": names[int(result.truth[at].argmax())],
            "said": names[int(result.chances[at].argmax())],
            "chance": float(result.chances[at].max()),
        }
        for at in result.wrong()[:MOST_MISTAKES]
    ]
    pages = {
        collection.folder / REPORT: page(result, collection.name),
        collection.folder / MISTAKES: json.dumps(mistakes),
    }
    result.save(collection.folder / MODEL, pages)


def record(collection: Collection) -> dict[str, Any] | None:
    """What the last training measured; None if there was none."""
    found: dict[str, Any] | None = _read(collection.folder / RECORD)
    return found


def mistakes(collection: Collection) -> list[Mistake]:
    """The surest mistakes of the last training, of pictures that are still there."""
    known = {row.file for row in collection.pictures}
    rows = [Mistake(**row) for row in _read(collection.folder / MISTAKES) or []]
    return [row for row in rows if row.file in known]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
