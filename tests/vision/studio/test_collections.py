"""Pictures are kept under their digests with their labels, whatever is sent."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.studio.collections import Added, Collection, Collections


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def packed(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def parts(tmp_path: Path) -> Collection:
    return Collections(tmp_path).make("parts")


def test_pictures_are_kept_once(parts: Collection) -> None:
    assert parts.add("a.png", picture(1)) == Added(new=1)
    assert parts.add("b.png", picture(1)) == Added(known=1)
    (row,) = parts.pictures
    assert row.name == "a.png" and row.label == "" and parts.path(row.file).read_bytes() == picture(1)
    again = Collection(parts.folder)
    assert again.pictures == parts.pictures


def test_what_is_no_picture_is_refused_by_name(parts: Collection) -> None:
    assert parts.add("notes.txt", b"text").refused == ("notes.txt: no picture by its name",)
    assert parts.add("../../x.png", b"text").refused == ("x.png: no picture that can be read",)
    assert not parts.pictures and not list((parts.folder / "pictures").iterdir())


def test_folders_of_a_zip_are_labels(parts: Collection) -> None:
    names = ("set/cats/a.png", "set/none/b.png", "c.png", "__MACOSX/d.png", "cats/.e.png")
    content = packed({name: picture(at) for at, name in enumerate(names)})
    assert parts.add("set.zip", content).new == 3
    assert [(row.name, row.label) for row in parts.pictures] == [
        ("a.png", "cats"),
        ("b.png", NONE),
        ("c.png", ""),
    ]
    assert parts.classes == ["cats"] and parts.counts()[NONE] == 1
    with pytest.raises(VisionError, match=r"broken\.zip is not a \.zip"):
        parts.add("broken.zip", content[:40])


def test_labels_come_and_go(parts: Collection) -> None:
    parts.add("a.png", picture(1), "cat")
    (row,) = parts.pictures
    with pytest.raises(VisionError, match="'dog' is not a label of parts"):
        parts.label(row.file, "dog")
    parts.label(row.file, NONE)
    assert parts.picture(row.file).label == NONE
    parts.label(row.file, "cat")
    parts.remove_class("cat")
    assert parts.picture(row.file).label == "" and parts.classes == []
    for name in ("", "a;b", "x" * 61, "none of these"):
        with pytest.raises(VisionError):
            parts.add_class(name)
    parts.remove(row.file)
    assert not parts.pictures and not list((parts.folder / "pictures").iterdir())
    with pytest.raises(VisionError, match="has no picture"):
        parts.path(row.file)


def test_collections_have_names(tmp_path: Path) -> None:
    collections = Collections(tmp_path / "home")
    assert collections.all() == []
    for name in ("", "../x", ".hidden", "a/b", "x" * 65):
        with pytest.raises(VisionError, match="a name is 1 to 64"):
            collections.make(name)
        with pytest.raises(VisionError, match="there is no collection"):
            collections[name]
    made = collections.make("one")
    assert collections["one"] is made and [row.name for row in collections.all()] == ["one"]
    with pytest.raises(VisionError, match="already"):
        collections.make("one")
    collections.remove("one")
    assert collections.all() == [] and not (tmp_path / "home" / "one").exists()


def test_a_broken_file_of_labels_is_named(parts: Collection) -> None:
    (parts.folder / "collection.json").write_text("{")
    with pytest.raises(VisionError, match=r"collection\.json cannot be read"):
        Collection(parts.folder)
