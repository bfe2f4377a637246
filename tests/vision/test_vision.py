"""Pictures become a classifier in one ONNX file, or an error that says what is wrong with them."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import sardonyx
from sardonyx.tools.cli import main
from sardonyx.vision import Settings, VisionError, train
from sardonyx.vision.pictures import NONE, changed, found, opened
from sardonyx.vision.report import page

COLOURS = {"disc": (200, 40, 30), "square": (30, 90, 200), "cross": (40, 160, 60)}
QUICK = Settings("efficientnet_lite0", views=1)
OF_EACH = 6


def drawn(kind: str, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    ground = random.integers(150, 255, (60, 90, 3)).astype(np.uint8)
    image = Image.fromarray(ground).resize((180, 120), 2)
    pen, (x, y) = ImageDraw.Draw(image), random.integers(10, 60, 2).tolist()
    box = (x, y, x + 50, y + 50)
    if kind == "disc":
        pen.ellipse(box, fill=COLOURS[kind])
    elif kind == "square":
        pen.rectangle(box, fill=COLOURS[kind])
    else:
        pen.line((x, y, x + 50, y + 50), fill=COLOURS[kind], width=12)
        pen.line((x, y + 50, x + 50, y), fill=COLOURS[kind], width=12)
    return image


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    for kind in COLOURS:
        (folder / kind).mkdir(parents=True)
        for at in range(OF_EACH):
            drawn(kind, at).save(folder / kind / f"{at}.png")
    return folder


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
            label, chances, likeness = session.run(None, {"picture": np.asarray(large)})
            assert label.tolist() == [kind] and likeness.shape == (1,)
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
    trained = train(tmp_path / "many.csv", Settings("efficientnet_lite0", "crop", views=1))
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


@pytest.mark.slow
def test_the_command_writes_all_or_nothing(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], small_files: None
) -> None:
    words = ["vision", "train", str(shapes), "--backbone", "efficientnet_lite0", "--views", "1"]
    out = tmp_path / "out"
    out.mkdir()
    assert main([*words, "-o", str(out / "m.onnx")]) == 1
    assert "m.onnx cannot be written: File too large; nothing was kept" in capsys.readouterr().err
    assert list(out.iterdir()) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """As if the disk were full: no file may grow beyond a megabyte."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


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
    assert "'lite9' is no backbone" in said(shapes, Settings("lite9"))
    assert "'fold' is no way" in said(shapes, Settings(fit="fold"))
    assert "0 views" in said(shapes, Settings(views=0))
    for at in range(2):
        (shapes / "disc" / f"{at}.png").unlink()
    assert "'disc' has 4" in said(shapes)
    shutil.rmtree(shapes / "disc")
    shutil.rmtree(shapes / "cross")
    assert "one class only, 'square'" in said(shapes)


def test_lists_of_files_are_read_with_care(shapes: Path, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("picture,label\na,b\n")
    with pytest.raises(VisionError, match="the columns file and labels"):
        found(table)
    table.write_text("file,labels\nshapes/disc/0.png,disc\nshapes/disc/99.png,disc\n")
    with pytest.raises(VisionError, match=r"line 3: there is no file .*99\.png"):
        found(table)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    file = tmp_path / "text.png"
    file.write_text("no picture")
    with pytest.raises(VisionError, match=r"text\.png is no picture"):
        opened(file)
    drawn("disc", 0).save(tmp_path / "whole.png")
    file.write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    with pytest.raises(VisionError, match=r"text\.png is no picture"):
        opened(file)


def test_pictures_are_opened_upright_on_white_and_not_too_large(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert opened(tmp_path / "clear.png").min() == 255
    turned = Image.new("RGB", (40, 20))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert opened(tmp_path / "turned.jpg").shape == (40, 20, 3)
    Image.new("RGB", (1000, 700)).save(tmp_path / "large.png")
    assert opened(tmp_path / "large.png", 100).shape == (234, 334, 3)
    changes = changed(np.asarray(drawn("disc", 0)), 64, np.random.default_rng(0))
    assert changes.shape == (64, 64, 3) and changes.dtype == np.uint8


def test_doubles_are_told(shapes: Path) -> None:
    shutil.copy(shapes / "disc" / "0.png", shapes / "square" / "twin.png")
    warnings = found(shapes).warnings
    assert any("are there twice" in text for text in warnings)
    assert any("under other labels" in text for text in warnings)
