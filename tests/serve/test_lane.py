"""The fast lane answers as the ordinary way does, tells whom that tells, and is left for it in time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from sardonyx.monitor.live import Live, total
from sardonyx.monitor.metrics import Metrics
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import REQUEST_ID, InferRequest, Principal, Tensor
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.http.express import Express
from sardonyx.serve.lane import UNMET, has_form
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.rpc.express import Express as Messages
from sardonyx.serve.seams import Count, Kind, Record
from sardonyx.serve.server import Server
from tests.serve.models import SUM_AND_DIFFERENCE, save
from tests.serve.running import running

INFER = "/inference.GRPCInferenceService/ModelInfer"
LEARN = Express.learn
PICK = """
<ir_version: 10, opset_import: ["" : 21]>
pick (float[N, 3] x, int64[N] i) => (float[N, 3] y) {
    y = Gather(x, i)
}
"""
POSITIVE = """
<ir_version: 10, opset_import: ["" : 21]>
positive (float[N] x) => (int64[R, M] y) {
    y = NonZero(x)
}
"""
LOGARITHM = """
<ir_version: 10, opset_import: ["" : 21]>
logarithm (float[N, 2] x) => (float[N, 2] y) {
    y = Log(x)
}
"""


class Told:
    """An observer that wants every record."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def observe(self, record: Record) -> None:
        self.records.append(record)


class Counted(Told):
    """One that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = 0

    def counter(self, kind: Kind) -> Count:
        assert kind.version == "1"

        def count(spent: Any, finished_s: float) -> None:
            assert spent.total_ns >= spent.infer_ns > 0
            self.counts += 1

        return count


class Doors:
    """A guard that lets in whom it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = True

    def admit(self, headers: Mapping[str, str], action: str, model: str) -> Principal:
        self.asked += 1
        if not self.open:
            raise ServeError(Code.QUOTA, "closed", 2.5)
        return Principal(headers.get("x-who", "nobody"))


class Line:
    """One connection, on which whole requests are sent and whole answers read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.read()

    async def read(self) -> bytes:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)


def post(model: str, body: bytes, **headers: object) -> bytes:
    lines = [f"POST /v2/models/{model}/infer HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def tensor(name: str, array: np.ndarray, **more: object) -> dict[str, object]:
    kind = {"int32": "INT32", "float32": "FP32", "int64": "INT64"}[str(array.dtype)]
    return {"name": name, "datatype": kind, "shape": array.shape, **more}


def in_json(model: str, beside: dict[str, object] | None = None, **arrays: np.ndarray) -> bytes:
    rows = [tensor(name, array, data=array.ravel().tolist()) for name, array in arrays.items()]
    return post(model, json.dumps({"inputs": rows, **(beside or {})}).encode())


def raw(model: str, **arrays: np.ndarray) -> bytes:
    rows = [tensor(n, a, parameters={"binary_data_size": a.nbytes}) for n, a in arrays.items()]
    text = json.dumps({"inputs": rows, "parameters": {"binary_data_output": True}}).encode()
    body = text + b"".join(array.tobytes() for array in arrays.values())
    return post(model, body, Inference_Header_Content_Length=len(text))


def pair(seed: int) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(seed).integers(-1000, 1000, (2, 1, 16)).astype(np.int32)
    return {"INPUT0": drawn[0], "INPUT1": drawn[1]}


def serving(folder: Path, use: Callable[[Server, Line, Express], Awaitable[None]], **core: Any) -> None:
    """Four small models, one connection, and what knows requests by their bytes."""
    save(SUM_AND_DIFFERENCE, folder / "simple.onnx")
    save(PICK, folder / "pick.onnx")
    save(POSITIVE, folder / "positive.onnx")
    save(LOGARITHM, folder / "logarithm.onnx")

    async def run() -> None:
        async with running(folder, **core) as server:
            line = Line(*await asyncio.open_connection("127.0.0.1", server.http_port))
            try:
                await use(server, line, server._plane.express)
            finally:
                line.writer.close()
                await line.writer.wait_closed()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the models count as quick once they were asked."""
    monkeypatch.setattr("sardonyx.serve.model.QUICK_NS", 10**12)


@pytest.mark.parametrize("written", [raw, in_json])
def test_known_requests_are_answered_as_unknown_ones(tmp_path: Path, written: Any) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        await line.ask(written("simple", **pair(0)))
        for seed in range(1, 6):
            request = written("simple", **pair(seed))
            fast = await line.ask(request)
            # a header more is another request, which is parsed
            plain = await line.ask(request.replace(b"Host: x", b"Host: x\r\nX-Seed: %d" % seed, 1))
            assert fast == plain
        assert express.answered == 5

    serving(tmp_path, use)


