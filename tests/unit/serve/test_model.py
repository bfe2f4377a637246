"""A model in memory: how a request becomes a run, what it may ask for, and what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.config import read_config
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Context, InferRequest, RequestedOutput, Tensor, Timings
from sardonyx.serve.model import Model, Prepared
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.policy import policy_of
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature

SIGNATURE = Signature(
    "m",
    (Port("a", "FP32", ("n", 2)), Port("b", "FP32", ("n", 2))),
    (Port("sum", "FP32", ("n", 2)), Port("difference", "FP32", ("n", 2))),
    True,
)


class Adding:
    """Adds and subtracts, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, feeds: Sequence[Any], wanted: tuple[int, ...]) -> list[Any]:
        self.asked.append(feeds[0].shape)
        both = [feeds[0] + feeds[1], feeds[0] - feeds[1]]
        return [both[n] for n in wanted]


def served(
    use: Callable[[Model, Adding], Awaitable[Any]], config: str = "max_batch_size: 4", **options: Any
) -> Any:
    """What `use` gives, with a model of that configuration."""

    async def run() -> Any:
        given = read_config(config, "m") if config else {}
        offer = Offer("m", "1", Path("/models/m/1/model.onnx"), "digest", given)
        chosen = ServeOptions(**options)
        call = Adding()
        policy = policy_of(given, chosen, batches=True, where="m")
        labels = {"sum": ["small", "large"]}
        model = Model(Prepared(offer, call, SIGNATURE, policy, labels=["x"], output_labels=labels), chosen)
        try:
            return await asyncio.wait_for(use(model, call), 20)
        finally:
            await model.close()

    return asyncio.run(run())


def request(rows: int = 1, *, others: int | None = None, **fields: Any) -> InferRequest:
    a = np.ones((rows, 2), np.float32)
    b = np.full((rows if others is None else others, 2), 3, np.float32)
    inputs = [Tensor("b", "FP32", b.shape, b), Tensor("a", "FP32", a.shape, a)]
    return InferRequest("m", inputs, **fields)


def test_inputs_and_outputs_go_by_name() -> None:
    async def use(model: Model, call: Adding) -> None:
        timings = Timings()
        response = await model.infer(request(id="7"), timings)
        assert [(t.name, t.data.tolist()) for t in response.outputs] == [
            ("sum", [[4, 4]]),
            ("difference", [[-2, -2]]),
        ]
        assert (response.model, response.version, response.id) == ("m", "1", "7")
        assert timings.rows == timings.batch_rows == 1
        wanted = [RequestedOutput("difference")]
        (only,) = (await model.infer(request(outputs=wanted), Timings())).outputs
        assert only.name == "difference"

    served(use)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (request(2, others=3), r"must have equally many rows, got shapes \{'a': \[2, 2\], 'b': \[3, 2\]\}"),
        (request(5), "inference request batch-size must be <= 4 for 'm', got 5"),
        (request(parameters={"priority": -1}), "'priority' must be a whole number from 0 on, got -1"),
        (request(parameters={"priority": "high"}), "'priority' must be a whole number from 0 on, got 'high'"),
        (request(parameters={"timeout": 1.5}), "'timeout' must be a number of microseconds, got 1.5"),
        (request(parameters={"timeout": True}), "'timeout' must be a number of microseconds, got True"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: InferRequest, message: str) -> None:
    async def use(model: Model, call: Adding) -> None:
        with pytest.raises(ServeError, match=message) as caught:
            await model.infer(asked, Timings())
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert call.asked == []

    served(use)


def test_requests_that_wait_together_run_together() -> None:
    async def use(model: Model, call: Adding) -> None:
        asked = [model.infer(request(), Timings()) for _ in range(4)]
        for response in await asyncio.gather(*asked):
            assert response.outputs[0].data.tolist() == [[4, 4]]
        assert sum(shape[0] for shape in call.asked) == 4
        assert (4, 2) in call.asked

    served(use, "max_batch_size: 4 dynamic_batching { max_queue_delay_microseconds: 300000 }")


def test_a_quick_model_runs_at_once() -> None:
    async def use(model: Model, call: Adding) -> None:
        for _ in range(3):
            await model.infer(request(), Timings())
        timings = Timings()
        await model.infer(request(), timings)
        assert timings.queue_ns == 0
        assert timings.infer_ns > 0

    served(use)


def test_a_deadline_that_is_over_is_not_waited_for() -> None:
    async def use(model: Model, call: Adding) -> None:
        with pytest.raises(ServeError) as caught:
            await model.infer(request(context=Context(deadline_ns=1)), Timings())
        assert caught.value.code is Code.DEADLINE

    served(use)


def test_an_answer_is_remembered() -> None:
    async def use(model: Model, call: Adding) -> tuple[int, int, int]:
        for _ in range(3):
            assert (await model.infer(request(), Timings())).outputs[0].data.tolist() == [[4, 4]]
        await model.infer(request(2), Timings())
        return len(call.asked), model.statistics.hits, model.statistics.misses

    assert served(use, "max_batch_size: 4 response_cache { enable: true }") == (2, 2, 2)
    assert served(use)[1:] == (0, 0)


def test_a_client_that_leaves_is_told_so() -> None:
    async def use(model: Model, call: Adding) -> None:
        left: list[Callable[[], None]] = []

        def on_leave(leave: Callable[[], None]) -> Callable[[], object]:
            left.append(leave)
            return lambda: left.clear()

        asking = asyncio.create_task(model.infer(request(context=Context(on_leave=on_leave)), Timings()))
        while not left:
            await asyncio.sleep(0)
        left[0]()
        with pytest.raises(ServeError, match="the client left") as caught:
            await asking
        assert caught.value.code is Code.CANCELLED
        assert left == []

    served(use, "max_batch_size: 4 dynamic_batching { max_queue_delay_microseconds: 300000 }")


def test_a_configuration_is_completed() -> None:
    async def use(model: Model, call: Adding) -> Any:
        return model.config

    found = served(use)
    assert (found["name"], found["backend"], found["max_batch_size"]) == ("m", "onnxruntime", 4)
    assert found["input"][0] == {"name": "a", "data_type": "TYPE_FP32", "dims": ["2"]}
    assert found["default_model_filename"] == "model.onnx"
    assert served(use, "")["version_policy"] == {"latest": {"num_versions": 1}}


def test_metadata_and_labels() -> None:
    async def use(model: Model, call: Adding) -> None:
        assert model.metadata()["name"] == "m"
        assert [row["shape"] for row in model.metadata()["inputs"]] == [[-1, 2], [-1, 2]]
        assert (model.labels_of("sum"), model.labels_of("difference")) == (["small", "large"], ["x"])
        assert (model.batch_axis, model.depth) == (0, 0)

    served(use)
