"""Tasks answer as a person would: pages are read, sounds are heard, what cannot be read is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from sardonyx.convert import convert
from sardonyx.tools.cli import main
from sardonyx.zoo import FetchError, fetch, pipeline, zoo_directory
from sardonyx.zoo.tasks import TASKS
from sardonyx.zoo.tasks.images import drawn, kept, opened
from sardonyx.zoo.tasks.ocr import _regions
from sardonyx.zoo.tasks.sounds import _resampled

COLUMN = """<ir_version: 10, opset_import: ["": 21]>
g (float[n, 1] age) => (float[n, 1] y) { y = Identity(age) }"""
needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") or shutil.which("espeak")), reason="espeak-ng is not installed"
)


def asset(name: str, model: str) -> Path:
    fetch([model], quiet=True)
    return zoo_directory() / "assets" / name


def test_a_page_is_read() -> None:
    answer = pipeline("ocr")(asset("page.png", "ppocrv4_rec"))
    texts = [row["text"] for row in answer.data]
    assert texts[0] == "Region-based segmentation" and "histogram of grey values:" in texts
    assert answer.picture is not None


def test_a_digit_is_told() -> None:
    for ink, paper in (("white", "black"), ("black", "white")):
        picture = Image.new("RGB", (140, 140), paper)
        pen = ImageDraw.Draw(picture)
        pen.line((70, 20, 70, 120), fill=ink, width=14)
        assert pipeline("mnist_cntk")(picture).data[0]["label"] == "1"


def test_the_nearest_text_and_label_are_found(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text(
        "the car is red\nboil the noodles in water\n\nthe team won the match\n", encoding="utf-8"
    )
    assert pipeline("search")("how do I cook pasta", lines).data[0]["text"].startswith("boil")
    told = pipeline("label")("shares fell today", ["sports", "finance"]).data
    assert told[0]["text"] == "finance" and sum(row["score"] for row in told) == pytest.approx(1)
    vectors = np.array(pipeline("embed")("one", "two").data)
    assert vectors.shape == (2, 384) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_files_are_told_by_their_content(tmp_path: Path) -> None:
    file = tmp_path / "nameless"
    file.write_text("import os\n\n\ndef main():\n    print(os.getcwd())\n" * 5, encoding="utf-8")
    assert pipeline("file-type")(file).data[0]["type"] == "python"
    assert pipeline("file-type")(asset("page.png", "ppocrv4_rec")).data[0]["type"] == "png"
    assert pipeline("file-type")(b"short").data == []


def test_rows_of_a_table_are_answered(tmp_path: Path) -> None:
    rows, goal = load_iris(return_X_y=True, as_frame=True)
    model = tmp_path / "iris.onnx"
    convert(LogisticRegression(max_iter=500).fit(rows, goal), model)
    rows[rows.columns[::-1]].to_csv(tmp_path / "rows.csv", index=False)
    answers = pipeline("table", str(model))(tmp_path / "rows.csv").data
    assert [row["label"] for row in answers[:3]] == [0, 0, 0] and len(answers) == len(rows)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(FetchError, match="no column 'sepal length"):
        pipeline("table", str(model))(tmp_path / "rows.csv")


@pytest.mark.slow
@needs_speech
def test_what_is_spoken_is_heard(tmp_path: Path) -> None:
    speak, jarvis = pipeline("speak"), pipeline("wake-word")
    for text, heard in (("hey jarvis", True), ("good morning to you", False)):
        answer = speak(text)
        answer.save(tmp_path / "speech.wav")
        assert bool(jarvis(tmp_path / "speech.wav").data["times"]) == heard
        (span, *_) = pipeline("voice")(tmp_path / "speech.wav").data
        assert 0 <= span["start"] < span["end"] <= answer.data["seconds"] + 0.1
    assert 2 < pipeline("speech-quality")(tmp_path / "speech.wav").data["overall"] < 5


@pytest.mark.slow
def test_boxes_and_foregrounds_are_found(tmp_path: Path) -> None:
    layout = pipeline("detect")(asset("page.png", "picodet_layout_cdla"))
    assert layout.data[0]["label"] == "title" and layout.data[0]["box"][3] < 45
    assert len(pipeline("yolox_ddddocr_det")(asset("page.png", "yolox_ddddocr_det")).data) > 5
    cut = pipeline("segment")(asset("chelsea.png", "isnet_uint8"))
    assert 0.5 < cut.data["part"] < 0.95 and cut.picture is not None and cut.picture.mode == "RGBA"
    assert (
        pipeline("classify", "lcnet_orientation")(asset("page.png", "lcnet_orientation")).data[0]["label"]
        == "upright"
    )


def test_silence_is_silent() -> None:
    assert pipeline("voice", None)(np.zeros(16000, np.float32)).data == []


@pytest.mark.parametrize("task", ["ocr", "voice"])
def test_what_cannot_be_read_is_named(task: str, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_bytes(b"RIFF and nothing")
    with pytest.raises(FetchError, match="broken is no"):
        pipeline(task)(file)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["ocr", "broken"], "broken is not a picture"),
        (["classify", "no such file"], "there is no file no such file"),
        (["voice", "broken"], "broken is not a wav file"),
        (["voice", "no such file"], "there is no file no such file"),
        (["none.onnx", "broken"], r"there is no file none\.onnx"),
        (["efficientnet", "broken"], "is it efficientnet_lite2 or efficientnet_lite0.; there are ocr"),
        (["file-type", "no such file"], "there is no file no such file"),
        (["classify", "/"], "/ is a folder; give a file"),
        (["voice", "/"], "/ is a folder; give a file"),
        (["file-type", "/"], "/ is a folder; give a file"),
        (["own.onnx", "broken"], "broken is not a table"),
        (["segment", "broken", "second"], "takes one picture; second is too many"),
    ],
)
def test_a_wrong_input_is_told_before_a_model_is_brought(
    inputs: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SARDONYX_ZOO", str(tmp_path / "empty"))
    monkeypatch.setenv("SARDONYX_OFFLINE", "1")
    (tmp_path / "broken").write_bytes(b"\xff\xfe nothing")
    onnx.save(onnx.parser.parse_model(COLUMN), tmp_path / "own.onnx")
    assert main(["task", *inputs]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_pictures_are_seen_as_people_see_them(tmp_path: Path) -> None:
    turned = Image.new("RGB", (30, 20), "red")
    turned.paste("blue", (0, 0, 10, 20))
    exif = Image.Exif()
    exif[274] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    seen = opened(tmp_path / "turned.png")
    assert seen.size == (20, 30) and seen.getpixel((10, 2)) == (0, 0, 255)
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    assert opened(tmp_path / "clear.png").getpixel((4, 4)) == (255, 255, 255)
    assert opened(np.zeros((4, 6, 3), np.uint8)).size == (6, 4)


def test_tasks_and_models_that_are_not_there_are_named() -> None:
    with pytest.raises(FetchError, match="there are ocr"):
        pipeline("cook")
    with pytest.raises(FetchError, match="has the models"):
        pipeline("ocr", "magika")
    with pytest.raises(FetchError, match="needs a model"):
        pipeline("table")


def test_the_command_lists_and_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["task"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in TASKS)
    page = str(asset("page.png", "ppocrv4_rec"))
    assert main(["task", "ocr", page, "-o", str(tmp_path / "marked.png")]) == 0
    assert "Region-based segmentation" in capsys.readouterr().out
    with Image.open(tmp_path / "marked.png") as marked, Image.open(page) as original:
        assert marked.size == original.size


def test_labels_do_not_cover_each_other() -> None:
    image = Image.new("RGB", (200, 60), "black")
    row = [((float(x), 20.0, x + 8.0, 40.0), "a 90%") for x in range(0, 30, 10)]
    alone, crowded = drawn(image, row[:1]), drawn(image, row)
    apart = drawn(image, [row[0], ((150.0, 20.0, 180.0, 40.0), "a 80%")])
    top = [np.asarray(one)[:19] for one in (alone, crowded, apart)]
    assert (top[0] == top[1]).all() and (top[0] != top[2]).any()
    assert (np.asarray(crowded)[20:41, 28] > 0).any()


def test_overlapping_boxes_are_dropped() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]], float)
    assert kept(boxes, np.array([0.5, 0.9, 0.7]), 0.5) == [1, 2]
    assert kept(boxes[:0], np.zeros(0), 0.5) == []


def test_regions_are_those_of_touching_pixels() -> None:
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 1]], bool)
    sizes = sorted(len(region) for region in _regions(mask))
    assert sizes == [1, 2, 3, 3]
    assert _regions(np.zeros((3, 3), bool)) == []


def test_resampling_keeps_a_tone() -> None:
    time = np.arange(48000) / 48000
    halved = _resampled(np.sin(2 * np.pi * 440 * time), 48000)
    assert len(halved) == 16000
    assert np.abs(halved - np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).max() < 1e-6
