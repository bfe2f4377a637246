"""COCO files are read as people lay them out, and every fault of them is said with file and entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sardonyx.vision.boxes import coco
from sardonyx.vision.pictures import VisionError


def content(**changes: Any) -> dict[str, Any]:
    box = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]}
    whole: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 200}],
        "annotations": [box, {**box, "id": 2, "iscrowd": 1}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    return {**whole, **changes}


def laid_out(folder: Path, annotations: str, picture: str, data: Any) -> Path:
    for name in (annotations, picture):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (100, 200)).save(folder / picture)
    (folder / annotations).write_text(data if isinstance(data, str) else json.dumps(data))
    return folder


@pytest.mark.parametrize(
    ("annotations", "picture", "held"),
    [
        ("annotations/instances_train2017.json", "train2017/a.png", False),
        ("annotations/instances_val2017.json", "val2017/a.png", False),
        ("valid/_annotations.coco.json", "valid/a.png", True),
        ("annotations.json", "images/a.png", False),
        ("val.json", "a.png", True),
    ],
)
def test_folders_as_people_have_them(tmp_path: Path, annotations: str, picture: str, held: bool) -> None:
    root = laid_out(tmp_path, annotations, picture, content())
    for source in (root, root / annotations):
        if source == root or (root / annotations).parent == root:
            ((scene,), names) = coco.read(source, coco.files(source))
            assert names == ["cat"] and scene.file == root / picture
            (mark,) = scene.marks
            assert (mark.left, mark.top, mark.right, mark.bottom) == (0.1, 0.1, 0.4, 0.3)
            assert scene.held == held or "val2017" in annotations


def test_instances_are_meant_where_captions_stand_beside_them(tmp_path: Path) -> None:
    laid_out(tmp_path, "annotations/instances_val2017.json", "val2017/a.png", content())
    laid_out(tmp_path, "annotations/captions_val2017.json", "val2017/a.png", content(annotations=[{"id": 1}]))
    (file,) = coco.files(tmp_path)
    assert file.name == "instances_val2017.json"
    ((scene,), _) = coco.read(tmp_path, [file])
    assert scene.held


def test_sizes_are_those_of_the_picture_where_none_are_given(tmp_path: Path) -> None:
    laid_out(tmp_path, "a.json", "a.png", content(images=[{"id": 7, "file_name": "a.png"}]))
    ((scene,), _) = coco.read(tmp_path, coco.files(tmp_path))
    assert scene.marks[0].bottom == 0.3


BOX = content()["annotations"][0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"images": [], "annotations": [', r"a\.json is not JSON: Expecting value: line 1"),
        ('["images", "annotations"]', "holds no object"),
        (content(categories=None), "no list 'categories'"),
        (
            content(annotations=[{**BOX, "category_id": 9}]),
            "annotation 1: there is no category 9; there are 3",
        ),
        (content(annotations=[{**BOX, "image_id": 9}]), "annotation 1 is of image 9, which is not there"),
        (content(annotations=[{**BOX, "bbox": [1, 2, "3", 4]}]), r"bbox is \[1, 2, '3', 4\]"),
        (content(annotations=[{"id": 1, "category_id": 3}]), "annotations has no image_id"),
        (content(images=[{"id": 7, "file_name": "b.png"}]), r"names the picture b\.png, which is not below"),
    ],
)
def test_faults_are_named(tmp_path: Path, data: Any, words: str) -> None:
    laid_out(tmp_path, "a.json", "a.png", data)
    with pytest.raises(VisionError, match=words):
        coco.read(tmp_path, [tmp_path / "a.json"])


def test_a_name_that_two_pictures_have_is_no_name(tmp_path: Path) -> None:
    laid_out(tmp_path, "a.json", "one/a.png", content())
    laid_out(tmp_path, "a.json", "two/a.png", content())
    with pytest.raises(VisionError, match="there are 2 of that name"):
        coco.read(tmp_path, coco.files(tmp_path))
