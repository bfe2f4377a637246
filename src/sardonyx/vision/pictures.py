"""Which pictures there are and what stands on them: a folder for each class, or a CSV of files and labels.

Decides what is a picture and how it is opened; knows no network.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sardonyx.errors import SardonyxError
from sardonyx.zoo.tasks.images import flat, upright_size

Array = np.ndarray[Any, Any]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
NONE = "none of these"
NONE_FOLDERS = ("none", "none of these", "_none")
LEAST_OF_A_CLASS = 5
SHOWN, MOST_BROKEN = 5, 10


class VisionError(SardonyxError):
    """Pictures cannot be trained on; the message says what, where and what to do."""


class BrokenError(VisionError):
    """A file is no picture that can be read."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file} is not a picture that can be read ({why}); mend it or take it away")
        self.file, self.why = file, why


@dataclass(frozen=True)
class Pictures:
    """Files with their labels.

    Attributes:
        files: the pictures.
        labels: for each picture the labels that it has; none of them stands for `none of these`.
        classes: all labels, sorted.
        several: a picture may have any number of labels; else it has one.
        warnings: what is odd about them.
    """

    files: tuple[Path, ...]
    labels: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    several: bool
    warnings: tuple[str, ...] = ()

    @property
    def truth(self) -> Array:
        """Which labels each has: bool [pictures, classes]."""
        return np.array([[name in row for name in self.classes] for row in self.labels], bool)


def found(source: str | Path) -> Pictures:
    """The pictures of a folder of folders, or of a .csv with the columns `file` and `labels` (`a;b`).

    Raises:
        VisionError: there are none, one class only, too few of a class, or something that is not a picture.
    """
    path = Path(source)
    if path.is_dir():
        rows = _of_folders(path)
    elif path.suffix.lower() == ".csv" and path.is_file():
        rows = _of_csv(path)
    elif path.exists():
        raise VisionError(f"{path} is neither a folder nor a .csv of files and labels")
    else:
        raise VisionError(f"there is no {path}")
    if not rows:
        raise VisionError(
            f"there is no picture in {path}; make a folder in it for each class, of {', '.join(SUFFIXES[:4])}"
        )
    return _checked(path, rows)


def _of_folders(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    rows: list[tuple[Path, tuple[str, ...]]] = []
    for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _is_hidden(entry.name)):
        labels = () if inner.name.lower() in NONE_FOLDERS else (inner.name,)
        files = inside(inner)
        if not files:
            raise VisionError(f"the folder {inner} holds no picture; fill it or take it away")
        rows += [(file, labels) for file in files]
    if not rows and any(file.suffix.lower() in SUFFIXES for file in folder.iterdir()):
        raise VisionError(f"the pictures of {folder} stand in no folder of a class; make one for each class")
    return rows


def inside(folder: Path) -> list[Path]:
    """Pictures of a folder by their names, in order; hidden files, as systems leave them there, are none."""
    found = (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES)
    return [file for file in found if not any(map(_is_hidden, file.relative_to(folder).parts))]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _of_csv(path: Path) -> list[tuple[Path, tuple[str, ...]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"file", "labels"} <= set(reader.fieldnames or ()):
            raise VisionError(f"{path} needs the columns file and labels (several as a;b)")
        rows = []
        for row in reader:
            picture = path.parent / str(row["file"])
            if not picture.is_file():
                raise VisionError(f"{path}, line {reader.line_num}: there is no file {picture}")
            parts = [label.strip() for label in str(row["labels"] or "").split(";")]
            rows.append((picture, tuple(sorted({label for label in parts if label}))))
    return rows


def _checked(path: Path, rows: list[tuple[Path, tuple[str, ...]]]) -> Pictures:
    counts = Counter(label for _, labels in rows for label in labels)
    several = any(len(labels) > 1 for _, labels in rows)
    if len(counts) < 2 and not (several or (counts and any(not labels for _, labels in rows))):
        only = f"one class only, {next(iter(counts))!r}" if counts else "no class"
        raise VisionError(f"{path} has {only}; at least two are needed, or one and a folder 'none of these'")
    few = {name: count for name, count in counts.items() if count < LEAST_OF_A_CLASS}
    if few:
        text = ", ".join(f"{name!r} has {count}" for name, count in sorted(few.items())[:SHOWN])
        raise VisionError(f"{LEAST_OF_A_CLASS} pictures of a class are the least to learn from; {text}")
    return Pictures(
        tuple(file for file, _ in rows),
        tuple(labels for _, labels in rows),
        tuple(sorted(counts)),
        several,
        (*_doubles(rows), *_balance(counts)),
    )


def _doubles(rows: list[tuple[Path, tuple[str, ...]]]) -> list[str]:
    """Equal files: on two sides of a split they make scores too good, under two labels they mislead."""
    of_digest: dict[str, list[tuple[Path, tuple[str, ...]]]] = {}
    for file, labels in rows:
        of_digest.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), []).append((file, labels))
    twins = [same for same in of_digest.values() if len(same) > 1]
    unlike = [same for same in twins if len({labels for _, labels in same}) > 1]
    told = []
    if twins:
        told.append(f"{sum(len(same) - 1 for same in twins)} pictures are there twice, as {twins[0][1][0]}")
    if unlike:
        told.append(f"{unlike[0][0][0]} and {unlike[0][1][0]} are the same picture under other labels")
    return told


