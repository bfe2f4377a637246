"""Pictures with boxes become a detector in one ONNX file, or an error that says what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sardonyx
from sardonyx.vision.boxes.report import page
from sardonyx.vision.boxes.training import FOLDS, BoxSettings, found, has_boxes, train
from sardonyx.vision.pictures import VisionError

CLASSES = ("disc", "square")
OF_ALL = 30


def drawn(folder: Path, count: int = OF_ALL) -> Path:
    """Pictures with one disc or square each, in the form of YOLO."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    random = np.random.default_rng(0)
    for at in range(count):
        image = Image.fromarray(random.integers(150, 255, (6, 8, 3)).astype(np.uint8)).resize((320, 240), 2)
        x, y = random.uniform(0.25, 0.75, 2)
        sides = (320 * x - 40, 240 * y - 40, 320 * x + 40, 240 * y + 40)
        pen = ImageDraw.Draw(image)
        if at % 2:
            pen.rectangle(sides, fill=(30, 90, 200))
        else:
            pen.ellipse(sides, fill=(200, 40, 30))
        image.save(folder / "images" / f"{at}.png")
        (folder / "labels" / f"{at}.txt").write_text(f"{at % 2} {x} {y} {80 / 320} {80 / 240}\n")
    return folder


@pytest.mark.slow
def test_one_file_takes_pictures_of_any_size(tmp_path: Path) -> None:
    seen: list[int] = []
    trained = train(drawn(tmp_path / "shapes"), BoxSettings(views=2), lambda done, total: seen.append(done))
    assert seen == [*range(OF_ALL), *[OF_ALL] * FOLDS] and trained.error < 1e-4
    assert trained.precision.at_half > 0.8 and trained.recall > 0.8
    text = page(trained, "shapes")
    files = trained.save(tmp_path / "shapes.onnx", {tmp_path / "shapes.html": text})
    record = json.loads(files[1].read_text())
    assert record["classes"] == {"disc": OF_ALL // 2, "square": OF_ALL // 2}
    assert record["judged"] == {"pictures": OF_ALL, "of_their_own": False}
    assert text.count("<svg") == 24 and "judged by a head that learned from other ones" in text
    session = sardonyx.InferenceSession(str(files[0]))
    assert [output.name for output in session.get_outputs()] == ["boxes", "labels", "scores", "classes"]
    image = Image.open(tmp_path / "shapes" / "images" / "1.png")
    for width, height in ((320, 240), (640, 300)):
        pixels = np.asarray(image.resize((width, height)))
        boxes, labels, scores, _ = session.run(None, {"picture": pixels})
        assert labels[0] == "square" and (np.diff(scores) <= 0).all()
        assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()


@pytest.mark.slow
def test_trainings_repeat_themselves(tmp_path: Path) -> None:
    source = drawn(tmp_path / "shapes", 12)
    first, second = (train(source, BoxSettings(views=2, seed=3)) for _ in range(2))
    assert first.model == second.model and first.record()["AP50"] == second.record()["AP50"]


def test_what_has_boxes_is_seen(tmp_path: Path) -> None:
    source = drawn(tmp_path / "shapes", 12)
    assert has_boxes(source) and not has_boxes(source / "images") and not has_boxes(tmp_path / "gone")
    scenes = found(source)
    assert len(scenes.files) == 12 and scenes.classes == CLASSES


def test_what_cannot_be_learned_from_is_named(tmp_path: Path) -> None:
    source = drawn(tmp_path / "shapes", 12)
    with pytest.raises(VisionError, match="holds no boxes: no COCO"):
        found(source / "images")
    with pytest.raises(VisionError, match="'lite9' is not a backbone for boxes"):
        train(source, BoxSettings("lite9"))
    with pytest.raises(VisionError, match="17 views"):
        train(source, BoxSettings(views=17))
    (source / "images" / "3.png").write_text("no picture")
    with pytest.raises(VisionError, match=r"3\.png is not a picture"):
        train(source)
    (source / "images" / "7.png").write_text("no picture")
    with pytest.raises(VisionError, match=r"2 files are not pictures .*\n.*3\.png \(.*\n.*7\.png \("):
        train(source)
