"""Collections: pictures on disk under their digests, and one file that says what stands on each.

Decides what may be added and how it is kept; must not know how it is trained or shown.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sardonyx.base.stored import DAMAGED_ZIP
from sardonyx.base.together import written
from sardonyx.vision.pictures import NONE, NONE_FOLDERS, SUFFIXES, VisionError, size_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_CLASSES = 200
MOST_IN_A_ZIP, MOST_BYTES_OF_A_ZIP, MOST_BYTES = 20_000, 4 << 30, 64 << 20
MOST_MARKS = 500
STATE = "collection.json"
KINDS = {"one": "one label each", "several": "any number of labels", "boxes": "boxes"}


@dataclass(frozen=True)
class Mark:
    """What stands on a picture, and in a collection of boxes where: left, top, right, bottom as shares."""

    label: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture: its file's name, what it was called, and what stands on it.

    `marks` are empty if it shows none of the labels, and None while nobody has said what it shows.
    """

    file: str
    name: str
    marks: tuple[Mark, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Each once, or `none of these`; nothing while nobody has said what it shows."""
        if self.marks is None:
            return ()
        return tuple(dict.fromkeys(mark.label for mark in self.marks)) or (NONE,)


@dataclass(frozen=True)
class Added:
    """What became of files: how many are new, were there before, and why others are not pictures."""

    new: int = 0
    known: int = 0
    refused: tuple[str, ...] = ()

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.known + other.known, self.refused + other.refused)


class Collection:
    """One collection; its methods may be called on any thread.

    `kind` says what its pictures have: `one` label each, `several`, or `boxes` with a label each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._lock = threading.RLock()
        try:
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            self.kind = str(state["kind"])
            self._classes: list[str] = list(state["classes"])
            self._pictures = {row["file"]: _read(**row) for row in state["pictures"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VisionError(f"{folder / STATE} cannot be read: {error}") from error

    @property
    def classes(self) -> list[str]:
        """The labels in the order of their keys."""
        return list(self._classes)

    @property
    def pictures(self) -> list[Picture]:
        """All, in the order in which they came."""
        return list(self._pictures.values())

    def counts(self) -> Counter[str]:
        """How many pictures have each label; "" are those of which nobody has said what they show."""
        return Counter(label for picture in self.pictures for label in picture.labels or ("",))

    def picture(self, file: str) -> Picture:
        """By its file's name; VisionError if there is none."""
        if file not in self._pictures:
            raise VisionError(f"{self.name} has no picture {file!r}")
        return self._pictures[file]

    def path(self, file: str) -> Path:
        """Where a picture lies."""
        return self.folder / "pictures" / self.picture(file).file

    def add_class(self, name: str) -> None:
        """Another label; VisionError if it cannot be a label."""
        name = " ".join(name.split())
        if not name or len(name) > 60 or not name.isprintable() or ";" in name:
            raise VisionError("a label is 1 to 60 characters, without a semicolon")
        with self._lock:
            if name.lower() in NONE_FOLDERS:
                raise VisionError(f"{NONE!r} is always there, under the key 0")
            if name not in self._classes:
                if len(self._classes) >= MOST_CLASSES:
                    raise VisionError(f"{MOST_CLASSES} labels are the most of a collection")
                self._classes.append(name)
                self._save()

    def remove_class(self, name: str) -> None:
        """A label goes; pictures that had no other stay without one."""
        with self._lock:
            self._classes = [known for known in self._classes if known != name]
            for picture in self.pictures:
                if name in picture.labels:
                    rest = tuple(mark for mark in picture.marks or () if mark.label != name)
                    self._pictures[picture.file] = replace(picture, marks=rest or None)
            self._save()

    def mark(self, file: str, marks: Iterable[Mark] | None) -> None:
        """Say what stands on a picture; nothing for `none of these`, None to take back what was said."""
        with self._lock:
            picture = self.picture(file)
            held = None if marks is None else tuple(self._checked(mark) for mark in marks)
            if self.kind == "several" and held:
                held = tuple(dict.fromkeys(held))
            if held and len(held) > (1 if self.kind == "one" else MOST_MARKS):
                raise VisionError(f"{len(held)} are more than a picture of {self.name} can have")
            self._pictures[file] = replace(picture, marks=held)
            self._save()

    def _checked(self, mark: Mark) -> Mark:
        if mark.label not in self._classes:
            raise VisionError(f"{mark.label!r} is not a label of {self.name}")
        if (mark.box is not None) != (self.kind == "boxes"):
            raise VisionError(f"{self.name} is a collection of pictures with {KINDS[self.kind]}")
        if mark.box is None:
            return mark
        left, top, right, bottom = (round(min(max(side, 0.0), 1.0), 5) for side in mark.box)
        if not (right > left and bottom > top):
            raise VisionError(f"a box of {mark.label!r} without area on the picture")
        return Mark(mark.label, (left, top, right, bottom))

    def remove(self, file: str) -> None:
        """A picture goes, and its file."""
        with self._lock:
            path = self.path(file)
            del self._pictures[file]
            self._save()
            path.unlink(missing_ok=True)

    def add(self, name: str, content: bytes, label: str = "") -> Added:
        """A picture, or a .zip of them whose folders are labels."""
        with self._lock:
            answer = Added()
            for inner, data, said in _unpacked(name, content, label):
                answer += self._added(inner, data, said)
            self._save()
            return answer

    def _added(self, name: str, content: bytes, label: str) -> Added:
        suffix = PurePosixPath(name).suffix.lower()
        shown = PurePosixPath(name.replace("\\", "/")).name[-120:] or "picture"
        if suffix not in SUFFIXES:
            return Added(refused=(f"{shown}: no picture by its name",))
        file = f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
        if file in self._pictures:
            return Added(known=1)
        path = self.folder / "pictures" / file
        written({path: content})
        try:
            size_of(path)
        except VisionError:
            path.unlink()
            return Added(refused=(f"{shown}: no picture that can be read",))
        self._pictures[file] = Picture(file, shown, self._of_folder(" ".join(label.split())))
        return Added(new=1)

    def _of_folder(self, label: str) -> tuple[Mark, ...] | None:
        """What stands on a picture that came with a label; that does not say where boxes are."""
        if not label or self.kind == "boxes":
            return None
        if label.lower() in NONE_FOLDERS:
            return ()
        self.add_class(label)
        return (Mark(label),)

    def _save(self) -> None:
        rows = [asdict(row) for row in self._pictures.values()]
        state = {"kind": self.kind, "classes": self._classes, "pictures": rows}
        written({self.folder / STATE: json.dumps(state, indent=0)})


def marks_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Mark, ...]:
    """Marks as JSON holds them."""
    return tuple(Mark(row["label"], None if row["box"] is None else tuple(row["box"])) for row in rows)


def _read(file: str, name: str, marks: list[dict[str, Any]] | None) -> Picture:
    return Picture(file, name, None if marks is None else marks_of(marks))


def _unpacked(name: str, content: bytes, label: str) -> Iterator[tuple[str, bytes, str]]:
    """The pictures of a file; those in folders of a .zip have these as labels."""
    if PurePosixPath(name).suffix.lower() != ".zip":
        yield name, content, label
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            rows = [row for row in archive.infolist() if not row.is_dir() and not _is_hidden(row.filename)]
            if len(rows) > MOST_IN_A_ZIP or sum(row.file_size for row in rows) > MOST_BYTES_OF_A_ZIP:
                raise VisionError(f"{name} holds more than {MOST_IN_A_ZIP} files or 4 GB; send it in parts")
            for row in rows:
                if row.file_size <= MOST_BYTES:
                    folder = PurePosixPath(row.filename).parent.name
                    yield row.filename, archive.read(row), label or folder
    except (*DAMAGED_ZIP, ValueError) as error:
        raise VisionError(f"{name} is not a .zip that can be read: {error}") from error


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


class Collections:
    """All collections below a folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._open: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def all(self) -> list[Collection]:
        """By name."""
        if not self._home.is_dir():
            return []
        return [self[path.name] for path in sorted(self._home.iterdir()) if (path / STATE).is_file()]

    def __getitem__(self, name: str) -> Collection:
        with self._lock:
            if not NAME.fullmatch(name) or not (self._home / name / STATE).is_file():
                raise VisionError(f"there is no collection {name!r}")
            if name not in self._open:
                self._open[name] = Collection(self._home / name)
            return self._open[name]

    def make(self, name: str, kind: str = "one") -> Collection:
        """An empty one; VisionError if the name is invalid or taken, or the kind unknown."""
        if kind not in KINDS:
            raise VisionError(f"{kind!r} is not a kind of collection; there are {', '.join(KINDS)}")
        if not NAME.fullmatch(name):
            raise VisionError("a name is 1 to 64 of the letters a-z, digits, '.', '_' and '-'")
        folder = self._home / name
        if folder.exists():
            raise VisionError(f"there is a collection {name!r} already")
        written({folder / STATE: json.dumps({"kind": kind, "classes": [], "pictures": []})})
        return self[name]

    def remove(self, name: str) -> None:
        """A collection goes, with its pictures and its model."""
        collection = self[name]
        with self._lock:
            self._open.pop(name, None)
        shutil.rmtree(collection.folder, ignore_errors=True)
