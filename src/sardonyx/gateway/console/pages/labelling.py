"""The page of one picture: what stands on it, said with keys, with the mouse, or by plain forms.

Decides what its forms become. Must not know how pictures are kept or trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.vision.pictures import NONE, VisionError, inline, opened
from sardonyx.vision.studio import outcome
from sardonyx.vision.studio.collections import Collection, Mark, Picture

SCOPE = "repository"
LARGE, DRAWN, KEYS = 900, 720, 9
SIDES = ("left", "top", "right", "bottom")


class LabelPages:
    """Handlers of the page of a picture; `named` finds the collection of a request."""

    def __init__(self, desk: Desk, named: Callable[[Request], Collection]) -> None:
        self._desk, self._named = desk, named

    async def show(self, request: Request) -> Response:
        """One picture, large, with a key for each label."""
        who = self._desk.admit(request, SCOPE)
        collection = self._named(request)
        files = [row.file for row in collection.pictures]
        picture = done(collection.picture, request.path_params["file"])
        at = files.index(picture.file)
        pixels = await run_in_threadpool(done, opened, collection.path(picture.file), LARGE)
        mistaken = next((row for row in outcome.mistakes(collection) if row.file == picture.file), None)
        return self._desk.page(
            request,
            "studio_boxes.html" if collection.kind == "boxes" else "studio_label.html",
            "studio",
            who,
            collection=collection,
            path=f"/vision/{segment(collection.name)}",
            picture=picture,
            image=inline(pixels, LARGE),
            size=fitted(pixels.shape[1], pixels.shape[0]),
            at=at,
            count=len(files),
            left=collection.counts()[""],
            before=files[at - 1] if at else "",
            after=files[at + 1] if at + 1 < len(files) else "",
            following=following(collection, picture.file),
            labels=[
                (str(key) if key <= KEYS else "", name) for key, name in enumerate(collection.classes, 1)
            ],
            nothing=NONE,
            drawn=[asdict(mark) for mark in picture.marks or ()],
            found=mistaken.found if mistaken else (),
        )

    async def act(self, request: Request) -> Response:
        """Say what stands on the picture, and go on to the next of which nobody has said it."""
        self._desk.admit(request, SCOPE)
        collection, file = self._named(request), request.path_params["file"]
        form = await self._desk.form(request)
        path, onward = f"/vision/{segment(collection.name)}", following(collection, file)
        if _text(form, "remove"):
            await run_in_threadpool(done, collection.remove, file)
        else:
            marks, stays = said(collection, done(collection.picture, file), form)
            await run_in_threadpool(done, collection.mark, file, marks)
            if request.headers.get("x-fragment"):
                return PlainTextResponse("Kept")
            if stays:
                return self._desk.go(request, f"{path}/label/{file}")
        if onward:
            return self._desk.go(request, f"{path}/label/{onward}")
        words = "Nothing is left to label" if not collection.counts()[""] else ""
        return self._desk.go(request, path, words)


def done(act: Any, *arguments: Any) -> Any:
    """What an act gives; ServeError with its words if pictures do not allow it."""
    try:
        return act(*arguments)
    except VisionError as error:
        raise ServeError(Code.INVALID_ARGUMENT, str(error)) from error


def following(collection: Collection, file: str) -> str:
    """The next picture of which nothing is said behind this one, or the first of all; "" if there is none."""
    rows = collection.pictures
    files = [row.file for row in rows]
    at = files.index(file) if file in files else -1
    turned: list[Picture] = [*rows[at + 1 :], *rows[: max(at, 0)]]
    return next((row.file for row in turned if row.marks is None), "")


def said(collection: Collection, picture: Picture, form: FormData) -> tuple[tuple[Mark, ...] | None, bool]:
    """What a form says of a picture, and whether the page stays for more."""
    marks, label = picture.marks or (), _text(form, "label")
    if label == NONE:
        return (), False
    if collection.kind == "several":
        kept = tuple(mark for mark in marks if mark.label != label)
        return (kept or None, True) if len(kept) < len(marks) else ((*marks, Mark(label)), True)
    if collection.kind == "one":
        return (None if not label else (Mark(label),)), False
    if "marks" in form:
        return _drawn(_text(form, "marks")), True
    if "drop" in form:
        gone = _text(form, "drop")
        return tuple(mark for at, mark in enumerate(marks) if str(at) != gone) or None, True
    return (*marks, Mark(label, _numbers(form))), True


def _drawn(text: str) -> tuple[Mark, ...]:
    try:
        return tuple(msgspec.json.decode(text, type=list[Mark]))
    except msgspec.MsgspecError as error:
        raise invalid(f"the boxes cannot be read: {error}") from error


def _numbers(form: FormData) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(_text(form, side)) / 100 for side in SIDES)
    except ValueError as error:
        raise invalid(
            "left, top, right and bottom of a box are numbers, in per cent of the picture"
        ) from error
    return left, top, right, bottom


def fitted(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture of that size is shown to draw on it."""
    scale = DRAWN / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""
