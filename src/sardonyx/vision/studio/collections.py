"""Collections: pictures on disk under their digests, and one file that says which label each has.

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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from sardonyx.vision.pictures import NONE, NONE_FOLDERS, SUFFIXES, VisionError, size_of
from sardonyx.vision.writing import written

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_CLASSES = 200
MOST_IN_A_ZIP, MOST_BYTES_OF_A_ZIP, MOST_BYTES = 20_000, 4 << 30, 64 << 20
STATE = "collection.json"


@dataclass(frozen=True)
class Picture:
    """A picture: its file's name, what it was called, and its label; "" while it has none."""

    file: str
    name: str
    label: str = ""


@dataclass(frozen=True)
class Added:
    """What became of files: how many are new, were there before, and why others are not pictures."""

    new: int = 0
    known: int = 0
    refused: tuple[str, ...] = ()

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.known + other.known, self.refused + other.refused)


class Collection:
    """One collection; its methods may be called on any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._lock = threading.RLock()
        try:
            state = json.loads((folder / STATE).read_text(encoding="utf-8"))
            self._classes: list[str] = list(state["classes"])
            self._pictures = {row["file"]: Picture(**row) for row in state["pictures"]}
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
        """How many pictures each label has; "" are those without one."""
        return Counter(picture.label for picture in self._pictures.values())

    def picture(self, file: str) -> Picture:
        """By its file's name; VisionError if there is none."""
        if file not in self._pictures:
            raise VisionError(f"{self.name} has no picture {file!r}")
        return self._pictures[file]

    def path(self, file: str) -> Path:
        """Where a picture lies."""
        return self.folder / "pictures" / self.picture(file).file

    def add_class(self, name: str) -> None:
        """Another label; VisionError if it is none."""
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
        """A label goes; its pictures stay without one."""
        with self._lock:
            self._classes = [known for known in self._classes if known != name]
            for picture in self.pictures:
                if picture.label == name:
                    self._pictures[picture.file] = Picture(picture.file, picture.name)
            self._save()

    def label(self, file: str, label: str) -> None:
        """Give a picture a label, `none of these`, or "" to take it away."""
        with self._lock:
            picture = self.picture(file)
            if label and label != NONE and label not in self._classes:
                raise VisionError(f"{label!r} is not a label of {self.name}")
            self._pictures[file] = Picture(file, picture.name, label)
            self._save()

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
        if label.lower() in NONE_FOLDERS:
            label = NONE
        elif label:
            self.add_class(label)
        self._pictures[file] = Picture(file, shown, " ".join(label.split()))
        return Added(new=1)

    def _save(self) -> None:
        state = {"classes": self._classes, "pictures": [asdict(row) for row in self._pictures.values()]}
        written({self.folder / STATE: json.dumps(state, indent=0).encode()})


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
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
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

    def make(self, name: str) -> Collection:
        """An empty one; VisionError if the name is none or taken."""
        if not NAME.fullmatch(name):
            raise VisionError("a name is 1 to 64 of the letters a-z, digits, '.', '_' and '-'")
        folder = self._home / name
        if folder.exists():
            raise VisionError(f"there is a collection {name!r} already")
        written({folder / STATE: json.dumps({"classes": [], "pictures": []}).encode()})
        return self[name]

    def remove(self, name: str) -> None:
        """A collection goes, with its pictures and its model."""
        collection = self[name]
        with self._lock:
            self._open.pop(name, None)
        shutil.rmtree(collection.folder, ignore_errors=True)
