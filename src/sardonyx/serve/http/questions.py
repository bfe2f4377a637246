"""The paths of /v2 beside inference: health, metadata, statistics, repository, shared memory, settings.

Decides paths and the JSON of questions and answers; must not know how a model runs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Context, InferRequest, InferResponse, Principal
from sardonyx.protocol.rest import write
from sardonyx.serve import seams
from sardonyx.serve.core import Core
from sardonyx.serve.http.coding import decoded
from sardonyx.serve.http.exchange import (
    HTML,
    Headers,
    Receive,
    Scope,
    Send,
    document_of,
    name_of,
    on_disconnect,
    read_body,
    respond,
    send_events,
)
from sardonyx.serve.http.openapi import document, page
from sardonyx.serve.http.plain import generated, generating

_LOCAL = ("127.0.0.1", "::1", "localhost")
_FILE = "file:"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the names in the path, the JSON object in the body, whether from this machine."""

    model: str
    version: str
    region: str
    body: dict[str, Any]
    local: bool
    context: Context


Answer = tuple[int, Any]
"""The status and what is told: a document, a page as bytes, or events one after the other."""
Handler = Callable[[Core, Question], Answer | Awaitable[Answer]]


async def answer(core: Core, scope: Scope, receive: Receive, send: Send, path: bytes) -> None:
    """Answer a question; NOT_FOUND if there is no such path, METHOD if it is asked in another way."""
    method: str = scope["method"]
    methods = []
    for row in ROUTES:
        match = row.path.fullmatch(path)
        if match is None:
            continue
        if row.method == method:
            await _answer(core, scope, receive, send, row, match)
            return
        methods.append(row.method)
    if methods:
        raise ServeError(Code.METHOD, f"{scope['path']} takes {' or '.join(methods)}, not {method}")
    raise ServeError(Code.NOT_FOUND, f"there is nothing at {scope['path']}")


async def _answer(
    core: Core, scope: Scope, receive: Receive, send: Send, row: Route, match: re.Match[bytes]
) -> None:
    headers = Headers(scope["headers"])
    names = {key: unquote((value or b"").decode("latin-1")) for key, value in match.groupdict().items()}
    principal = Principal()
    if row.action:
        principal = core.guard.admit(headers, row.action, names.get("model", ""))
    body_document: Any = {}
    if method_has_body(row.method):
        limit = core.options.max_body_bytes
        body = await decoded(await read_body(receive, headers, limit), headers, limit)
        body_document = await document_of(body) if bytes(body).strip() else {}
        if not isinstance(body_document, dict):
            raise invalid("the request must be a JSON object")
    client = scope.get("client")
    question = Question(
        names.get("model", ""),
        names.get("version", ""),
        names.get("region", ""),
        body_document,
        client is None or client[0] in _LOCAL,
        Context("http", headers, principal, on_leave=partial(on_disconnect, receive)),
    )
    try:
        given = row.handler(core, question)
        status, reply = given if isinstance(given, tuple) else await given
        told = name_of(question.context.told_id)
        if isinstance(reply, AsyncIterator):
            await send_events(send, reply, told)
        elif isinstance(reply, bytes):
            await respond(send, status, reply, kind=HTML, extra=told)
        else:
            await respond(send, status, b"" if reply is None else write(reply), extra=told)
    except ServeError as error:
        error.request_id = question.context.told_id
        raise


def method_has_body(method: str) -> bool:
    """Whether requests of that method carry a document."""
    return method == "POST"


def _live(core: Core, question: Question) -> Answer:
    return 200, {"live": True}


def _ready(core: Core, question: Question) -> Answer:
    ready = core.ready()
    return (200 if ready else 503), {"ready": ready}


def _model_ready(core: Core, question: Question) -> Answer:
    ready = core.ready(question.model, question.version)
    return (200 if ready else 503), {"name": question.model, "ready": ready}


def _server(core: Core, question: Question) -> Answer:
    return 200, core.server_metadata()


def _models(core: Core, question: Question) -> Answer:
    return 200, {"models": sorted({row["name"] for row in core.index(ready=True)})}


async def _metadata(core: Core, question: Question) -> Answer:
    await core.awake(question.model, question.version)
    return 200, core.metadata(question.model, question.version)


async def _config(core: Core, question: Question) -> Answer:
    await core.awake(question.model, question.version)
    return 200, core.config(question.model, question.version)


def _statistics(core: Core, question: Question) -> Answer:
    return 200, core.statistics(question.model, question.version)


def _openapi(core: Core, question: Question) -> Answer:
    return 200, document()


def _page(core: Core, question: Question) -> Answer:
    return 200, page()


async def _generate(core: Core, question: Question) -> Answer:
    _, responses = await core.stream(*await _generating(core, question))
    answers = [response async for response in responses]
    if len(answers) != 1:
        raise invalid(
            f"model '{question.model}' gave {len(answers)} answers, generate is for one: ask generate_stream"
        )
    return 200, generated(answers[0])


async def _generate_stream(core: Core, question: Question) -> Answer:
    request, route = await _generating(core, question)
    _ = request.known_as
    _, responses = await core.stream(request, route)
    return 200, _events(responses)


async def _generating(core: Core, question: Question) -> tuple[InferRequest, seams.Route]:
    reader = partial(generating, question.body)
    return await core.read(question.model, question.version, question.context, reader)


async def _events(responses: AsyncIterator[InferResponse]) -> AsyncIterator[bytes]:
    """Each answer as JSON; an error after the first one is an event too, and the last."""
    begun = False
    try:
        async for response in responses:
            yield write(generated(response))
            begun = True
    except ServeError as error:
        if not begun:
            raise
        yield write({"error": error.message})