def _balance(counts: Counter[str]) -> list[str]:
    most, least = counts.most_common()[0], counts.most_common()[-1]
    if most[1] < 10 * least[1]:
        return []
    return [f"{most[0]!r} has {most[1]} pictures, {least[0]!r} has {least[1]}; each class counts the same"]


def opened(file: Path, enough: int = 0) -> Array:
    """The pixels, upright, on white where they are transparent: uint8 [height, width, 3].

    Args:
        file: a picture.
        enough: a side; much larger pictures are made smaller on the way, though not below twice that.

    Raises:
        BrokenError: it is not a picture, cut off, or too large.
    """
    from PIL import Image

    with _told_as_broken(file), Image.open(file) as image:
        if enough and (times := min(image.size) // (2 * enough)) > 1:
            image.draft("RGB", (image.width // times, image.height // times))
        whole = flat(image)
        if enough and (times := min(whole.size) // (2 * enough)) > 1:
            whole = whole.reduce(times)
    return np.asarray(whole)


def size_of(file: Path) -> tuple[int, int]:
    """Width and height of the upright picture; only its head is read. BrokenError: it is not a picture."""
    from PIL import Image

    with _told_as_broken(file), Image.open(file) as image:
        return upright_size(image)


@contextlib.contextmanager
def _told_as_broken(file: Path) -> Iterator[None]:
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except Image.DecompressionBombError as error:
        raise BrokenError(file, f"too large: {error}") from error
    except UnidentifiedImageError as error:
        raise BrokenError(file, "its content is that of no known kind") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise BrokenError(file, str(error)) from error


@contextlib.contextmanager
def naming_all_broken(files: Sequence[Path], enough: int) -> Iterator[None]:
    """If one of the files turns out broken inside, the error names the others too, ten at most."""
    try:
        yield
    except BrokenError as error:
        broken = list(itertools.islice(_broken(files, enough), MOST_BROKEN + 1))
        if len(broken) < 2:
            raise
        many = "more than ten" if len(broken) > MOST_BROKEN else str(len(broken))
        lines = "".join(f"\n    {one.file} ({one.why})" for one in broken[:MOST_BROKEN])
        raise VisionError(
            f"{many} files are not pictures that can be read; mend them or take them away:{lines}"
        ) from error


def _broken(files: Sequence[Path], enough: int) -> Iterator[BrokenError]:
    for file in files:
        try:
            opened(file, enough)
        except BrokenError as error:
            yield error


def jpeg(pixels: Array, side: int) -> bytes:
    """Pixels no larger than `side`, as a file."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def inline(pixels: Array, side: int) -> str:
    """Pixels no larger than `side`, as an address that holds the picture itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(pixels, side)).decode()}"


def changed(pixels: Array, side: int, random: np.random.Generator) -> Array:
    """The picture as it might have been taken: mirrored, a little nearer, lighter or darker."""
    from PIL import Image, ImageEnhance

    image = Image.fromarray(pixels)
    width, height = image.size
    part = random.uniform(0.8, 1.0)
    left, top = random.uniform(0, 1 - part, 2)
    box = (left * width, top * height, (left + part) * width, (top + part) * height)
    near = image.resize((side, side), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        near = near.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    light = ImageEnhance.Brightness(near).enhance(random.uniform(0.8, 1.2))
    return np.asarray(ImageEnhance.Color(light).enhance(random.uniform(0.8, 1.2)))
