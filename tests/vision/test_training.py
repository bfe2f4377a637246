"""Pictures become a classifier in one ONNX file, or an error that says what is wrong with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import sardonyx
from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.report import page
from sardonyx.vision.training import Settings, train
from tests.vision.conftest import COLOURS, OF_EACH, drawn

QUICK = Settings("efficientnet_lite0", views=1)


@pytest.mark.slow
def test_one_file_takes_pictures_of_any_size(shapes: Path, tmp_path: Path) -> None:
    trained = train(shapes, QUICK)
    assert trained.scores[0].value > 0.8 and trained.error < 1e-4
    files = trained.save(tmp_path / "shapes.onnx", {tmp_path / "shapes.html": page(trained, "shapes")})
    session = sardonyx.InferenceSession(str(files[0]))
    assert [(row.name, row.shape) for row in session.get_inputs()] == [("picture", ["height", "width", 3])]
    for kind in COLOURS:
        for scale in (1, 2):
            image = drawn(kind, 1)
            large = image.resize((image.width * scale, image.height * scale + 1), 2)
            label, chances, strangeness = session.run(None, {"picture": np.asarray(large)})
            assert label.tolist() == [kind] and strangeness.shape == (1,)
            assert chances.shape == (1, 3) and abs(chances.sum() - 1) < 1e-5
    record = json.loads(files[1].read_text())
    assert record["classes"] == dict.fromkeys(sorted(COLOURS), OF_EACH)
    text = files[2].read_text()
    assert "On pictures that it never saw" in text and "http" not in text.replace("http-equiv", "")


@pytest.mark.slow
def test_none_of_these_is_answered_and_learned(shapes: Path) -> None:
    rows = train(shapes, QUICK)
    session = sardonyx.InferenceSession(rows.model.SerializeToString())
    black = np.zeros((50, 50, 3), np.uint8)
    assert session.run(["label"], {"picture": black})[0].tolist() == [NONE]
    (shapes / "cross").rename(shapes / "None")
    taught = train(shapes, QUICK)
    assert taught.classes == ("disc", NONE, "square")
    session = sardonyx.InferenceSession(taught.model.SerializeToString())
    assert session.run(["label"], {"picture": np.asarray(drawn("cross", 2))})[0].tolist() == [NONE]


@pytest.mark.slow
def test_several_labels_by_csv(shapes: Path, tmp_path: Path) -> None:
    lines = [
        f"shapes/{kind}/{at}.png,{kind};{'round' if kind == 'disc' else 'edged'}"
        for kind in COLOURS
        for at in range(OF_EACH)
    ]
    (tmp_path / "many.csv").write_text("\n".join(["file,labels", *lines]))
    trained = train(tmp_path / "many.csv", Settings("efficientnet_lite0", fit="crop", views=1))
    assert trained.classes == ("cross", "disc", "edged", "round", "square")
    assert trained.scores[0].name == "labels right" and trained.scores[0].value > 0.8
    session = sardonyx.InferenceSession(trained.model.SerializeToString())
    label, chances, _ = session.run(None, {"picture": np.asarray(drawn("disc", 3))})
    assert label[0] in ("disc", "round") and (chances[0] > 0.5).tolist() == [False, True, False, True, False]


@pytest.mark.slow
def test_trainings_repeat_themselves(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings("efficientnet_lite0", views=2, seed=5)
    first = train(shapes, settings)
    monkeypatch.setenv("SARDONYX_CACHE", str(tmp_path / "cold"))
    second = train(shapes, settings)
    assert np.array_equal(first.chances, second.chances)
    assert first.model == second.model


def test_what_cannot_be_learned_from_is_named(shapes: Path, tmp_path: Path) -> None:
    def said(source: Path, settings: Settings = QUICK) -> str:
        with pytest.raises(VisionError) as error:
            train(source, settings)
        return str(error.value)

    assert "there is no" in said(tmp_path / "nowhere")
    assert "stand in no folder" in said(shapes / "disc")
    assert "neither a folder" in said(shapes / "disc" / "0.png")
    (tmp_path / "void").mkdir()
    assert "there is no picture" in said(tmp_path / "void")
    (shapes / "empty").mkdir()
    assert "holds no picture" in said(shapes)
    (shapes / "empty").rmdir()
    assert "'lite9' is not a backbone" in said(shapes, Settings("lite9"))
    assert "'fold' is not a way" in said(shapes, Settings(fit="fold"))
    assert "0 views" in said(shapes, Settings(views=0))
    for at in range(2):
        (shapes / "disc" / f"{at}.png").unlink()
    assert "'disc' has 4" in said(shapes)
    shutil.rmtree(shapes / "disc")
    shutil.rmtree(shapes / "cross")
    assert "one class only, 'square'" in said(shapes)
