"""What a training of a collection leaves in its folder: the model, its record, a report, the mistakes.

Decides how what people said becomes a data set; must not know when that is done or how it is shown.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sardonyx.base.together import written
from sardonyx.vision.pictures import NONE, VisionError, size_of
from sardonyx.vision.studio.collections import Collection, Mark, Picture, marks_of

if TYPE_CHECKING:
    from pathlib import Path

    from sardonyx.vision.boxes.precision import Boxes
    from sardonyx.vision.boxes.training import TrainedBoxes
    from sardonyx.vision.training import Trained

MODEL, RECORD, REPORT, MISTAKES = "model.onnx", "model.vision.json", "report.html", "mistakes.json"
MOST_MISTAKES = 60
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Mistake:
    """A picture that a head which had not learned it took for something else.

    Attributes:
        was, said: in words, what people and what the head say stands on it.
        chance: how sure the head was; None where there are boxes.
        found: the boxes that it found.
    """

    file: str
    was: str
    said: str
    chance: float | None = None
    found: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A measure on unseen pictures; where it is known, within which it lies for 95 of 100 draws of them."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def train(collection: Collection, told: Told | None = None) -> None:
    """Train, and leave all or nothing of what comes of it in the collection's folder.

    Raises:
        VisionError: there is too little to learn from.
    """
    rows = [row for row in collection.pictures if row.marks is not None]
    if not rows:
        raise VisionError("label some pictures first")
    learned = _boxes if collection.kind == "boxes" else _labels
    result, page, mistakes = learned(collection, rows, told)
    pages = {
        collection.folder / REPORT: page,
        collection.folder / MISTAKES: json.dumps([asdict(row) for row in mistakes[:MOST_MISTAKES]]),
    }
    result.save(collection.folder / MODEL, pages)


def _labels(
    collection: Collection, rows: list[Picture], told: Told | None
) -> tuple[Trained, str, list[Mistake]]:
    from sardonyx.vision.report import page
    from sardonyx.vision.training import train as trained_on

    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(("file", "labels"))
    for row in rows:
        table.writerow((f"pictures/{row.file}", ";".join(name for name in row.labels if name != NONE)))
    result = trained_on(_kept(collection, "labels.csv", file.getvalue()), None, told)
    return (
        result,
        page(result, collection.name, _called(rows)),
        [_mistaken(result, at) for at in result.wrong()],
    )


def _mistaken(result: Trained, at: int) -> Mistake:
    chances = result.chances[at]
    there = chances > 0.5 if result.pictures.several else chances == chances.max()
    was, said = (
        ", ".join(name for name, is_it in zip(result.classes, row, strict=True) if is_it) or NONE
        for row in (result.truth[at], there)
    )
    return Mistake(result.pictures.files[at].name, was, said, float(chances.max()))


def _boxes(
    collection: Collection, rows: list[Picture], told: Told | None
) -> tuple[TrainedBoxes, str, list[Mistake]]:
    from sardonyx.vision.boxes.report import page
    from sardonyx.vision.boxes.training import train as trained_on

    annotations = _kept(collection, "instances.json", json.dumps(_coco(collection, rows)))
    result = trained_on(annotations, None, told)
    names = result.scenes.classes
    mistakes = []
    for at in result.wrong():
        file = result.scenes.files[result.judged[at]].name
        found = _marks(names, result.shown(at))
        was = collection.picture(file).marks or ()
        mistakes.append(Mistake(file, in_words(was), in_words(found), None, found))
    return result, page(result, collection.name, _called(rows)), mistakes


def _called(rows: list[Picture]) -> dict[str, str]:
    return {row.file: row.name for row in rows}


def _coco(collection: Collection, rows: list[Picture]) -> dict[str, Any]:
    numbers = {name: at for at, name in enumerate(collection.classes)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for at, row in enumerate(rows):
        width, height = size_of(collection.path(row.file))
        images.append({"id": at, "file_name": f"pictures/{row.file}", "width": width, "height": height})
        for mark in row.marks or ():
            left, top, right, bottom = mark.box or (0, 0, 0, 0)
            box = [left * width, top * height, (right - left) * width, (bottom - top) * height]
            number = numbers[mark.label]
            annotations.append({"id": len(annotations), "image_id": at, "category_id": number, "bbox": box})
    categories = [{"id": at, "name": name} for name, at in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _marks(names: tuple[str, ...], boxes: Boxes) -> tuple[Mark, ...]:
    return tuple(
        Mark(names[kind], (left, top, right, bottom))
        for kind, (left, top, right, bottom) in zip(boxes.kinds, boxes.corners.tolist(), strict=True)
    )


def in_words(marks: Iterable[Mark]) -> str:
    """How many of each label: `2 cat, 1 dog`."""
    counts = Counter(mark.label for mark in marks)
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"


def _kept(collection: Collection, name: str, text: str) -> Path:
    path = collection.folder / name
    written({path: text})
    return path


def record(collection: Collection) -> dict[str, Any] | None:
    """What the last training measured; None if there was none."""
    found: dict[str, Any] | None = _read(collection.folder / RECORD)
    return found


def measures(collection: Collection) -> list[Measure]:
    """What the last training came to on pictures that it had not learned, the foremost first."""
    found = record(collection)
    if found is None:
        return []
    if collection.kind != "boxes":
        return [Measure(**row) for row in found["scores"]]
    told = found["told_from"]
    rows = {
        "AP50, boxes that overlap by half": found["scores"]["AP50"],
        "AP, as COCO has it": found["scores"]["AP"],
        f"true boxes found, from a score of {told['score']:.2f} on": told["found"],
        "told boxes that are right": told["right"],
    }
    return [Measure(name, value) for name, value in rows.items()]


def mistakes(collection: Collection) -> list[Mistake]:
    """The surest mistakes of the last training, of pictures that are still there."""
    known = {row.file for row in collection.pictures}
    rows = [
        Mistake(**{**row, "found": marks_of(row["found"])})
        for row in _read(collection.folder / MISTAKES) or []
    ]
    return [row for row in rows if row.file in known]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
