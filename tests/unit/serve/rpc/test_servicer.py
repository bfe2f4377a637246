"""The calls of gRPC, asked without a connection: what goes in, what comes out, who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import REQUEST_ID, Principal
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.core import Core
from sardonyx.serve.rpc.servicer import Servicer, refuse, unexpected
from tests.unit.serve.steps import adding, with_core


class Call:
    """What gRPC knows of one call."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:5", left_s: float | None = None, **metadata: str) -> None:
        self._peer, self._left_s = peer, left_s
        self._metadata = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        self.trailing: dict[str, str] = {}
        self.aborted: tuple[Any, str] | None = None

    def invocation_metadata(self) -> Any:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._left_s

    def peer(self) -> str:
        return self._peer

    def set_trailing_metadata(self, pairs: Any) -> None:
        self.trailing = dict(pairs)

    async def abort(self, code: Any, message: str) -> None:
        self.aborted = code, message


def asked(model: str = "add", id: str = "", value: float = 1) -> Any:
    message = pb.ModelInferRequest(model_name=model, id=id)
    for name in ("a", "b"):
        message.inputs.add(name=name, datatype="FP32", shape=[1, 2])
        message.raw_input_contents.append(np.full((1, 2), value, np.float32).tobytes())
    return message


def served(root: Path, use: Any) -> None:
    async def run(core: Core) -> None:
        await use(Servicer(core), core)

    with_core(adding(root), run)


async def infer(servicer: Servicer, message: Any, call: Call) -> bytes:
    return await servicer.ModelInfer(message.SerializeToString(), call)


def test_one_inference_tells_the_id_that_it_was_given(tmp_path: Path) -> None:
    async def use(servicer: Servicer, _: Core) -> None:
        call = Call(x_request_id="r7")
        response = pb.ModelInferResponse.FromString(await infer(servicer, asked(id="7"), call))
        assert np.frombuffer(response.raw_output_contents[0], np.float32).tolist() == [2, 2]
        assert (response.id, response.model_version) == ("7", "1")
        assert call.trailing == {REQUEST_ID: "r7"}
        refused = Call(x_request_id="r8")
        with pytest.raises(AssertionError, match="ends the call"):
            await infer(servicer, asked("none"), refused)
        assert refused.aborted is not None
        assert (refused.aborted[0].name, refused.trailing) == ("NOT_FOUND", {REQUEST_ID: "r8"})
        text = await infer(servicer, asked(), Call(left_s=5.0))
        assert pb.ModelInferResponse.FromString(text).model_name == "add"

    served(tmp_path, use)


def test_a_stream_answers_in_order_and_an_error_ends_only_its_own(tmp_path: Path) -> None:
    async def messages() -> AsyncIterator[Any]:
        for number, model in enumerate(("add", "none", "add")):
            yield asked(model, id=str(number), value=number)

    async def use(servicer: Servicer, _: Core) -> None:
        found = [answer async for answer in servicer.ModelStreamInfer(messages(), Call())]
        assert [answer.infer_response.id for answer in found] == ["0", "1", "2"]
        assert ["none" in answer.error_message for answer in found] == [False, True, False]
        assert found[2].infer_response.parameters["triton_final_response"].bool_param

    served(tmp_path, use)


def test_what_it_tells_of_the_server_and_its_models(tmp_path: Path) -> None:
    async def use(servicer: Servicer, _: Core) -> None:
        call = Call()
        assert (await servicer.ServerLive(None, call)).live
        assert (await servicer.ServerReady(None, call)).ready
        assert (await servicer.ServerMetadata(None, call)).name == "sardonyx"
        for name, ready in (("add", True), ("none", False)):
            assert (await servicer.ModelReady(pb.ModelReadyRequest(name=name), call)).ready is ready
        metadata = await servicer.ModelMetadata(pb.ModelMetadataRequest(name="add"), call)
        assert [tensor.name for tensor in metadata.inputs] == ["a", "b"]
        config = await servicer.ModelConfig(pb.ModelConfigRequest(name="add"), call)
        assert config.config.max_batch_size == 4
        index = await servicer.RepositoryIndex(pb.RepositoryIndexRequest(), call)
        assert [(row.name, row.state) for row in index.models] == [("add", "READY")]
        statistics = await servicer.ModelStatistics(pb.ModelStatisticsRequest(), call)
        assert [row.name for row in statistics.model_stats] == ["add"]

    served(tmp_path, use)


def test_models_are_unloaded_and_loaded(tmp_path: Path) -> None:
    async def use(servicer: Servicer, core: Core) -> None:
        await servicer.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="add"), Call())
        assert not core.ready("add")
        await servicer.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="add"), Call())
        assert core.ready("add")
        odd = pb.RepositoryModelLoadRequest(model_name="add")
        odd.parameters["odd"].string_param = "x"
        with pytest.raises(ServeError, match="parameter 'odd' is unknown"):
            await servicer.RepositoryModelLoad(odd, Call())

    served(tmp_path, use)


def test_memory_is_shared_with_this_machine_only(tmp_path: Path) -> None:
    async def use(servicer: Servicer, _: Core) -> None:
        message = pb.SystemSharedMemoryRegisterRequest(name="r", key="k", byte_size=1)
        with pytest.raises(ServeError, match="from the server's machine only"):
            await servicer.SystemSharedMemoryRegister(message, Call("ipv4:10.0.0.1:5"))
        status = await servicer.SystemSharedMemoryStatus(pb.SystemSharedMemoryStatusRequest(), Call())
        assert not status.regions
        with pytest.raises(ServeError, match="models run on the CPU"):
            await servicer.CudaSharedMemoryRegister(None, Call())

    served(tmp_path, use)


class Noting:
    """A guard that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        self.asked.append((action, model))
        return Principal()


def test_settings_are_read_by_many_and_changed_by_few(tmp_path: Path) -> None:
    async def use(servicer: Servicer, core: Core) -> None:
        core.guard = guard = Noting()
        found = await servicer.TraceSetting(pb.TraceSettingRequest(model_name="add"), Call())
        assert len(found.settings)
        message = pb.LogSettingsRequest()
        message.settings["log_verbose_level"].uint32_param = 1
        await servicer.LogSettings(pb.LogSettingsRequest(), Call())
        await servicer.LogSettings(message, Call())
        assert guard.asked == [("metadata", "add"), ("metadata", ""), ("admin", "")]

    served(tmp_path, use)


def test_an_error_ends_a_call_with_when_to_come_again() -> None:
    call = Call(x_request_id="r1")
    asyncio.run(refuse(call, ServeError(Code.UNAVAILABLE, "later", 1.5)))
    assert call.aborted is not None
    assert (call.aborted[0].name, call.aborted[1]) == ("UNAVAILABLE", "later")
    assert call.trailing == {REQUEST_ID: "r1", "retry-after": "1.5"}
    assert unexpected("ModelInfer").code is Code.INTERNAL
