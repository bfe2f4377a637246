"""The calls of GRPCInferenceService: each a message in and a message out.

Decides how a call reaches the core; must not know how calls are listened for or how a model runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from sardonyx.protocol.config import as_message
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import REQUEST_ID, Context, InferRequest, InferResponse, Principal
from sardonyx.protocol.protobuf import decode_request, encode_response
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.core import Core
from sardonyx.serve.lane import Unanswered
from sardonyx.serve.rpc.express import Express
from sardonyx.serve.rpc.turn import Turn
from sardonyx.serve.seams import Route
from sardonyx.serve.settings import LOGGER

_STREAMED_AHEAD = 64
_FILE = "file:"
_FINAL = "triton_final_response"
_EMPTY_FINAL = "triton_enable_empty_final_response"
_LOCAL = ("ipv4:127.0.0.1", "ipv6:%5B::1%5D", "ipv6:[::1]", "unix:")


class Servicer:
    """The calls by the names of the protocol."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._express = Express(core)

    async def ModelInfer(self, raw: bytes, call: Any) -> bytes:  # noqa: N802
        """One inference, from bytes to bytes; what is known by its bytes is not parsed."""
        try:
            headers = dict(call.invocation_metadata() or ())
            known = self._express.answer(raw, headers)
            return known if isinstance(known, bytes) else await self._infer(raw, call, headers, known)
        except ServeError as error:
            await refuse(call, error)
        except Exception:
            await refuse(call, unexpected("ModelInfer"))
        raise AssertionError("a refusal ends the call")

    async def _infer(self, raw: bytes, call: Any, headers: Mapping[str, str], known: Unanswered) -> bytes:
        message = read_message(pb.ModelInferRequest, raw)
        request = self._request(message, call, headers, known.principal)
        response = await self._answer(request, call, known.route)
        if not known.is_met and not request.context.told_id:
            self._express.learn(raw, message, request)
        text: bytes = encode_response(response).SerializeToString()
        return text

    async def _answer(self, request: InferRequest, call: Any, route: Route | None) -> InferResponse:
        context = request.context
        try:
            response = await self._core.infer(request, route)
        except ServeError as error:
            error.request_id = context.told_id
            raise
        if told := context.told_id:
            call.set_trailing_metadata(((REQUEST_ID, told),))
        return response

    async def ModelStreamInfer(self, messages: AsyncIterator[Any], call: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Inferences as they come: each with one answer in its order, or as many as a model gives, at once.

        An error ends none but its own.
        """
        out: asyncio.Queue[Any] = asyncio.Queue(_STREAMED_AHEAD)
        room = asyncio.Semaphore(_STREAMED_AHEAD)
        tasks: set[asyncio.Task[None]] = set()

        async def read() -> None:
            turn: Turn | None = None
            async for message in messages:
                await room.acquire()
                turn = Turn(turn)
                task = asyncio.create_task(self._streamed(message, call, turn, out))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(lambda _: room.release())
            if tasks:
                await asyncio.wait(tasks)
            await out.put(None)

        reading = asyncio.create_task(read())
        try:
            while (answer := await out.get()) is not None:
                yield answer
        finally:
            for task in (reading, *tasks):
                task.cancel()

    async def _streamed(self, message: Any, call: Any, turn: Turn, out: asyncio.Queue[Any]) -> None:
        """Put the answers to one message in the queue; where there is one, in its turn."""
        try:
            request = self._request(message, call)
            decoupled, responses = await self._core.stream(request)
            if decoupled:
                turn.leave()
            async for response in responses:
                await turn.come()
                response.parameters[_FINAL] = not decoupled
                await out.put(pb.ModelStreamInferResponse(infer_response=encode_response(response)))
            if decoupled and request.parameters.get(_EMPTY_FINAL) is True:
                last = pb.ModelInferResponse(model_name=request.model, id=request.id)
                last.parameters[_FINAL].bool_param = True
                await out.put(pb.ModelStreamInferResponse(infer_response=last))
        except Exception as fault:
            error = fault if isinstance(fault, ServeError) else unexpected("ModelStreamInfer")
            await turn.come()
            failed = pb.ModelInferResponse(id=message.id)
            await out.put(pb.ModelStreamInferResponse(error_message=error.message, infer_response=failed))
        finally:
            turn.leave()

    def _request(
        self,
        message: Any,
        call: Any,
        headers: Mapping[str, str] | None = None,
        principal: Principal | None = None,
    ) -> InferRequest:
        """The request of a message; `principal` has been admitted if it is given."""
        if headers is None:
            headers = dict(call.invocation_metadata() or ())
        if principal is None:
            principal = self._core.guard.admit(headers, "infer", message.model_name)
        context = Context("grpc", headers, principal)
        left_s = call.time_remaining()
        if left_s is not None:
            context.deadline_ns = time.perf_counter_ns() + int(left_s * 1e9)
        request = decode_request(message)
        request.context = context
        return request

    async def ServerLive(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Whether the process answers."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Whether all models can be asked."""
        return pb.ServerReadyResponse(ready=self._core.ready())

    async def ModelReady(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Whether a model can be asked; one that is unknown cannot."""
        self._admit(call, "metadata", message.name)
        try:
            ready = self._core.ready(message.name, message.version)
        except ServeError:
            ready = False
        return pb.ModelReadyResponse(ready=ready)

    async def ServerMetadata(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Name, version and extensions of the server."""
        self._admit(call, "metadata")
        return _filled(self._core.server_metadata(), pb.ServerMetadataResponse())

    async def ModelMetadata(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Inputs and outputs of a model."""
        self._admit(call, "metadata", message.name)
        await self._core.awake(message.name, message.version)
        return _filled(self._core.metadata(message.name, message.version), pb.ModelMetadataResponse())

    async def ModelConfig(self, message: Any, call: Any) -> Any:  # noqa: N802
        """The complete configuration of a model."""
        self._admit(call, "metadata", message.name)
        await self._core.awake(message.name, message.version)
        config = self._core.config(message.name, message.version)
        return pb.ModelConfigResponse(config=as_message(config, message.name))

    async def ModelStatistics(self, message: Any, call: Any) -> Any:  # noqa: N802
        """The statistics of a model, or of all."""
        self._admit(call, "metadata", message.name)
        document = self._core.statistics(message.name, message.version)
        return _filled(document, pb.ModelStatisticsResponse())

    async def RepositoryIndex(self, message: Any, call: Any) -> Any:  # noqa: N802
        """All versions with their states."""
        self._admit(call, "metadata")
        rows = [pb.RepositoryIndexResponse.ModelIndex(**row) for row in self._core.index(ready=message.ready)]
        return pb.RepositoryIndexResponse(models=rows)

    async def RepositoryModelLoad(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Load or reload a model, perhaps from files in the message."""
        self._admit(call, "repository", message.model_name)
        config: str | None = None
        files = {}
        for key, value in message.parameters.items():
            if key == "config":
                config = value.string_param
            elif key.startswith(_FILE):
                files[key.removeprefix(_FILE)] = value.bytes_param
            else:
                raise invalid(f"parameter '{key}' is unknown; 'config' and 'file:PATH' are known")
        await self._core.load(message.model_name, config, files)
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Let go of a model."""
        self._admit(call, "repository", message.model_name)
        dependents = message.parameters["unload_dependents"].bool_param
        await self._core.unload(message.model_name, dependents=dependents)
        return pb.RepositoryModelUnloadResponse()

    async def SystemSharedMemoryStatus(self, message: Any, call: Any) -> Any:  # noqa: N802
        """The registered regions."""
        self._admit(call, "infer")
        response = pb.SystemSharedMemoryStatusResponse()
        for row in self._core.regions.status(message.name):
            response.regions[row["name"]].CopyFrom(pb.SystemSharedMemoryStatusResponse.RegionStatus(**row))
        return response

    async def SystemSharedMemoryRegister(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Name a region of shared memory; from this machine only."""
        self._admit(call, "infer")
        if not call.peer().startswith(_LOCAL):
            raise ServeError(Code.FORBIDDEN, "shared memory is registered from the server's machine only")
        self._core.regions.register(message.name, message.key, message.offset, message.byte_size)
        return pb.SystemSharedMemoryRegisterResponse()

    async def SystemSharedMemoryUnregister(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Forget a region, or all."""
        self._admit(call, "infer")
        self._core.regions.unregister(message.name)
        return pb.SystemSharedMemoryUnregisterResponse()

    async def CudaSharedMemoryStatus(self, message: Any, call: Any) -> Any:  # noqa: N802
        """There are none."""
        return pb.CudaSharedMemoryStatusResponse()

    async def CudaSharedMemoryRegister(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Refused: models run on the CPU."""
        raise ServeError(Code.UNSUPPORTED, "there is no CUDA shared memory here: models run on the CPU")

    async def CudaSharedMemoryUnregister(self, message: Any, call: Any) -> Any:  # noqa: N802
        """Nothing to forget."""
        return pb.CudaSharedMemoryUnregisterResponse()

    async def TraceSetting(self, message: Any, call: Any) -> Any:  # noqa: N802
        """The trace settings, after those of the message were changed."""
        model = message.model_name
        self._admit(call, "admin" if len(message.settings) else "metadata", model)
        if model:
            self._core.ready(model)
        given = {key: _setting(list(row.value)) for key, row in message.settings.items()}
        settings = self._core.trace.change(given, model)
        response = pb.TraceSettingResponse()
        for key, value in settings.items():
            response.settings[key].value.extend(value if isinstance(value, list) else [value])
        return response

    async def LogSettings(self, message: Any, call: Any) -> Any:  # noqa: N802
        """The log settings, after those of the message were changed."""
        self._admit(call, "admin" if len(message.settings) else "metadata")
        given = {
            key: getattr(row, row.WhichOneof("parameter_choice") or "string_param")
            for key, row in message.settings.items()
        }
        response = pb.LogSettingsResponse()
        for key, value in self._core.log.change(given).items():
            if isinstance(value, bool):
                response.settings[key].bool_param = value
            elif isinstance(value, int):
                response.settings[key].uint32_param = value
            else:
                response.settings[key].string_param = value
        return response

    def _admit(self, call: Any, action: str, model: str = "") -> None:
        self._core.guard.admit(dict(call.invocation_metadata() or ()), action, model)


def _setting(values: list[str]) -> Any:
    """No value at all means back to the default."""
    return values if values else None


def _filled(document: Mapping[str, Any], message: Any) -> Any:
    return json_format.ParseDict(dict(document), message)


def read_message(kind: Any, raw: bytes) -> Any:
    """The message of that kind; INVALID_ARGUMENT for other bytes."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise invalid(f"the message is not a {kind.DESCRIPTOR.name}") from None


async def refuse(call: Any, error: ServeError) -> None:
    """End a call with the status and message of an error."""
    request_id = error.request_id or Context(headers=dict(call.invocation_metadata() or ())).told_id
    told = [(REQUEST_ID, request_id)] if request_id else []
    if error.retry_after_s is not None:
        told.append(("retry-after", f"{error.retry_after_s:g}"))
    call.set_trailing_metadata(tuple(told))
    await call.abort(getattr(grpc.StatusCode, error.code.grpc), error.message)


def unexpected(name: str) -> ServeError:
    """A fault of ours, after it was logged."""
    LOGGER.exception("%s failed", name)
    return ServeError(Code.INTERNAL, "the server met a fault of its own; its log says which")
