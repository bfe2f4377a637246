"""What is said of a picture is kept, and the next one of which nothing is said is found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from starlette.datastructures import FormData

from sardonyx.gateway.console.pages.labelling import done, fitted, following, said
from sardonyx.protocol.errors import ServeError
from sardonyx.vision.pictures import NONE, VisionError
from sardonyx.vision.studio.collections import Collection, Collections, Mark

BOX = (0.1, 0.2, 0.3, 0.4)
SIDES = {"left": "10", "top": "20", "right": "30", "bottom": "40"}


def collection(folder: Path, kind: str) -> Collection:
    made = Collections(folder).make(kind, kind)
    made.add_class("cat")
    for shade in range(3):
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(file, "PNG")
        made.add(f"{shade}.png", file.getvalue())
    return made


def test_the_next_one_is_searched_in_a_circle(tmp_path: Path) -> None:
    one = collection(tmp_path, "one")
    files = [row.file for row in one.pictures]
    assert following(one, files[0]) == files[1] and following(one, files[2]) == files[0]
    one.mark(files[0], [])
    one.mark(files[1], [Mark("cat")])
    assert following(one, files[0]) == files[2] and following(one, files[2]) == ""
    assert following(one, "gone") == files[2]


@pytest.mark.parametrize(
    ("kind", "fields", "marks", "stays"),
    [
        ("one", {"label": "cat"}, (Mark("cat"),), False),
        ("one", {"label": NONE}, (), False),
        ("one", {"label": ""}, None, False),
        ("several", {"label": "cat"}, (Mark("cat"),), True),
        ("boxes", {"label": NONE}, (), False),
        ("boxes", {"label": "cat", **SIDES}, (Mark("cat", BOX),), True),
        ("boxes", {"marks": '[{"label": "cat", "box": [0.1, 0.2, 0.3, 0.4]}]'}, (Mark("cat", BOX),), True),
        ("boxes", {"marks": "[]"}, (), True),
    ],
)
def test_forms_say_what_stands_on_a_picture(
    tmp_path: Path, kind: str, fields: dict[str, str], marks: tuple[Mark, ...] | None, stays: bool
) -> None:
    pictures = collection(tmp_path, kind)
    assert said(pictures, pictures.pictures[0], FormData(fields)) == (marks, stays)


def test_labels_and_boxes_are_taken_away_again(tmp_path: Path) -> None:
    for kind, mark, fields in (
        ("several", Mark("cat"), {"label": "cat"}),
        ("boxes", Mark("cat", BOX), {"drop": "0"}),
    ):
        pictures = collection(tmp_path, kind)
        file = pictures.pictures[0].file
        pictures.mark(file, [mark])
        assert said(pictures, pictures.picture(file), FormData(fields)) == (None, True)


@pytest.mark.parametrize("fields", [{"marks": "{"}, {"label": "cat"}, {"label": "cat", **SIDES, "top": "up"}])
def test_what_is_no_box_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    pictures = collection(tmp_path, "boxes")
    with pytest.raises(ServeError):
        said(pictures, pictures.pictures[0], FormData(fields))


def test_pictures_are_drawn_on_at_one_size() -> None:
    assert fitted(100, 50) == (720, 360) and fitted(1000, 4000) == (180, 720) and fitted(1, 5000) == (1, 720)


def test_words_of_pictures_are_errors_of_requests() -> None:
    def refuse(word: str) -> None:
        raise VisionError(word)

    with pytest.raises(ServeError, match="no such"):
        done(refuse, "no such")
    assert done(len, "four") == 4