def _index(core: Core, question: Question) -> Answer:
    return 200, core.index(ready=question.body.get("ready") is True)


async def _load(core: Core, question: Question) -> Answer:
    config: str | None = None
    files = {}
    for key, value in _object(question.body, "parameters").items():
        if not isinstance(value, str):
            raise invalid(f"parameter '{key}' must be a string")
        if key == "config":
            config = value
        elif key.startswith(_FILE):
            files[key.removeprefix(_FILE)] = _decoded_file(key, value)
        else:
            raise invalid(f"parameter '{key}' is unknown; 'config' and 'file:PATH' are known")
    await core.load(question.model, config, files)
    return 200, None


async def _unload(core: Core, question: Question) -> Answer:
    dependents = _object(question.body, "parameters").get("unload_dependents") is True
    await core.unload(question.model, dependents=dependents)
    return 200, None


def _object(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key, {})
    if not isinstance(value, dict):
        raise invalid(f"'{key}' must be an object")
    return value


def _decoded_file(key: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise invalid(f"parameter '{key}' is not base64: {error}") from None


def _memory_status(core: Core, question: Question) -> Answer:
    return 200, core.regions.status(question.region)


def _register(core: Core, question: Question) -> Answer:
    if not question.local:
        raise ServeError(Code.FORBIDDEN, "shared memory is registered from the server's machine only")
    body = question.body
    key, offset, size = body.get("key"), body.get("offset", 0), body.get("byte_size")
    if not isinstance(key, str) or type(offset) is not int or type(size) is not int or offset < 0 or size < 0:
        raise invalid("shared memory needs 'key' (text), 'offset' and 'byte_size' (numbers of bytes)")
    core.regions.register(question.region, key, offset, size)
    return 200, None


def _unregister(core: Core, question: Question) -> Answer:
    core.regions.unregister(question.region)
    return 200, None


def _no_cuda_status(core: Core, question: Question) -> Answer:
    return 200, []


def _no_cuda(core: Core, question: Question) -> Answer:
    raise ServeError(Code.UNSUPPORTED, "there is no CUDA shared memory here: models run on the CPU")


def _nothing(core: Core, question: Question) -> Answer:
    return 200, None


def _trace(core: Core, question: Question) -> Answer:
    if question.model:
        core.ready(question.model)
    return 200, core.trace.of(question.model)


def _set_trace(core: Core, question: Question) -> Answer:
    if question.model:
        core.ready(question.model)
    return 200, core.trace.change(question.body, question.model)


def _log(core: Core, question: Question) -> Answer:
    return 200, core.log.all()


def _set_log(core: Core, question: Question) -> Answer:
    return 200, core.log.change(question.body)


@dataclass(frozen=True, slots=True)
class Route:
    """A path, how it is asked, what the guard is asked for it, and who answers."""

    method: str
    path: re.Pattern[bytes]
    action: str
    handler: Handler


def _route(method: str, path: str, action: str, handler: Handler) -> Route:
    """`{name}` in a path is one segment; what stands in brackets may be left out."""
    pattern = re.escape(path).replace(r"\[", "(?:").replace(r"\]", ")?")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.compile(pattern.encode()), action, handler)


_MODEL = "/v2/models/{model}[/versions/{version}]"
ROUTES = [
    _route("GET", "/v2/health/live", "", _live),
    _route("GET", "/v2/health/ready", "", _ready),
    _route("GET", "/v2[/]", "metadata", _server),
    _route("GET", "/v2/models", "metadata", _models),
    _route("GET", "/v2/docs", "", _page),
    _route("GET", "/v2/docs/dataplane.json", "", _openapi),
    _route("GET", "/v2/models/stats", "metadata", _statistics),
    _route("GET", _MODEL, "metadata", _metadata),
    _route("GET", f"{_MODEL}/ready", "metadata", _model_ready),
    _route("GET", f"{_MODEL}/config", "metadata", _config),
    _route("GET", f"{_MODEL}/stats", "metadata", _statistics),
    _route("POST", f"{_MODEL}/generate", "infer", _generate),
    _route("POST", f"{_MODEL}/generate_stream", "infer", _generate_stream),
    _route("POST", "/v2/repository[/{repository}]/index", "metadata", _index),
    _route("POST", "/v2/repository[/{repository}]/models/{model}/load", "repository", _load),
    _route("POST", "/v2/repository[/{repository}]/models/{model}/unload", "repository", _unload),
    _route("GET", "/v2/systemsharedmemory[/region/{region}]/status", "infer", _memory_status),
    _route("POST", "/v2/systemsharedmemory/region/{region}/register", "infer", _register),
    _route("POST", "/v2/systemsharedmemory[/region/{region}]/unregister", "infer", _unregister),
    _route("GET", "/v2/cudasharedmemory[/region/{region}]/status", "infer", _no_cuda_status),
    _route("POST", "/v2/cudasharedmemory/region/{region}/register", "infer", _no_cuda),
    _route("POST", "/v2/cudasharedmemory[/region/{region}]/unregister", "infer", _nothing),
    _route("GET", "/v2[/models/{model}]/trace/setting", "metadata", _trace),
    _route("POST", "/v2[/models/{model}]/trace/setting", "admin", _set_trace),
    _route("GET", "/v2/logging", "metadata", _log),
    _route("POST", "/v2/logging", "admin", _set_log),
]
