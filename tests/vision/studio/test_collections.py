"""Pictures are kept under their digests with their labels, whatever is sent."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.studio.collections import Added, Collection, Collections, Mark


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
    assert row.name == "a.png" and row.marks is None and parts.path(row.file).read_bytes() == picture(1)
    again = Collection(parts.folder)
    assert again.pictures == parts.pictures


def test_what_is_no_picture_is_refused_by_name(parts: Collection) -> None:
    assert parts.add("notes.txt", b"text").refused == ("notes.txt: no picture by its name",)
    assert parts.add("../../x.png", b"text").refused == ("x.png: no picture that can be read",)
    assert not parts.pictures and not list((parts.folder / "pictures").iterdir())


def test_whatever_is_damaged_in_a_zip_is_told(parts: Collection) -> None:
    file, random = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/a.png", bytes(range(256)) * 40)
    whole, refused = np.frombuffer(file.getvalue(), np.uint8), 0
    for _ in range(400):
        data = whole.copy()
        data[random.integers(0, len(data), 2)] = random.integers(0, 256, 2)
        try:
            parts.add("some.zip", data.tobytes())
        except VisionError:
            refused += 1
    assert refused > 200


def test_folders_of_a_zip_are_labels(parts: Collection) -> None:
    names = ("set/cats/a.png", "set/none/b.png", "c.png", "__MACOSX/d.png", "cats/.e.png")
    content = packed({name: picture(at) for at, name in enumerate(names)})
    assert parts.add("set.zip", content).new == 3
    assert [(row.name, row.labels) for row in parts.pictures] == [
        ("a.png", ("cats",)),
        ("b.png", (NONE,)),
        ("c.png", ()),
    ]
    assert parts.classes == ["cats"] and parts.counts()[NONE] == 1
    with pytest.raises(VisionError, match=r"broken\.zip is not a \.zip"):
        parts.add("broken.zip", content[:40])


def test_labels_come_and_go(parts: Collection) -> None:
    parts.add("a.png", picture(1), "cat")
    (row,) = parts.pictures
    with pytest.raises(VisionError, match="'dog' is not a label of parts"):
        parts.mark(row.file, [Mark("dog")])
    parts.mark(row.file, [])
    assert parts.picture(row.file).labels == (NONE,)
    parts.mark(row.file, [Mark("cat")])
    parts.remove_class("cat")
    assert parts.picture(row.file).marks is None and parts.classes == []
    for name in ("", "a;b", "x" * 61, "none of these"):
        with pytest.raises(VisionError):
            parts.add_class(name)
    parts.remove(row.file)
    assert not parts.pictures and not list((parts.folder / "pictures").iterdir())
    with pytest.raises(VisionError, match="has no picture"):
        parts.path(row.file)


def test_pictures_have_one_label_or_several(tmp_path: Path) -> None:
    collections = Collections(tmp_path)
    one, several = collections.make("one"), collections.make("several", "several")
    for collection in (one, several):
        collection.add("a.png", picture(1), "cat")
        collection.add_class("dog")
    (row,) = one.pictures
    both = [Mark("cat"), Mark("dog"), Mark("cat")]
    with pytest.raises(VisionError, match="3 are more than a picture of one can have"):
        one.mark(row.file, both)
    several.mark(row.file, both)
    assert several.picture(row.file).labels == ("cat", "dog")
    assert several.counts() == {"cat": 1, "dog": 1}
    several.remove_class("cat")
    assert several.picture(row.file).labels == ("dog",)
    several.mark(row.file, None)
    assert several.counts() == {"": 1}
    with pytest.raises(VisionError, match="several is a collection of pictures with any number of labels"):
        several.mark(row.file, [Mark("dog", (0, 0, 1, 1))])
    with pytest.raises(VisionError, match="'many' is not a kind of collection"):
        collections.make("other", "many")


def test_boxes_stay_on_their_pictures(tmp_path: Path) -> None:
    parts = Collections(tmp_path).make("parts", "boxes")
    parts.add("cat/a.png", picture(1), "cat")
    assert parts.classes == []
    parts.add_class("cat")
    (row,) = parts.pictures
    parts.mark(row.file, [Mark("cat", (-0.5, 0.25, 0.5, 2.0)), Mark("cat", (0, 0, 0.1, 0.1))])
    kept = (Mark("cat", (0.0, 0.25, 0.5, 1.0)), Mark("cat", (0.0, 0.0, 0.1, 0.1)))
    assert parts.picture(row.file).marks == kept and Collection(parts.folder).pictures == parts.pictures
    for box in ((0.5, 0, 0.5, 1), (0.6, 0, 0.5, 1), (2, 2, 3, 3), (float("nan"), 0, 1, 1)):
        with pytest.raises(VisionError, match="without area"):
            parts.mark(row.file, [Mark("cat", box)])
    with pytest.raises(VisionError, match="parts is a collection of pictures with boxes"):
        parts.mark(row.file, [Mark("cat")])
    with pytest.raises(VisionError, match="501 are more"):
        parts.mark(row.file, [Mark("cat", (0, 0, 1, 1))] * 501)
    assert parts.picture(row.file).marks == kept and parts.counts() == {"cat": 1}


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