@pytest.mark.parametrize("written", [raw, in_json])
def test_shapes_that_depend_on_content_are_told(tmp_path: Path, written: Any) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        for row in ([1, 0, 2], [0, 0, 3], [1, 2, 3], [1, 2, 4]):
            request = written("positive", x=np.float32(row))
            plain = await line.ask(request.replace(b"Host: x", b"Host: %s" % repr(row).encode(), 1))
            assert await line.ask(request) == plain
        assert express.answered

    serving(tmp_path, use)


def test_a_known_request_may_be_too_large(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        for _ in range(2):
            assert (await line.ask(in_json("logarithm", x=np.float32([[1, 2]])))).startswith(b"HTTP/1.1 200")
        long = json.dumps({"inputs": [tensor("x", np.ones((1, 2), np.float32), data=[1, 2])]}).encode()
        refused = await line.ask(post("logarithm", long.replace(b", 2]}", b"," + b" " * 500 + b"2]}")))
        assert refused.startswith(b"HTTP/1.1 413")
        assert express.answered == 1

    serving(tmp_path, use, options=ServeOptions(max_body_bytes=500))


def test_pieces_and_several_requests_at_once_are_read_by_the_parser(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        first, second = raw("simple", **pair(1)), raw("simple", **pair(2))
        answers = [await line.ask(first), await line.ask(second)]
        for cut in (1, 20, len(first) - 130, len(first) - 1):
            line.writer.write(first[:cut])
            await asyncio.sleep(0.01)
            assert await line.ask(first[cut:] + second) == answers[0]
            assert await line.read() == answers[1]
        assert express.answered == 1
        assert await line.ask(first) == answers[0]
        assert express.answered == 2

    serving(tmp_path, use)


@pytest.mark.parametrize(
    "request_",
    [in_json("simple", {"id": "7"}, **pair(0)), in_json("simple", {"parameters": {"timeout": 9}}, **pair(0))],
)
def test_requests_that_are_more_than_tensors_go_the_ordinary_way(tmp_path: Path, request_: bytes) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        for _ in range(3):
            assert (await line.ask(request_)).startswith(b"HTTP/1.1 200")
        assert express.answered == 0

    serving(tmp_path, use)


def test_who_counts_and_who_wants_records_is_told(tmp_path: Path) -> None:
    told, counted, metrics, live = Told(), Counted(), Metrics(process=False), Live()

    async def use(server: Server, line: Line, express: Express) -> None:
        for seed in range(4):
            await line.ask(raw("simple", **pair(seed)))
        assert counted.counts == express.answered == 3
        assert len(counted.records) == 1
        server.core.observers.append(told)
        for seed in range(4):
            await line.ask(raw("simple", **pair(seed)))
        assert express.answered == 3, "who wants records gets them of all"
        assert len(counted.records) == 5
        kept = [record.request.inputs[0].data for record in told.records]
        assert all(np.array_equal(data, pair(seed)["INPUT0"]) for seed, data in enumerate(kept))
        (stats,) = server.core.statistics("simple")["model_stats"]
        assert stats["inference_count"] == stats["execution_count"] == 8
        labels = {"model": "simple", "version": "1", "deployment": "", "transport": "http", "outcome": "ok"}
        assert metrics.registry.get_sample_value("sardonyx_requests_total", labels) == 8
        labels = {"model": "simple", "version": "1", "deployment": ""}
        assert metrics.registry.get_sample_value("sardonyx_fast_lane_requests_total", labels) == 3
        await asyncio.sleep(1.1)
        assert total(live.seconds(60)).requests == 8

    serving(tmp_path, use, observers=[counted, metrics, live])


def test_everybody_is_admitted_once_for_a_request(tmp_path: Path) -> None:
    doors, told = Doors(), Counted()

    async def use(server: Server, line: Line, express: Express) -> None:
        sound = in_json("simple", **pair(1))
        wrong = sound.replace(b'"data": [', b'"data": [}', 1).replace(b", ", b",", 1)
        for count, request in enumerate([sound, sound, wrong, sound.replace(b", 16]", b", 17]")], 1):
            await line.ask(request)
            assert doors.asked == count
        assert express.answered == 1
        doors.open = False
        refused = await line.ask(sound)
        assert refused.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"\r\nretry-after: 3\r\n" in refused
        assert doors.asked == 5
        assert (len(told.records), told.counts) == (1, 1)

    serving(tmp_path, use, guard=doors, observers=[told])


def test_a_model_that_fails_says_so(tmp_path: Path) -> None:
    told = Counted()

    async def use(server: Server, line: Line, express: Express) -> None:
        x = np.float32([[1, 2, 3]])
        await line.ask(raw("pick", x=x, i=np.int64([0])))
        failed = await line.ask(raw("pick", x=x, i=np.int64([5])))
        assert express.answered == 1
        assert failed == await line.ask(raw("pick", x=x, i=np.int64([5])).replace(b"Host: x", b"Host: y"))
        assert b"out of range" in failed
        first, fast, plain = told.records
        assert first.error is None
        assert fast.error is not None
        assert plain.error is not None
        assert fast.error.message == plain.error.message
        assert fast.request.inputs[1].data.tolist() == plain.request.inputs[1].data.tolist() == [5]
        (stats,) = server.core.statistics("pick")["model_stats"]
        assert stats["inference_stats"]["fail"]["count"] == 2

    serving(tmp_path, use, observers=[told])


def test_a_model_that_was_replaced_is_asked_anew(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        request = raw("simple", **pair(1))
        before = [await line.ask(request) for _ in range(2)]
        save(SUM_AND_DIFFERENCE.replace("Sub", "Mul"), tmp_path / "simple.onnx")
        await server.core.load("simple")
        after = [await line.ask(request) for _ in range(2)]
        assert before[0] == before[1] != after[0] == after[1]
        assert express.answered == 3, "a lane leads to the new model at once"
        await server.core.unload("simple")
        assert (await line.ask(request)).startswith(b"HTTP/1.1 503")

    serving(tmp_path, use)


def test_idle_connections_are_closed_and_busy_ones_are_not(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        assert server._http is not None
        server._http.config.timeout_keep_alive = 0.5  # type: ignore[assignment]
        busy = Line(*await asyncio.open_connection("127.0.0.1", server.http_port))
        for _ in range(8):
            await busy.ask(raw("simple", **pair(1)))
            await asyncio.sleep(0.1)
        assert express.answered == 7
        assert await asyncio.wait_for(busy.reader.read(), 5) == b""
        busy.writer.close()
        await busy.writer.wait_closed()

    serving(tmp_path, use)


def test_known_messages_are_answered_as_unknown_ones(tmp_path: Path) -> None:
    told = Counted()

    async def use(server: Server, line: Line, express: Express) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            ask: Any = channel.unary_unary(INFER)
            for seed in range(5):
                message = pb.ModelInferRequest(model_name="simple")
                for name, array in pair(seed).items():
                    message.inputs.add(name=name, datatype="INT32", shape=array.shape)
                    message.raw_input_contents.append(array.tobytes())
                known = pb.ModelInferResponse.FromString(await ask(message.SerializeToString()))
                message.id = "1"
                other = pb.ModelInferResponse.FromString(await ask(message.SerializeToString()))
                other.id = ""
                assert known == other
            assert told.counts == 4
            assert len(told.records) == 6

    serving(tmp_path, use, observers=[told])


def test_requests_of_a_model_that_is_not_quick_are_learned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = []
    monkeypatch.setattr("sardonyx.serve.model.QUICK_NS", 0)
    monkeypatch.setattr(Express, "learn", lambda express, met: learned.append(LEARN(express, met)))

    mixed = {"outputs": [{"name": "OUTPUT0", "parameters": {"binary_data": True}}, {"name": "OUTPUT1"}]}

    async def use(server: Server, line: Line, express: Express) -> None:
        for seed in range(3):
            for request in (raw("simple", **pair(seed)), in_json("simple", mixed, **pair(seed))):
                assert (await line.ask(request)).startswith(b"HTTP/1.1 200")
        assert express.answered == 0
        assert len(learned) == 2

    serving(tmp_path, use)


def test_what_is_known_is_bounded(tmp_path: Path) -> None:
    async def use(server: Server, line: Line, express: Express) -> None:
        for number in range(300):
            request = in_json("simple", **pair(number % 7))
            await line.ask(request.replace(b"Host: x", b"Host: x%d" % number, 1))
        assert 0 < len(express._heads) <= 256
        fresh = Express(server.core)
        assert fresh.answer(request) is UNMET
        assert fresh.answer(b"") is UNMET
        messages = Messages(server.core)
        assert messages.answer(b"", {}) is UNMET
        assert messages.answer(b"", {REQUEST_ID: "7"}) is UNMET

    serving(tmp_path, use)


def test_what_has_a_form() -> None:
    def asked(**more: Any) -> InferRequest:
        return InferRequest("m", [Tensor("x", "FP32", (2,), np.zeros(2, np.float32))], **more)

    assert has_form(asked(), frozenset())
    assert has_form(asked(parameters={"a": 1}), frozenset({"a"}))
    assert not has_form(asked(parameters={"a": 1}), frozenset())
    assert not has_form(asked(id="1"), frozenset())
    for kind, data in (
        ("BYTES", np.array([b"a"], object)),
        ("BOOL", np.zeros(2, bool)),
        ("FP32", np.zeros(0)),
    ):
        assert not has_form(InferRequest("m", [Tensor("x", kind, data.shape, data)]), frozenset())
    large = np.zeros(1 << 16, np.float32)
    assert not has_form(InferRequest("m", [Tensor("x", "FP32", large.shape, large)]), frozenset())


@pytest.mark.parametrize("transport", ["http", "grpc"])
@pytest.mark.parametrize("outside", [True, False])
def test_outputs_in_shared_memory_are_known(tmp_path: Path, transport: str, outside: bool) -> None:
    row, told = np.float32([[1, 2]]), Counted()
    memory = shared_memory.SharedMemory(create=True, size=2 * row.nbytes)
    where = {"shared_memory_region": "r", "shared_memory_byte_size": row.nbytes}
    there = {**where, "shared_memory_offset": row.nbytes}

    def lying(number: int) -> bytes:
        given = {"parameters": where} if outside else {"data": (row + number).ravel().tolist()}
        outputs = [{"name": "y", "parameters": there}]
        return post(
            "logarithm", json.dumps({"inputs": [tensor("x", row, **given)], "outputs": outputs}).encode()
        )

    def message(number: int) -> bytes:
        request = pb.ModelInferRequest(model_name="logarithm")
        taken = request.inputs.add(name="x", datatype="FP32", shape=row.shape)
        if not outside:
            request.raw_input_contents.append((row + number).tobytes())
        for tensor, place in ((taken, where if outside else {}), (request.outputs.add(name="y"), there)):
            for key, value in place.items():
                setattr(
                    tensor.parameters[key], "int64_param" if type(value) is int else "string_param", value
                )
        return request.SerializeToString()

    async def use(server: Server, line: Line, express: Express) -> None:
        server.core.regions.register("r", "/" + memory.name.lstrip("/"), 0, 2 * row.nbytes)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.unary_unary(INFER)

            async def ask(number: int) -> bytes:
                return await (call(message(number)) if transport == "grpc" else line.ask(lying(number)))

            answers = set()
            for number in range(3):
                memory.buf[: row.nbytes] = (row + number).tobytes()
                answers.add(await ask(number))
                result = np.frombuffer(bytes(memory.buf[row.nbytes : 2 * row.nbytes]), np.float32)
                np.testing.assert_allclose(result, np.log(row + number)[0], rtol=1e-6)
            assert len(answers) == 1
            assert told.counts == 2
            server.core.regions.unregister("r")
            if transport == "grpc":
                with pytest.raises(grpc.aio.AioRpcError, match="Unable to find shared memory region"):
                    await ask(0)
            else:
                assert (await ask(0)).startswith(b"HTTP/1.1 404")
            (stats,) = server.core.statistics("logarithm")["model_stats"]
            assert stats["inference_stats"]["fail"]["count"] == 1
            assert stats["inference_stats"]["success"]["count"] == 3

    try:
        serving(tmp_path, use, options=ServeOptions(allow_client_shm=True), observers=[told])
    finally:
        memory.close()
        memory.unlink()


def test_requests_in_shared_memory_are_known(tmp_path: Path) -> None:
    row = np.float32([[1, 2]])
    memory = shared_memory.SharedMemory(create=True, size=row.nbytes)

    def lying(host: bytes) -> bytes:
        where = {"shared_memory_region": "r", "shared_memory_byte_size": row.nbytes}
        body = json.dumps({"inputs": [tensor("x", row, parameters=where)]}).encode()
        return post("logarithm", body).replace(b"Host: x", b"Host: " + host)

    async def use(server: Server, line: Line, express: Express) -> None:
        server.core.regions.register("r", "/" + memory.name.lstrip("/"), 0, row.nbytes)
        request = lying(b"x")
        for number in range(3):
            memory.buf[: row.nbytes] = (row + number).tobytes()
            assert await line.ask(request) == await line.ask(lying(b"%d" % number))
        assert express.answered == 2
        assert (await line.ask(request[:-1] + b"]")).startswith(b"HTTP/1.1 400")
        server.core.regions.unregister("r")
        assert (await line.ask(request)).startswith(b"HTTP/1.1 404")

    try:
        serving(tmp_path, use, options=ServeOptions(allow_client_shm=True))
    finally:
        memory.close()
        memory.unlink()
