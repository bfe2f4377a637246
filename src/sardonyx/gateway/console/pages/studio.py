"""The pages of custom vision: bring pictures, label them, train, look at mistakes, try, deploy.

Decides what forms become. Must not know how pictures are kept or trained.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.pages.labelling import SCOPE, LabelPages, done
from sardonyx.protocol.errors import invalid, not_found
from sardonyx.protocol.records import NewDeployment, NewEndpoint, Registration
from sardonyx.registry.registration import Uploaded
from sardonyx.vision.pictures import NONE, VisionError, jpeg, opened
from sardonyx.vision.studio import outcome
from sardonyx.vision.studio.collections import KINDS, Added, Collection, Collections
from sardonyx.vision.studio.trainings import Progress, Trainings
from sardonyx.vision.studio.trying import Trial, tried

SHOWN, SMALL = 60, 160
STEP_SECONDS, SILENT_SECONDS = 0.25, 2.0
_LIBRARIES = {"PIL": "pillow", "sklearn": "scikit-learn"}
_REPORT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
_FILES = {
    outcome.MODEL: "application/octet-stream",
    outcome.RECORD: "application/json",
    outcome.REPORT: "text/html; charset=utf-8",
}


class StudioPages:
    """Handlers of these pages."""

    def __init__(self, desk: Desk, home: Path, closing: asyncio.Event) -> None:
        self._desk, self._closing = desk, closing
        self._collections, self._trainings = Collections(home), Trainings()
        self.labels = LabelPages(desk, self._named)

    async def collections(self, request: Request) -> Response:
        """All collections, and a form for another."""
        who = self._desk.admit(request, SCOPE)
        rows = [(one, one.counts(), outcome.measures(one)) for one in self._collections.all()]
        missing = [name for at, name in _LIBRARIES.items() if importlib.util.find_spec(at) is None]
        return self._desk.page(request, "studio.html", "studio", who, rows=rows, missing=missing, kinds=KINDS)

    async def create(self, request: Request) -> Response:
        """Another collection."""
        self._desk.admit(request, SCOPE)
        form = await self._desk.form(request)
        collection = done(self._collections.make, _text(form, "name"), _text(form, "kind") or "one")
        return self._desk.go(request, f"/vision/{segment(collection.name)}")

    async def collection(self, request: Request) -> Response:
        """One collection."""
        self._desk.admit(request, SCOPE)
        return self._page(request, self._named(request))

    async def act(self, request: Request) -> Response:
        """What a form of that page asks for."""
        who = self._desk.admit(request, SCOPE)
        collection, verb = self._named(request), request.path_params["act"]
        form = await self._desk.form(request, files=2000)
        path = f"/vision/{segment(collection.name)}"
        if verb == "upload":
            words = _words(await self._upload(collection, form))
            if request.headers.get("x-fragment"):
                return PlainTextResponse(words)
            return self._desk.go(request, path, words)
        if verb == "try":
            trial = await self._try(collection, form)
            return self._page(request, collection, trial)
        if verb == "deploy":
            said = await self._deploy(collection, form, who.principal.name)
            return self._desk.go(request, path, said)
        acts = {
            "class": self._add_class,
            "forget": self._forget,
            "train": self._train,
            "cancel": self._cancel,
            "delete": self._delete,
        }
        if verb not in acts:
            raise not_found(f"{verb!r} is not an action of a collection")
        said = await run_in_threadpool(acts[verb], collection, form)
        return self._desk.go(request, "/vision" if verb == "delete" else path, said)

    async def picture(self, request: Request) -> Response:
        """A picture, small."""
        self._desk.admit(request, SCOPE)
        path = done(self._named(request).path, request.path_params["file"])
        content = await run_in_threadpool(done, _small, path)
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    async def file(self, request: Request) -> Response:
        """The model, its record or its report."""
        self._desk.admit(request, SCOPE)
        name = request.path_params["file"]
        path = self._named(request).folder / name
        if name not in _FILES or not path.is_file():
            raise not_found(f"there is no {name!r} yet")
        headers = {"content-security-policy": _REPORT} if name == outcome.REPORT else {}
        if name == outcome.MODEL:
            headers = {"content-disposition": f'attachment; filename="{self._named(request).name}.onnx"'}
        return Response(await run_in_threadpool(path.read_bytes), media_type=_FILES[name], headers=headers)

    async def stream(self, request: Request) -> Response:
        """How far a training is, as server-sent events until it ends."""
        self._desk.admit(request, SCOPE)
        events = self._events(self._named(request))
        return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _events(self, collection: Collection) -> AsyncIterator[bytes]:
        told, silent = None, 0.0
        while not self._closing.is_set():
            now = self._trainings.progress(collection) or Progress("idle")
            if now != told or silent >= SILENT_SECONDS:
                told, silent = now, 0.0
                yield b"data: " + msgspec.json.encode(now) + b"\n\n"
            silent += STEP_SECONDS
            if now.state != "running":
                return
            await asyncio.sleep(STEP_SECONDS)

    def _named(self, request: Request) -> Collection:
        try:
            return self._collections[request.path_params["collection"]]
        except VisionError as error:
            raise not_found(str(error)) from error

    def _page(self, request: Request, collection: Collection, trial: Trial | None = None) -> Response:
        who = self._desk.admit(request, SCOPE)
        counts, label = collection.counts(), request.query_params.get("label", "all")
        rows = [row for row in collection.pictures if label in ("all", *(row.labels or ("unlabelled",)))]
        shown = max(SHOWN, min(_whole(request.query_params.get("shown", "")), len(rows)))
        return self._desk.page(
            request,
            "studio_collection.html",
            "studio",
            who,
            collection=collection,
            path=f"/vision/{segment(collection.name)}",
            counts=counts,
            labels=collection.classes,
            nothing=NONE,
            rows=rows[:shown],
            more=len(rows) - shown,
            shown=shown,
            chosen=label,
            first=next((row.file for row in collection.pictures if row.marks is None), ""),
            progress=self._trainings.progress(collection),
            kinds=KINDS,
            record=outcome.record(collection),
            measures=outcome.measures(collection),
            mistakes=outcome.mistakes(collection),
            trial=trial,
            registry=self._desk.parts.administration is not None,
        )

    async def _upload(self, collection: Collection, form: FormData) -> Added:
        label, answer = _text(form, "label"), Added()
        for value in form.getlist("files"):
            if isinstance(value, UploadFile) and value.filename:
                content = await value.read()
                answer += await run_in_threadpool(done, collection.add, value.filename, content, label)
        if answer == Added():
            raise invalid("choose pictures, or a .zip of folders of pictures, first")
        return answer

    async def _try(self, collection: Collection, form: FormData) -> Trial:
        value = form.get("file")
        if not isinstance(value, UploadFile) or not value.filename:
            raise invalid("choose a picture to try first")
        content = await value.read()
        return await run_in_threadpool(done, tried, collection, value.filename, content)

    async def _deploy(self, collection: Collection, form: FormData, actor: str) -> str:
        administration, path = self._desk.administration, collection.folder / outcome.MODEL
        if not path.is_file():
            raise invalid("train a model first")
        name, endpoint = _text(form, "model") or collection.name, _text(form, "endpoint")
        source = Registration(source=f"vision:{collection.name}", description="trained on labelled pictures")
        version = await self._desk.act(
            lambda: administration.registrar.register(name, source, actor, Uploaded(path, None))
        )
        if not endpoint:
            return f"{name} has version {version.version} now"
        known = {one.name for one in await self._desk.ask(administration.endpoints.endpoints)}
        if endpoint not in known:
            await self._desk.act(lambda: administration.endpoints.create(NewEndpoint(name=endpoint), actor))
        deployment = NewDeployment(model=name, version=str(version.version))
        await self._desk.act(lambda: administration.endpoints.deploy(endpoint, deployment, actor))
        return f"{name} has version {version.version} now, and the endpoint {endpoint} a deployment of it"

    def _add_class(self, collection: Collection, form: FormData) -> str:
        done(collection.add_class, _text(form, "name"))
        return ""

    def _forget(self, collection: Collection, form: FormData) -> str:
        done(collection.remove_class, _text(form, "name"))
        return f"{_text(form, 'name')} is not a label any more"

    def _train(self, collection: Collection, form: FormData) -> str:
        done(self._trainings.begin, collection)
        return ""

    def _cancel(self, collection: Collection, form: FormData) -> str:
        done(self._trainings.cancel, collection)
        return ""

    def _delete(self, collection: Collection, form: FormData) -> str:
        running = self._trainings.progress(collection)
        if running is not None and running.state == "running":
            raise invalid("it is trained right now; cancel that first")
        done(self._collections.remove, collection.name)
        return f"{collection.name} is gone"


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _words(added: Added) -> str:
    parts = [f"{added.new} pictures came in"] if added.new != 1 else ["1 picture came in"]
    if added.known:
        parts.append(f"{added.known} were there already")
    if added.refused:
        parts.append(f"{len(added.refused)} were refused: {'; '.join(added.refused[:3])}")
    return ", ".join(parts)


def _small(path: Path) -> bytes:
    return jpeg(opened(path, SMALL), SMALL)
