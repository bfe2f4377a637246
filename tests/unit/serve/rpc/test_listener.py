"""Every call of the service has one who answers; errors end a call in its own words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.core import Core
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.rpc.listener import SERVICE, RpcListener, handlers
from sardonyx.serve.rpc.servicer import Servicer
from tests.unit.serve.steps import adding, with_core


def test_all_calls_are_answered(tmp_path: Path) -> None:
    async def use(core: Core) -> None:
        table = handlers(Servicer(core))
        assert set(table) == {method.name for method in SERVICE.methods}
        assert [name for name, handler in table.items() if handler.response_streaming] == ["ModelStreamInfer"]

    with_core(adding(tmp_path), use)


@pytest.mark.parametrize(
    ("call", "message", "code", "text"),
    [
        ("ModelMetadata", pb.ModelMetadataRequest(name="none"), grpc.StatusCode.NOT_FOUND, "'none'"),
        ("ModelInfer", b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT, "is not a ModelInferRequest"),
        (
            *("SystemSharedMemoryRegister", pb.SystemSharedMemoryRegisterRequest(name="r", key="k")),
            *(grpc.StatusCode.UNIMPLEMENTED, ""),
        ),
    ],
)
def test_an_error_is_a_status_with_a_message(
    tmp_path: Path, call: str, message: Any, code: grpc.StatusCode, text: str
) -> None:
    async def use(core: Core) -> None:
        listener = RpcListener(core, ServeOptions())
        port = await listener.start("127.0.0.1", 0)
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                ask = channel.unary_unary(f"/{SERVICE.full_name}/{call}")
                raw = message if isinstance(message, bytes) else message.SerializeToString()
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await ask(raw)
                assert text in str(caught.value.details())
                assert caught.value.code() is code or call.startswith("System")
        finally:
            await listener.stop(0)

    with_core(adding(tmp_path), use)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async def use(core: Core) -> None:
        first, second = (RpcListener(core, ServeOptions()) for _ in range(2))
        port = await first.start("127.0.0.1", 0)
        try:
            with pytest.raises(
                OSError,
                match=f"127.0.0.1:{port} cannot be listened on: Address .*; choose .* with --grpc-port",
            ):
                await second.start("127.0.0.1", port)
        finally:
            await first.stop(0)
            await asyncio.sleep(0)

    with_core(adding(tmp_path), use)
