"""YOLO: a text beside each picture, its lines a class and a box; names in data.yaml or classes.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sardonyx.vision.boxes.scenes import HELD, Mark, Scene
from sardonyx.vision.pictures import VisionError, inside

NAMES = ("classes.txt", "obj.names", "labels.txt", "names.txt")
SPLITS = ("train", "val", "valid", "test")


def described(source: Path) -> Path | None:
    """The .yaml that describes a data set, or the folder itself if its pictures have texts; else None."""
    if source.is_file():
        return source if source.suffix.lower() in (".yaml", ".yml") else None
    for file in sorted((*source.glob("*.yaml"), *source.glob("*.yml"))):
        if b"names" in file.read_bytes():
            return file
    named = any((source / name).is_file() for name in NAMES)
    return source if named or ((source / "images").is_dir() and (source / "labels").is_dir()) else None


def read(place: Path) -> tuple[list[Scene], list[str]]:
    """The scenes of a data set, and the names of its classes.

    Raises:
        VisionError: a file is missing or broken, a line is not a box, a class has no name.
    """
    if place.is_dir():
        names = _names(place)
        folders = [(place, False)]
    else:
        content = _loaded(place)
        names = _named(content.get("names"), place)
        folders = list(_folders(content, place))
    scenes = []
    for folder, held in folders:
        for picture in _pictures(folder, place):
            out = held or (folder.is_dir() and _is_held(picture.relative_to(folder)))
            scenes.append(Scene(picture, tuple(_marks(picture, names)), out))
    return scenes, names


def _is_held(picture: Path) -> bool:
    return any(part.lower() in HELD for part in picture.parts[:-1])


def _loaded(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, ValueError) as error:
        raise VisionError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise VisionError(f"{file} names no train, val and names, as YOLO's data.yaml does")
    return content


def _named(names: Any, file: Path) -> list[str]:
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[at] for at in range(len(names))]
    if not isinstance(names, list) or not names:
        raise VisionError(f"{file}: names must be a list of the classes, or 0: first, 1: second and so on")
    return [str(name) for name in names]


def _names(folder: Path) -> list[str]:
    for name in NAMES:
        for file in (folder / name, folder / "labels" / name):
            if file.is_file():
                lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
                return _named([line for line in lines if line], file)
    raise VisionError(f"{folder} does not name its classes; write them into classes.txt, one a line")


def _folders(content: dict[str, Any], file: Path) -> Iterator[tuple[Path, bool]]:
    """What `train`, `val` and `test` name: folders, or lists of pictures; as those who write them mean it."""
    root = file.parent / str(content.get("path") or ".")
    told = [(key, content[key]) for key in SPLITS if content.get(key)]
    if not told:
        raise VisionError(f"{file} names no train: the folder of the pictures to learn from")
    for key, value in told:
        for name in value if isinstance(value, list) else [value]:
            text = str(name)
            places = (root / text, file.parent / text, file.parent / text.removeprefix("../"))
            place = next((one for one in places if one.exists()), None)
            if place is None and key == "train":
                raise VisionError(f"{file}: train is {text}, and there is no {places[0]}")
            if place is not None:
                yield place, key != "train"


def _pictures(place: Path, source: Path) -> list[Path]:
    if place.is_file():
        lines = place.read_text(encoding="utf-8-sig").splitlines()
        listed = [(place.parent / line.strip()) for line in lines if line.strip()]
        for picture in listed:
            if not picture.is_file():
                raise VisionError(f"{place} names the picture {picture}, which is not there")
        return listed
    inner = place / "images"
    folder = inner if inner.is_dir() else place
    pictures = inside(folder)
    if not pictures:
        raise VisionError(f"{source} has no picture in {folder}")
    return pictures


def _text_of(picture: Path) -> Path:
    """Beside the picture, or in the folder `labels` that stands where `images` does."""
    parts = list(picture.parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        there = Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if there.is_file():
            return there
    return picture.with_suffix(".txt")


def _marks(picture: Path, names: list[str]) -> Iterator[Mark]:
    file = _text_of(picture)
    if not file.is_file():
        return
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            yield _mark(line, f"{file}, line {number}", names)


def _mark(line: str, where: str, names: list[str]) -> Mark:
    try:
        kind, *numbers = (float(word) for word in line.split())
    except ValueError as error:
        raise VisionError(f"{where}: {error}; five numbers are needed: class x y width height") from error
    if kind != int(kind) or not 0 <= kind < len(names):
        raise VisionError(f"{where}: there is no class {kind:g}; {len(names)} are named, from 0")
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        across, down = numbers[0::2], numbers[1::2]
        return Mark(int(kind), min(across), min(down), max(across), max(down), where)
    if len(numbers) not in (4, 5):
        raise VisionError(f"{where}: {len(numbers)} numbers behind the class; x y width height are needed")
    x, y, width, height = numbers[:4]
    return Mark(int(kind), x - width / 2, y - height / 2, x + width / 2, y + height / 2, where)
