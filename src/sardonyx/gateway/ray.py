"""The gateway as an application of Ray Serve: `sardonyx ray`, or this module's `build` in a serve.yaml.

A `Front` takes requests and asks a `Replica`, which is a gateway without ports. Ray replaces a replica that
dies, and what it had not answered is asked of another. Must not know what is answered.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.api import refusal
from sardonyx.gateway.gateway import Gateway
from sardonyx.gateway.options import GatewayOptions
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.http.exchange import Headers, read_body
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.rpc.listener import SERVICE, handlers
from sardonyx.serve.rpc.servicer import Servicer

APPLICATION, REPLICA = "sardonyx", "Replica"
Metadata = Sequence[tuple[str, str]]
_ATTEMPTS = 3
_QUIET = {"log_level": "WARNING", "enable_access_log": False}
_MODEL, _CONSOLE = b"/v2/models/", b"/console"
_NO_CONSOLE = (
    "the console is not part of an application of Ray, whose replicas each see a share of the requests: "
    "run `sardonyx serve --database URL --artefacts URL` beside it, over the same registry"
)


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What the application is told; the values of `args` in a serve.yaml have these names.

    `database` and `artefacts` are as for `sardonyx serve`, and reached from every node. There are `replicas`
    of them, or up to `max_replicas` as load demands, each with `cpus`. With `multiplexed`, a replica holds so
    many models, and requests go to one that holds theirs; else each holds all that match `models`, patterns
    joined by commas. `front` names a resource of the nodes that may take requests, "" means any.
    """

    database: str
    artefacts: str
    models: str = "*"
    replicas: int = 1
    max_replicas: int = 0
    cpus: float = 1
    ongoing: int = 32
    multiplexed: int = 0
    require_keys: bool = False
    max_body_bytes: int = 64 << 20
    front: str = ""

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> ClusterOptions:
        """The options of a serve.yaml. Raises ServeError INVALID_ARGUMENT for unknown ones."""
        known = {row.name for row in fields(cls)}
        if unknown := set(args) - known:
            raise invalid(f"{unknown.pop()!r} is not an option; options are {', '.join(sorted(known))}")
        if missing := {"database", "artefacts"} - set(args):
            raise invalid(f"{missing.pop()!r} is needed: every node must reach it")
        return cls(**args)


@dataclass(frozen=True, slots=True)
class Asked:
    """An HTTP request on its way to a replica."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client: Any = None

    @property
    def again(self) -> bool:
        """Whether it may be asked twice: it reads, or computes."""
        return self.method in ("GET", "HEAD") or self.path.endswith((b"/infer", b"/generate"))

    @property
    def model(self) -> str:
        """The model in the path."""
        if not self.path.startswith(_MODEL):
            return ""
        return unquote(self.path.removeprefix(_MODEL).partition(b"/")[0].decode("latin-1"))


@dataclass(slots=True)
class Answered:
    """Its answer on the way back."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to a call of gRPC: the name of its status, its details, the message, trailing metadata."""

    status: str
    details: str
    message: bytes = b""
    trailing: Metadata = ()


