"""The gRPC server: calls, health, reflection, limits.

Decides how calls are listened for and how errors end them; must not know what a call does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import enable_server_reflection

from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.protocol.wire.pool import POOL
from sardonyx.serve.core import Core
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.ports import bound
from sardonyx.serve.rpc.servicer import Servicer, read_message, refuse, unexpected
from sardonyx.serve.tls import Credentials

Handler = Callable[[Any, Any], Any]
Read = Callable[[bytes], Any]
_LAST_MESSAGE_S, _LOOK_S = 2.0, 0.05
"""Calls in which nothing is done for so long are ended with the server; how often that is looked at."""
SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.so_reuseport", 0),
]

for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
    POOL.AddSerializedFile(file.serialized_pb)


class RpcListener:
    """gRPC on one port of the running loop."""

    def __init__(self, core: Core, options: ServeOptions) -> None:
        self._core = core
        self._work = Work()
        self._server = grpc.aio.server(
            options=[*_OPTIONS, ("grpc.max_receive_message_length", options.max_body_bytes)]
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE.full_name, handlers(Servicer(core), self._work)),)
        )
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        enable_server_reflection(
            (*names, "grpc.reflection.v1alpha.ServerReflection"), self._server, pool=POOL
        )
        self._names = names

    async def start(self, host: str, port: int, credentials: Credentials | None = None) -> int:
        """Listen; the port in use. OSError if it is taken."""
        bound(host, port, "--grpc-port").close()  # the library says less well why it cannot listen
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if credentials is None:
                taken: int = self._server.add_insecure_port(address)
            else:
                taken = self._server.add_secure_port(address, credentials.for_grpc())
        except RuntimeError as error:
            raise OSError(f"{host}:{port} cannot be listened on: {error}") from error
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return taken

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and give those that run so many seconds, those that wait for the client few."""
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._server.stop(grace_s))
        idle_since = asyncio.get_running_loop().time()
        while not stopping.done():
            await asyncio.wait((stopping,), timeout=_LOOK_S)
            now = asyncio.get_running_loop().time()
            if self._work.calls or any(model.depth for model in self._core.repository.loaded()):
                idle_since = now
            elif now - idle_since > _LAST_MESSAGE_S:
                break
        await self._server.stop(0)
        await stopping


@dataclass(slots=True)
class Work:
    """How many calls are being answered that have sent all they ask."""

    calls: int = 0


def handlers(servicer: Servicer, work: Work | None = None) -> dict[str, Any]:
    """What answers each call of the service, by name."""
    table, work = {}, work or Work()
    for method in SERVICE.methods:
        function = getattr(servicer, method.name)
        stream = method.server_streaming
        read = partial(read_message, GetMessageClass(method.input_type))
        make = grpc.stream_stream_rpc_method_handler if stream else grpc.unary_unary_rpc_method_handler
        table[method.name] = make(
            _guarded_stream(method.name, function, read)
            if stream
            else _guarded(method.name, function, read, work),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    table["ModelInfer"] = grpc.unary_unary_rpc_method_handler(servicer.ModelInfer)
    return table


def _guarded(name: str, function: Callable[[Any, Any], Awaitable[Any]], read: Read, work: Work) -> Handler:
    async def answer(raw: bytes, call: Any) -> Any:
        work.calls += 1
        try:
            return await function(read(raw), call)
        except ServeError as error:
            await refuse(call, error)
        except Exception:
            await refuse(call, unexpected(name))
        finally:
            work.calls -= 1

    return answer


def _guarded_stream(name: str, function: Callable[[Any, Any], AsyncIterator[Any]], read: Read) -> Handler:
    async def answer(raws: AsyncIterator[bytes], call: Any) -> Any:
        try:
            async for message in function((read(raw) async for raw in raws), call):
                yield message
        except ServeError as error:
            await refuse(call, error)
        except Exception:
            await refuse(call, unexpected(name))

    return answer
