"""Trainings of collections say how far they are, and leave a model or a reason."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.studio import outcome
from sardonyx.vision.studio.collections import Collection, Collections, Mark
from sardonyx.vision.studio.trainings import Progress, Trainings
from sardonyx.vision.studio.trying import tried
from tests.vision.conftest import drawn


@pytest.fixture
def shapes(tmp_path: Path) -> Collection:
    collection = Collections(tmp_path).make("shapes")
    for kind in ("disc", "square", NONE):
        for seed in range(6):
            file = io.BytesIO()
            drawn("cross" if kind == NONE else kind, seed).save(file, "PNG")
            collection.add(f"{kind}{seed}.png", file.getvalue(), kind)
    return collection


def waited(work: Trainings, collection: Collection) -> Progress:
    for _ in range(6000):
        progress = work.progress(collection)
        assert progress is not None
        if progress.state != "running":
            return progress
        time.sleep(0.02)
    raise AssertionError("the training does not end")


def test_why_nothing_can_be_learned_is_said(tmp_path: Path) -> None:
    work, empty = Trainings(), Collections(tmp_path).make("empty")
    assert work.progress(empty) is None
    work.begin(empty)
    progress = waited(work, empty)
    assert progress.state == "failed" and "label some pictures first" in progress.why
    assert outcome.record(empty) is None and outcome.mistakes(empty) == []
    with pytest.raises(VisionError, match="train a model first"):
        tried(empty, "a.png", b"")


def test_a_cancelled_training_leaves_all_as_it_was(shapes: Collection) -> None:
    work = Trainings()
    with pytest.raises(VisionError, match="shapes is not trained right now"):
        work.cancel(shapes)
    work.begin(shapes)
    work.cancel(shapes)
    assert waited(work, shapes).state == "cancelled"
    assert {path.name for path in shapes.folder.iterdir()} <= {"collection.json", "labels.csv", "pictures"}
    assert outcome.record(shapes) is None
    with pytest.raises(VisionError, match="shapes is not trained right now"):
        work.cancel(shapes)


@pytest.mark.slow
def test_a_model_comes_of_labels(shapes: Collection) -> None:
    work = Trainings()
    work.begin(shapes)
    with pytest.raises(VisionError, match="shapes is trained right now"):
        work.begin(shapes)
    assert waited(work, shapes) == Progress("done")
    record = outcome.record(shapes)
    assert record is not None and record["classes"] == {"disc": 6, NONE: 6, "square": 6}
    assert "<h1>shapes</h1>" in (shapes.folder / outcome.REPORT).read_text()
    file = io.BytesIO()
    drawn("disc", 3).save(file, "PNG")
    trial = tried(shapes, "folder/new.png", file.getvalue())
    assert trial.name == "new.png" and trial.label == "disc" and trial.chances[0][0] == "disc"
    with pytest.raises(VisionError, match=r"text\.png is not a picture that can be read"):
        tried(shapes, "text.png", b"text")
    with pytest.raises(VisionError, match=r"text\.md is not a picture by its name"):
        tried(shapes, "text.md", b"text")


@pytest.mark.slow
def test_wrong_labels_are_shown_while_their_pictures_are_there(shapes: Collection) -> None:
    odd = shapes.pictures[0]
    shapes.mark(odd.file, [Mark("square")])
    outcome.train(shapes)
    rows = outcome.mistakes(shapes)
    assert (odd.file, "square") in [(row.file, row.was) for row in rows]
    shapes.remove(odd.file)
    assert odd.file not in [row.file for row in outcome.mistakes(shapes)]