class Replica:
    """A gateway without ports in an actor of Ray."""

    async def __init__(self, options: ClusterOptions) -> None:  # type: ignore[misc]
        self._folder = tempfile.TemporaryDirectory(prefix="sardonyx-replica-")
        patterns = () if options.multiplexed else tuple(options.models.split(","))
        chosen = GatewayOptions(
            home=Path(self._folder.name),
            database=options.database,
            artefacts=options.artefacts,
            patterns=patterns,
            require_keys=options.require_keys,
        )
        serving = ServeOptions(max_body_bytes=options.max_body_bytes, threads=max(1, int(options.cpus)))
        self._gateway = Gateway(chosen, serving)
        await self._gateway.start(listen=False)
        self._calls = handlers(Servicer(self._gateway.core))

    async def http(self, asked: Asked) -> Answered:
        """Answer an HTTP request."""
        answered, sent = Answered(), False
        scope = {
            "type": "http",
            "method": asked.method,
            "path": asked.path.decode("latin-1"),
            "raw_path": asked.path,
            "query_string": asked.query,
            "headers": asked.headers,
            "client": asked.client,
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
        }

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.get_running_loop().create_future()
            sent = True
            return {"type": "http.request", "body": asked.body}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.status, answered.headers = message["status"], list(message["headers"])
            else:
                answered.body += message.get("body", b"")

        await self._gateway.server.application(scope, receive, send)
        return answered

    async def rpc(self, name: str, message: bytes, metadata: Metadata) -> Told:
        """Answer a call."""
        call = _Call(metadata)
        handler = self._calls[name]
        try:
            answer = await handler.unary_unary(message, call)
        except _EndedError as ended:
            return Told(ended.status, ended.details, trailing=call.trailing)
        written = handler.response_serializer or bytes
        return Told("OK", "", written(answer), call.trailing)

    async def check_health(self) -> None:
        """Raise if this replica should be replaced."""
        if not self._gateway.core.ready():
            raise RuntimeError("the models are not loaded")


class Front:
    """Takes requests over HTTP and gRPC and asks replicas."""

    def __init__(self, options: ClusterOptions, replicas: Any) -> None:
        self._options = options
        self._replicas = replicas

    async def __call__(self, request: Request) -> Response:
        """Answer an HTTP request."""
        scope = request.scope
        path = scope.get("raw_path") or scope["path"].encode()
        try:
            if path.startswith(_CONSOLE):
                raise ServeError(Code.UNSUPPORTED, _NO_CONSOLE)
            body = await read_body(request.receive, Headers(scope["headers"]), self._options.max_body_bytes)
            asked = Asked(request.method, path, scope["query_string"], list(scope["headers"]), body)
            answered: Answered = await self.ask("http", asked.model, asked.again, asked)
        except ServeError as error:
            return refusal(error)
        response = Response(answered.body, answered.status)
        response.raw_headers = answered.headers
        return response

    async def call(self, name: str, message: bytes, context: Any) -> _Raw:
        """Answer a call of the protocol."""
        again = not name.startswith(("Repository", "TraceSetting", "LogSettings"))
        told = await self._told(name, message, _metadata_of(context), again=again)
        if told.trailing:
            context.set_trailing_metadata(list(told.trailing))
        if told.status != "OK":
            context.set_code(getattr(grpc.StatusCode, told.status))
            context.set_details(told.details)
        return _Raw(told.message)

    async def _told(self, name: str, message: bytes, metadata: Metadata, *, again: bool) -> Told:
        try:
            told: Told = await self.ask("rpc", "", again, name, message, metadata)
        except ServeError as error:
            return Told(error.code.grpc, error.message)
        return told

    async def ModelStreamInfer(  # noqa: N802
        self, messages: AsyncIterator[bytes], grpc_context: Any
    ) -> AsyncIterator[_Raw]:
        """Each message of a stream as an inference of its own: models of a registry have one answer."""
        metadata = _metadata_of(grpc_context)
        async for message in messages:
            yield _Raw(await self._streamed(message, metadata))

    async def _streamed(self, message: bytes, metadata: Metadata) -> bytes:
        told = await self._told("ModelInfer", message, metadata, again=True)
        response = pb.ModelInferResponse.FromString(told.message)
        if told.status != "OK":
            response.id = pb.ModelInferRequest.FromString(message).id
        response.parameters["triton_final_response"].bool_param = True
        answer = pb.ModelStreamInferResponse(error_message=told.details, infer_response=response)
        written: bytes = answer.SerializeToString()
        return written

    async def ask(self, method: str, model: str, again: bool, *arguments: Any) -> Any:
        """Ask a replica, and another if it dies meanwhile and that does no harm."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

        replicas = self._replicas
        if self._options.multiplexed and model:
            replicas = replicas.options(multiplexed_model_id=model)
        for left in reversed(range(_ATTEMPTS)):
            try:
                return await getattr(replicas, method).remote(*arguments)
            except BackPressureError as error:
                raise ServeError(Code.UNAVAILABLE, "all replicas are busy", 1.0) from error
            except (RayActorError, DeploymentUnavailableError) as error:
                if not again or not left:
                    text = "the replica that was asked died; it may have done what was asked"
                    raise ServeError(Code.UNAVAILABLE, text, 1.0) from error
        raise AssertionError


def _metadata_of(context: Any) -> Metadata:
    return [(str(key), str(value)) for key, value in context.invocation_metadata()]


def _named(name: str) -> Any:
    async def call(self: Front, message: bytes, grpc_context: Any) -> _Raw:
        return await self.call(name, message, grpc_context)

    return call


STREAM = "ModelStreamInfer"
UNARY = tuple(method.name for method in SERVICE.methods if not method.server_streaming)
for _name in UNARY:
    setattr(Front, _name, _named(_name))


def build(args: Mapping[str, Any]) -> Any:
    """The application, as `serve.run` and serve.yaml take it."""
    from ray import serve

    options = ClusterOptions.of(args)
    replica = serve.deployment(_multiplexed(options.multiplexed) if options.multiplexed else Replica)
    scaling: dict[str, Any] = {"num_replicas": options.replicas}
    if options.max_replicas > options.replicas:
        scaling = {
            "autoscaling_config": {
                "min_replicas": options.replicas,
                "max_replicas": options.max_replicas,
                "target_ongoing_requests": max(1, options.ongoing // 4),
            }
        }
    replica = replica.options(
        name=REPLICA,
        max_ongoing_requests=options.ongoing,
        ray_actor_options={"num_cpus": options.cpus},
        health_check_period_s=2,
        logging_config=_QUIET,
        health_check_timeout_s=30,
        **scaling,
    )
    resources = {options.front: 0.001} if options.front else {}
    front = serve.deployment(Front).options(
        max_ongoing_requests=1000,
        max_queued_requests=1000,
        logging_config=_QUIET,
        ray_actor_options={"num_cpus": 0, "resources": resources},
    )
    return front.bind(options, replica.bind(options))


def add_servicer(servicer: Any, server: Any) -> None:
    """Tell Ray's gRPC proxy the calls of the protocol; their messages stay bytes until a replica has them."""
    table = {name: grpc.unary_unary_rpc_method_handler(getattr(servicer, name)) for name in UNARY}
    table[STREAM] = grpc.stream_stream_rpc_method_handler(getattr(servicer, STREAM))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, table),))


