"""The administration over HTTP: the operations of the table as a Starlette application.

Decides what a request must look like and what refuses it before an operation sees it. Must not know what the
operations do.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sardonyx.gateway.bounded import bounded
from sardonyx.gateway.monitors import OPERATIONS
from sardonyx.gateway.openapi import document
from sardonyx.gateway.operations import Administration, Call, Operation
from sardonyx.ort.logger import ERROR, log
from sardonyx.protocol.errors import Code, ServeError, invalid, not_found
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import Registration
from sardonyx.registry.guard import is_of
from sardonyx.registry.registration import Uploaded
from sardonyx.serve.seams import Guard

PREFIX = "/api"
BODY_LIMIT = 1 << 20
UPLOAD_LIMIT = 16 << 30
DATA_LIMIT = 256 << 20
_OF_DATA = ("/baselines", "/truth")
_CHUNK = 1 << 20
_LONGEST_NAME, _LONGEST_PATH = 255, 1024
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def api(
    administration: Administration, guard: Guard, changed: Callable[[], object] = lambda: None
) -> ASGIApp:
    """The application; `changed` is called on a thread after every act that changes something."""
    routes: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        routes.setdefault(operation.path, {})[operation.method] = operation
    handlers = [
        Route(path, _handler(methods, administration, guard, changed), methods=list(methods))
        for path, methods in routes.items()
    ]
    handlers.append(Route("/openapi.json", _openapi, methods=["GET"]))
    files = "/models/{model}/versions/{version}/files/{path:path}"
    handlers.append(Route(files, _download(administration, guard), methods=["GET"]))
    return _SameOrigin(Starlette(routes=handlers, exception_handlers={HTTPException: _http_exception}))


def _handler(
    methods: dict[str, Operation], administration: Administration, guard: Guard, changed: Callable[[], object]
) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        return await _answered(request, _operated(request, operation, administration, guard, changed))

    return handle


async def _operated(
    request: Request,
    operation: Operation,
    administration: Administration,
    guard: Guard,
    changed: Callable[[], object],
) -> Response:
    call = Call(Principal(), dict(request.path_params), dict(request.query_params))
    headers = _headers(request)
    call.principal = guard.admit(headers, operation.scope, call.path.get("model", ""))
    if unknown := set(call.query) - set(operation.query):
        raise invalid(f"{operation.name} has no parameter {unknown.pop()!r}")
    if operation.body is not None and _is_upload(request, operation):
        async with request.form(max_files=1000, max_fields=10) as form:
            with administration.store.scratch() as folder:
                call.body, call.uploaded = await run_in_threadpool(_uploaded, form, folder)
                _admit_names(guard, headers, operation, call)
                result = await run_in_threadpool(_act, operation, administration, call, changed)
    else:
        if operation.body is not None:
            call.body = _decoded(request, await request.body(), operation.body)
        _admit_names(guard, headers, operation, call)
        result = await run_in_threadpool(_act, operation, administration, call, changed)
    if operation.answer is None:
        return Response(status_code=operation.status)
    return Response(msgspec.json.encode(result), operation.status, media_type="application/json")


def _admit_names(guard: Guard, headers: dict[str, str], operation: Operation, call: Call) -> None:
    for name in operation.names(call):
        if name != call.path.get("model"):
            guard.admit(headers, operation.scope, name)


def _act(
    operation: Operation, administration: Administration, call: Call, changed: Callable[[], object]
) -> Any:
    result = operation.act(administration, call)
    if operation.method != "GET":
        changed()
    return result


def _decoded(request: Request, body: bytes, type_: Any) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise invalid(
            f"the body must be JSON, with the header 'Content-Type: application/json', not {kind!r}"
        )
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid(f"the body is not what {type_.__name__} needs: {error}") from None


def _is_upload(request: Request, operation: Operation) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return operation.body is Registration and kind == "multipart/form-data"


def _uploaded(form: FormData, folder: Path) -> tuple[Registration, Uploaded]:
    """The registration of a form, and the folder with its files."""
    text = form.get("registration") or "{}"
    if not isinstance(text, str):
        raise invalid("the field 'registration' must be JSON text")
    try:
        fields = {"source": "upload", **msgspec.json.decode(text, type=dict[str, Any]), "samples": ""}
        registration = msgspec.convert(fields, Registration)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise invalid(f"the field 'registration' is not a Registration: {error}") from None
    files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
    if not files:
        raise invalid("the form has no 'file' with the model")
    version = folder / "version"
    paths = _inner_paths([part.filename or "" for part in files])
    for part, path in zip(files, paths, strict=True):
        _save(part, version / path)
    source = version if len(files) > 1 else version / paths[0]
    samples = form.get("samples")
    if not isinstance(samples, UploadFile):
        return registration, Uploaded(source)
    _save(samples, folder / "samples.npz")
    return registration, Uploaded(source, folder / "samples.npz")


def _inner_paths(names: list[str]) -> list[PurePosixPath]:
    paths = [_inner_path(name) for name in names]
    taken = {parent for path in paths for parent in path.parents}
    for path in paths:
        if path in taken:
            raise invalid(f"the form has another file at or below {str(path)!r}")
        taken.add(path)
    return paths


def _inner_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise invalid(f"the file name {name!r} does not stay in its folder")
    if max(len(part.encode()) for part in path.parts) > _LONGEST_NAME or len(name.encode()) > _LONGEST_PATH:
        raise invalid(f"the file name {name[:64] + '…'!r} is too long")
    return path


def _save(part: UploadFile, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        while chunk := part.file.read(_CHUNK):
            stream.write(chunk)


def _download(administration: Administration, guard: Guard) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        return await _answered(request, _file(request, administration, guard))

    return handle


async def _file(request: Request, administration: Administration, guard: Guard) -> Response:
    model, reference, path = (request.path_params[part] for part in ("model", "version", "path"))
    guard.admit(_headers(request), "repository", model)
    version = await run_in_threadpool(administration.catalog.version, model, reference)
    file = next((file for file in version.files if file.path == path), None)
    if file is None:
        raise not_found(f"{model}:{version.version} has no file {path!r}")
    stream = await run_in_threadpool(administration.store.open, file.sha256)

    def chunks() -> Iterator[bytes]:
        with stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    headers = {"content-length": str(file.size_bytes), "etag": f'"{file.sha256}"'}
    return StreamingResponse(chunks(), media_type="application/octet-stream", headers=headers)


async def _openapi(request: Request) -> Response:
    return Response(msgspec.json.encode(document(PREFIX)), media_type="application/json", headers=_HEADERS)


async def _answered(request: Request, answer: Any) -> Response:
    try:
        response: Response = await answer
    except ServeError as error:
        response = refusal(error)
    except (MultiPartException, HTTPException) as error:
        message = getattr(error, "message", None) or getattr(error, "detail", "the form cannot be read")
        response = refusal(invalid(str(message)))
    except Exception:
        log(ERROR, f"{request.method} {request.url.path} failed:\n{traceback.format_exc()}")
        response = refusal(ServeError(Code.INTERNAL, "the server met a fault of its own; its log says which"))
    response.headers.update(_HEADERS)
    return response


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "there is nothing here" if error.status_code == 404 else error.detail
    body = msgspec.json.encode({"error": f"{request.method} {request.url.path}: {text}"})
    headers = {**_HEADERS, **(error.headers or {})}
    return Response(body, error.status_code, media_type="application/json", headers=headers)


def refusal(error: ServeError) -> Response:
    """The response of an error, in the form that the data plane has too."""
    response = Response(msgspec.json.encode({"error": error.message}), error.code.http)
    response.headers["content-type"] = "application/json"
    if error.code is Code.UNAUTHENTICATED:
        response.headers["www-authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    return response


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


class _SameOrigin:
    """Refuses what a page of another origin lets a browser send, and bodies beyond their limit."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and not is_of(origin, headers.get(b"host", "")):
            error = ServeError(Code.FORBIDDEN, f"pages of {origin} may not administer this server")
            await refusal(error)(scope, receive, send)
            return
        limit = DATA_LIMIT if scope["path"].endswith(_OF_DATA) else BODY_LIMIT
        if headers.get(b"content-type", "").startswith("multipart/form-data"):
            limit = UPLOAD_LIMIT
        await self._inner(scope, bounded(receive, limit, "body"), send)
