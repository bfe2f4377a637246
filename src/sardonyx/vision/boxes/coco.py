"""COCO: JSON files of images, annotations and categories, in the folders in which people have them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sardonyx.vision.boxes.scenes import HELD, Mark, Scene
from sardonyx.vision.pictures import SUFFIXES, VisionError, naming_all_broken, size_of

DEEP = ("*.json", "*/*.json")


def files(source: Path) -> list[Path]:
    """The files of annotations of a folder, or the one that is meant; none if there is none."""
    if source.is_file():
        return [source] if source.suffix.lower() == ".json" else []
    some = [file for pattern in DEEP for file in sorted(source.glob(pattern)) if _looks_like(file)]
    return [file for file in some if file.stem.startswith("instances")] or some


def _looks_like(file: Path) -> bool:
    """Whether the keys of COCO stand in it; a broken file is said to be broken later."""
    text = file.read_bytes()
    return b'"annotations"' in text and b'"images"' in text


def read(source: Path, annotations: Iterable[Path]) -> tuple[list[Scene], list[str]]:
    """The scenes of all files, and the names of their classes.

    Raises:
        VisionError: a file is broken, a picture is missing, an annotation names what there is not.
    """
    root = source if source.is_dir() else source.parent
    scenes: list[Scene] = []
    names: list[str] = []
    for file in annotations:
        content = _loaded(file)
        numbers = {}
        for row in _rows(content, "categories", file):
            name = str(_of(row, "name", "categories", file))
            if name not in names:
                names.append(name)
            numbers[_of(row, "id", "categories", file)] = names.index(name)
        scenes += _scenes(root, file, content, numbers)
    return scenes, names


def _scenes(root: Path, file: Path, content: dict[str, Any], numbers: dict[Any, int]) -> list[Scene]:
    index: dict[str, list[Path]] = {}
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    images = _rows(content, "images", file)
    there = {_of(row, "id", "images", file) for row in images}
    for row in _rows(content, "annotations", file):
        image = _of(row, "image_id", "annotations", file)
        if image not in there:
            raise VisionError(f"{file}: annotation {row.get('id')} is of image {image!r}, which is not there")
        of_image[image].append(row)
    held = _is_held(root, file)
    scenes = []
    pictures = [_picture(root, file, str(_of(image, "file_name", "images", file)), index) for image in images]
    for image, picture in zip(images, pictures, strict=True):
        said: Any = (image.get("width"), image.get("height"))
        known = all(_is_number(side) and side > 0 for side in said)
        with naming_all_broken(pictures, 0):
            width, height = said if known else size_of(picture)
        marks = [
            _mark(row, numbers, width, height, file)
            for row in of_image[image["id"]]
            if not row.get("iscrowd")
        ]
        scenes.append(Scene(picture, tuple(marks), held))
    return scenes


def _mark(row: dict[str, Any], numbers: dict[Any, int], width: float, height: float, file: Path) -> Mark:
    where = f"{file}, annotation {row.get('id')}"
    category = _of(row, "category_id", "annotations", file)
    if category not in numbers:
        known = ", ".join(map(str, list(numbers)[:10])) or "none"
        raise VisionError(f"{where}: there is no category {category!r}; there are {known}")
    box = row.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        raise VisionError(f"{where}: bbox is {box!r}; [left, top, width, height] in pixels is needed")
    left, top, across, down = map(float, box)
    sides = left / width, top / height, (left + across) / width, (top + down) / height
    return Mark(numbers[category], *sides, where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_held(root: Path, file: Path) -> bool:
    """By the name of its folder (valid/_annotations.coco.json) or its own (instances_val2017.json)."""
    words = f"{file.stem}/{file.parent.name if file.parent != root else ''}".lower()
    parts = "".join(letter if letter.isalpha() else " " for letter in words).split()
    return any(part in HELD for part in parts)


def _picture(root: Path, file: Path, name: str, index: dict[str, list[Path]]) -> Path:
    places = (file.parent / name, root / name, root / "images" / name, file.parent / "images" / name)
    for place in places:
        if place.is_file():
            return place
    if not index:
        for found in sorted(root.rglob("*")):
            if found.suffix.lower() in SUFFIXES:
                index.setdefault(found.name, []).append(found)
    same = index.get(Path(name).name, [])
    if len(same) > 1:
        raise VisionError(f"{file} names {name}; there are {len(same)} of that name: {same[0]}, {same[1]}")
    if not same:
        raise VisionError(f"{file} names the picture {name}, which is not below {root}")
    return same[0]


def _loaded(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise VisionError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise VisionError(f"{file} holds no object with images, annotations and categories, as COCO does")
    return content


def _rows(content: dict[str, Any], key: str, file: Path) -> list[dict[str, Any]]:
    rows = content.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise VisionError(f"{file} has no list {key!r} of objects, as COCO does")
    return rows


def _of(row: dict[str, Any], key: str, what: str, file: Path) -> Any:
    value = row.get(key)
    if not isinstance(value, int | str):
        raise VisionError(f"{file}: an entry of {what} has no {key}: {json.dumps(row)[:80]}")
    return value