def _multiplexed(count: int) -> Any:
    """A replica that holds at most `count` models, those that it was asked for last."""
    from ray import serve

    class Multiplexed(Replica):
        @serve.multiplexed(max_num_models_per_replica=count)  # type: ignore[untyped-decorator]
        async def held(self, model: str) -> _Held:
            await self._gateway.hold(model)
            return _Held(model, self._gateway)

        async def http(self, asked: Asked) -> Answered:
            if asked.model:
                await self.held(asked.model)
            return await super().http(asked)

    return Multiplexed


class _Held:
    """A model in memory; Ray drops this when it must make room."""

    def __init__(self, model: str, gateway: Gateway) -> None:
        self._model, self._gateway = model, gateway

    async def __del__(self) -> None:
        await self._gateway.release(self._model)


class _Raw:
    """A message that is written already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def SerializeToString(self) -> bytes:  # noqa: N802
        """The content, as a protobuf message would give it."""
        return self._content


class _EndedError(Exception):
    """A call that ends without an answer."""

    def __init__(self, status: str, details: str) -> None:
        super().__init__(details)
        self.status, self.details = status, details


class _Call:
    """What a servicer asks of a gRPC call."""

    def __init__(self, metadata: Metadata) -> None:
        self.trailing: Metadata = ()
        self._metadata = metadata

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def time_remaining(self) -> None:
        return None

    def peer(self) -> str:
        return "ray"

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        self.trailing = metadata

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise _EndedError(code.name, details)
