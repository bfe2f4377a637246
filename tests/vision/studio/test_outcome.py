"""What people said of pictures becomes a data set, and a training leaves what the studio shows of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.vision.pictures import VisionError
from sardonyx.vision.studio import outcome
from sardonyx.vision.studio.collections import Collection, Collections, Mark
from sardonyx.vision.studio.outcome import Mistake, in_words
from sardonyx.vision.studio.trying import tried

BOX = (0.25, 0.25, 0.5, 0.75)


def scene(seed: int) -> tuple[bytes, tuple[Mark, ...]]:
    """A red or a blue square somewhere, and where it is."""
    random = np.random.default_rng(seed)
    pixels = random.integers(150, 255, (120, 160, 3)).astype(np.uint8)
    left, top = random.integers(0, 100), random.integers(0, 60)
    pixels[top : top + 50, left : left + 50] = (200, 30, 30) if seed % 2 else (30, 30, 200)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    box = (left / 160, top / 120, (left + 50) / 160, (top + 50) / 120)
    return file.getvalue(), (Mark("red" if seed % 2 else "blue", box),)


def filled(folder: Path, count: int) -> Collection:
    collection = Collections(folder).make("squares", "boxes")
    for name in ("red", "blue"):
        collection.add_class(name)
    for seed in range(count):
        content, marks = scene(seed)
        collection.add(f"{seed}.png", content)
        collection.mark(collection.pictures[-1].file, marks)
    return collection


def test_boxes_are_counted_in_words() -> None:
    assert in_words([]) == "nothing"
    assert in_words([Mark("dog", BOX), Mark("cat", BOX), Mark("dog", BOX)]) == "1 cat, 2 dog"


def test_too_few_boxes_leave_a_data_set_and_a_reason(tmp_path: Path) -> None:
    collection = filled(tmp_path, 3)
    empty = collection.pictures[0].file
    collection.mark(empty, [])
    with pytest.raises(VisionError, match="5 boxes of a class are the least to learn from"):
        outcome.train(collection)
    told = json.loads((collection.folder / "instances.json").read_text())
    assert [row["name"] for row in told["categories"]] == ["red", "blue"] and len(told["images"]) == 3
    left, top, right, bottom = collection.pictures[1].marks[0].box  # type: ignore[index, misc]
    assert told["annotations"][0]["image_id"] == 1 and told["annotations"][0]["category_id"] == 0
    expected = [left * 160, top * 120, (right - left) * 160, (bottom - top) * 120]
    np.testing.assert_allclose(told["annotations"][0]["bbox"], expected)
    assert outcome.measures(collection) == [] and outcome.mistakes(collection) == []


def test_measures_and_mistakes_are_read_back(tmp_path: Path) -> None:
    collection = filled(tmp_path, 1)
    (row,) = collection.pictures
    record = {"scores": {"AP50": 0.5, "AP": 0.2}, "told_from": {"score": 0.3, "found": 0.7, "right": 0.6}}
    (collection.folder / outcome.RECORD).write_text(json.dumps(record))
    assert [measure.value for measure in outcome.measures(collection)] == [0.5, 0.2, 0.7, 0.6]
    mark = {"label": "red", "box": list(BOX)}
    rows = [
        {"file": name, "was": "a", "said": "b", "chance": None, "found": [mark]} for name in (row.file, "x")
    ]
    (collection.folder / outcome.MISTAKES).write_text(json.dumps(rows))
    assert outcome.mistakes(collection) == [Mistake(row.file, "a", "b", None, (Mark("red", BOX),))]


@pytest.mark.slow
def test_drawn_boxes_become_a_detector(tmp_path: Path) -> None:
    collection = filled(tmp_path, 24)
    odd = collection.pictures[2]
    collection.mark(odd.file, [])
    outcome.train(collection)
    assert outcome.measures(collection)[0].value > 0.7
    (mistake,) = [row for row in outcome.mistakes(collection) if row.file == odd.file]
    assert mistake.was == "nothing" and mistake.found[0].label == "blue"
    assert "<h1>squares</h1>" in (collection.folder / outcome.REPORT).read_text()
    content, marks = scene(101)
    trial = tried(collection, "new.png", content)
    assert trial.label == "1 red" and trial.chances[0][0] == "red"
    np.testing.assert_allclose(trial.found[0].box, marks[0].box, atol=0.1)  # type: ignore[arg-type]
