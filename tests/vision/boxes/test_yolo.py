"""YOLO's texts are read as people lay them out, and every fault of them is said with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sardonyx.vision.boxes import yolo
from sardonyx.vision.pictures import VisionError

LINE = "1 0.5 0.5 0.2 0.4"


def put(folder: Path, picture: str, text: str, line: str = LINE) -> None:
    for name in (picture, text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 10)).save(folder / picture)
    (folder / text).write_text(f"{line}\n\n")


def read(source: Path) -> tuple[list[tuple[str, bool, int]], list[str]]:
    place = yolo.described(source)
    assert place is not None
    scenes, names = yolo.read(place)
    for scene in scenes:
        for mark in scene.marks:
            assert [round(side, 6) for side in (mark.left, mark.top, mark.right, mark.bottom)] == [
                0.4,
                0.3,
                0.6,
                0.7,
            ]
    return [(scene.file.name, scene.held, len(scene.marks)) for scene in scenes], names


@pytest.mark.parametrize("path", ["", "path: .\n", "path: ../elsewhere\n"])
@pytest.mark.parametrize("names", ["names: [cat, dog]", "names:\n  0: cat\n  1: dog"])
def test_data_yaml(tmp_path: Path, path: str, names: str) -> None:
    put(tmp_path, "train/images/a.png", "train/labels/a.txt")
    put(tmp_path, "valid/images/b.png", "valid/labels/b.txt")
    (tmp_path / "data.yaml").write_text(f"{path}train: ../train/images\nval: valid/images\n{names}\n")
    for source in (tmp_path, tmp_path / "data.yaml"):
        assert read(source) == ([("a.png", False, 1), ("b.png", True, 1)], ["cat", "dog"])


def test_images_and_labels_with_splits_inside(tmp_path: Path) -> None:
    put(tmp_path, "images/train/a.png", "labels/train/a.txt")
    put(tmp_path, "images/val/b.png", "labels/val/b.txt")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert read(tmp_path) == ([("a.png", False, 1), ("b.png", True, 1)], ["cat", "dog"])


def test_texts_beside_the_pictures_and_a_list(tmp_path: Path) -> None:
    put(tmp_path, "obj/a.png", "obj/a.txt", "1 0.4 0.3 0.6 0.3 0.6 0.7 0.4 0.7")
    put(tmp_path, "obj/b.png", "obj/other.txt")
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    assert read(tmp_path) == ([("a.png", False, 1), ("b.png", False, 0)], ["cat", "dog"])
    (tmp_path / "list.txt").write_text("obj/a.png\n")
    (tmp_path / "set.yaml").write_text("train: list.txt\nnames: [cat, dog]\n")
    assert read(tmp_path)[0] == [("a.png", False, 1)]


def test_what_is_no_yolo_is_left_to_others(tmp_path: Path) -> None:
    put(tmp_path, "cats/a.png", "cats/a.txt")
    assert yolo.described(tmp_path) is None
    (tmp_path / "other.yaml").write_text("a: 1")
    assert yolo.described(tmp_path) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2 0.5 0.5 0.2 0.4", r"a\.txt, line 1: there is no class 2; 2 are named"),
        ("-1 0.5 0.5 0.2 0.4", "there is no class -1"),
        ("1 0.5 0.5 0.2", "3 numbers behind the class"),
        ("dog 0.5 0.5 0.2 0.4", "could not convert string to float: 'dog'; five numbers"),
    ],
)
def test_lines_that_are_no_boxes(tmp_path: Path, line: str, words: str) -> None:
    put(tmp_path, "images/a.png", "labels/a.txt", line)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(VisionError, match=words):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: [", r"data\.yaml is not YAML"),
        ("- names", "names no train, val and names"),
        ("names: 3\ntrain: images", "names must be a list"),
        ("names: [cat, dog]", "names no train"),
        ("names: [cat, dog]\ntrain: nowhere", "train is nowhere, and there is no"),
        ("names: [cat, dog]\ntrain: list.txt", r"names the picture .*gone\.png, which is not there"),
    ],
)
def test_descriptions_that_are_broken(tmp_path: Path, text: str, words: str) -> None:
    put(tmp_path, "images/a.png", "labels/a.txt")
    (tmp_path / "list.txt").write_text("gone.png\n")
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(VisionError, match=words):
        yolo.read(tmp_path / "data.yaml")


def test_names_and_pictures_are_needed(tmp_path: Path) -> None:
    put(tmp_path, "images/a.png", "labels/a.txt")
    with pytest.raises(VisionError, match=r"write them into classes\.txt"):
        read(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "data.yaml").write_text("names: [a, b]\ntrain: empty")
    with pytest.raises(VisionError, match="has no picture in"):
        read(tmp_path)
