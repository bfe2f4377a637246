"""The fast lane of endpoints: each request is drawn once, and shadows are asked as in the ordinary way."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from sardonyx.protocol.messages import InferRequest
from sardonyx.protocol.wire import inference_pb2 as pb
from sardonyx.serve.http.express import Express
from sardonyx.serve.seams import Record, Route, Target
from sardonyx.serve.server import Server
from tests.serve.models import SUM_AND_DIFFERENCE, save
from tests.serve.test_lane import INFER, Counted, Line, in_json, pair, raw, serving

BLUE, GREEN = Target("simple", "1", "blue"), Target("other", "1", "green")
CACHED = 'response_cache { enable: true } name: "other"'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the models count as quick once they were asked."""
    monkeypatch.setattr("sardonyx.serve.model.QUICK_NS", 10**12)


class Dice:
    """A router that takes one route after the other for the endpoint, and keeps what it said."""

    def __init__(self, *routes: Route) -> None:
        self.routes = routes
        self.said: list[str] = []

    def route(self, request: InferRequest) -> Route:
        if request.model != "both":
            return Route(Target(request.model, request.version))
        route = self.routes[len(self.said) % len(self.routes)]
        self.said.append(route.target.deployment)
        return route


class Compared(Counted):
    """An observer that compares answers with those of their shadows."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Record] = []

    def observe(self, record: Record) -> None:
        super().observe(record)
        if record.route.shadows and not record.shadow_of:
            self.shadowed(record)

    def shadowed(self, record: Record) -> None:
        self.kept.append(record)

    async def shadows(self, count: int) -> list[Record]:
        """The records of so many shadows, once they are all there."""
        for _ in range(500):
            found = [record for record in self.records if record.shadow_of]
            if len(found) == count:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(found)} of {count} shadows were asked")


def save_other(folder: Path, config: str = "") -> None:
    """A model of the same form, whose second output is a product."""
    (folder / "other" / "1").mkdir(parents=True)
    save(SUM_AND_DIFFERENCE.replace("Sub", "Mul"), folder / "other" / "1" / "model.onnx")
    (folder / "other" / "config.pbtxt").write_text(config or 'name: "other"')


@pytest.mark.parametrize("written", [raw, in_json])
def test_every_request_of_a_split_is_drawn_once(tmp_path: Path, written: Any) -> None:
    save_other(tmp_path)
    dice, told = Dice(Route(BLUE, drawn=True), Route(GREEN, drawn=True)), Counted()

    async def use(server: Server, line: Line, express: Express) -> None:
        for seed in range(10):
            fast = await line.ask(written("both", **pair(seed)))
            model = ("simple", "other")[seed % 2]
            assert fast == await line.ask(written(model, **pair(seed)).replace(b"x", b"%d" % seed, 1))
        assert dice.said == ["blue", "green"] * 5
        assert express.answered == 9
        assert Counter(record.route.target.deployment for record in told.records) == {"blue": 1, "": 10}
        assert told.counts == 9

    serving(tmp_path, use, router=dice, observers=[told])


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_deployment_that_has_no_lane_keeps_its_share(tmp_path: Path, transport: str) -> None:
    save_other(tmp_path, CACHED)
    dice = Dice(*[Route(BLUE, drawn=True)] * 3, Route(GREEN, drawn=True))
    told = Counted()

    async def use(server: Server, line: Line, express: Express) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.unary_unary(INFER)
            for seed in range(40):
                await (call(message(seed)) if transport == "grpc" else line.ask(raw("both", **pair(seed))))
        assert len(dice.said) == 40
        assert Counter(record.route.target.deployment for record in told.records) == {"blue": 1, "green": 10}
        assert told.counts == 29

    serving(tmp_path, use, router=dice, observers=[told])


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_shadows_of_the_lane_are_asked_what_was_asked(tmp_path: Path, transport: str) -> None:
    save_other(tmp_path)
    told = Compared()

    async def use(server: Server, line: Line, express: Express) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.unary_unary(INFER)
            for seed in range(8):
                await (call(message(seed)) if transport == "grpc" else line.ask(raw("both", **pair(seed))))
        shadows = await told.shadows(8)
        assert told.counts == 7
        assert [id(shadow.request) for shadow in shadows] == [id(served.request) for served in told.kept]
        for seed, (served, shadow) in enumerate(zip(told.kept, shadows, strict=True)):
            first, second = pair(seed)["INPUT0"], pair(seed)["INPUT1"]
            assert served.response is not None
            assert shadow.response is not None
            assert shadow.shadow_of == "blue"
            np.testing.assert_array_equal(served.response.outputs[1].data, first - second)
            np.testing.assert_array_equal(shadow.response.outputs[1].data, first * second)
            assert served.timings.total_ns > 0

    serving(tmp_path, use, router=Dice(Route(BLUE, (GREEN,), drawn=True)), observers=[told])


def test_shadows_of_a_failure_are_asked_too(tmp_path: Path) -> None:
    told = Compared()
    pick = Target("pick", "1", "blue")

    async def use(server: Server, line: Line, express: Express) -> None:
        x = np.float32([[1, 2, 3]])
        await line.ask(raw("both", x=x, i=np.int64([0])))
        assert b"out of range" in await line.ask(raw("both", x=x, i=np.int64([5])))
        assert express.answered == 1
        shadows = await told.shadows(2)
        assert [record.error is None for record in (*told.kept, *shadows)] == [True, False] * 2
        assert [id(shadow.request) for shadow in shadows] == [id(served.request) for served in told.kept]

    serving(tmp_path, use, router=Dice(Route(pick, (pick,), drawn=True)), observers=[told])


def test_a_request_that_is_not_of_the_form_is_drawn_once(tmp_path: Path) -> None:
    save_other(tmp_path)
    dice = Dice(Route(BLUE, drawn=True), Route(GREEN, drawn=True))

    async def use(server: Server, line: Line, express: Express) -> None:
        sound = in_json("both", **pair(1))
        other = sound.replace(b"], ", b"] ,", 2)
        answers = [await line.ask(request) for request in (sound, sound, other, sound)]
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert answers[0].partition(b"{")[2] == answers[2].partition(b"{")[2]
        assert dice.said == ["blue", "green"] * 2
        assert express.answered == 2

    serving(tmp_path, use, router=dice)


def test_a_message_of_a_stream_is_drawn_once(tmp_path: Path) -> None:
    save_other(tmp_path)
    dice = Dice(Route(BLUE, drawn=True), Route(GREEN, drawn=True))

    async def use(server: Server, line: Line, express: Express) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call: Any = channel.stream_stream(INFER.replace("ModelInfer", "ModelStreamInfer"))
            answers = call(iter([message(seed) for seed in range(4)]))
            models = [
                pb.ModelStreamInferResponse.FromString(text).infer_response.model_name
                async for text in answers
            ]
        assert models == ["simple", "other"] * 2
        assert dice.said == ["blue", "green"] * 2

    serving(tmp_path, use, router=dice)


def message(seed: int) -> bytes:
    """A request of gRPC."""
    made = pb.ModelInferRequest(model_name="both")
    for name, array in pair(seed).items():
        made.inputs.add(name=name, datatype="INT32", shape=array.shape)
        made.raw_input_contents.append(array.tobytes())
    return made.SerializeToString()
