"""Sequences: what a client does not send, what is kept between its requests, and when it is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.config import read_config
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import InferRequest, Tensor, Timings
from sardonyx.serve import sequence
from sardonyx.serve.model import Model, Prepared
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.policy import policy_of
from sardonyx.serve.seams import Offer
from sardonyx.serve.sequence import SequenceModel, has_sequences
from sardonyx.serve.signature import Port, Signature
from tests.serve.models import ACCUMULATED_CONFIG, CONTROL, FLAG

CONFIG = ACCUMULATED_CONFIG.replace(
    "sequence_batching {", "sequence_batching { " + CONTROL.format("START", "START", FLAG)
)
INPUTS = ("INPUT", "START", "END", "ID", "BEFORE")
SIGNATURE = Signature(
    "m",
    tuple(Port(name, "INT32", ("n", 1)) for name in INPUTS),
    tuple(Port(name, "INT32", ("n", 1)) for name in ("OUTPUT", "AFTER")),
    True,
)


def accumulate(feeds: Any, wanted: tuple[int, ...]) -> list[Any]:
    """START and END as hundreds and thousands, the ID as tens of thousands, and the sum so far."""
    given, start, end, key, before = feeds
    after = given + before
    both = [after + 100 * start + 1000 * end + 10_000 * key, after]
    return [both[n] for n in wanted]


def served(use: Callable[[SequenceModel], Awaitable[None]], config: str = CONFIG) -> None:
    async def run() -> None:
        given = read_config(config, "m")
        offer = Offer("m", "1", Path("/models/m/1/model.onnx"), "digest", given)
        policy = policy_of(given, ServeOptions(), batches=True, where="m")
        model = SequenceModel(Model(Prepared(offer, accumulate, SIGNATURE, policy), ServeOptions()))
        try:
            await asyncio.wait_for(use(model), 20)
        finally:
            await model.close()

    asyncio.run(run())


async def ask(model: SequenceModel, value: int, rows: int = 1, **parameters: Any) -> list[int]:
    data = np.full((rows, 1), value, np.int32)
    given = {"sequence_id": 5, **parameters}
    request = InferRequest("m", [Tensor("INPUT", "INT32", data.shape, data)], parameters=given)
    response = await model.infer(request, Timings())
    assert [tensor.name for tensor in response.outputs] == ["OUTPUT"]
    found: list[int] = response.outputs[0].data.reshape(-1).tolist()
    return found


def test_clients_see_only_what_they_send_and_get() -> None:
    async def use(model: SequenceModel) -> None:
        assert [port.name for port in model.signature.inputs] == ["INPUT"]
        assert [row["name"] for row in model.metadata()["outputs"]] == ["OUTPUT"]
        assert [row["name"] for row in model.config["input"]] == ["INPUT"]
        assert model.name == "m"

    served(use)


def test_state_goes_from_request_to_request() -> None:
    async def use(model: SequenceModel) -> None:
        assert await ask(model, 1, sequence_start=True) == [50_101]
        assert await ask(model, 2) == [50_003]
        assert await ask(model, 7, sequence_id=6, sequence_start=True, rows=2) == [60_107, 60_107]
        assert await ask(model, 3, sequence_end=True) == [51_006]
        with pytest.raises(ServeError, match="must specify the START flag on the first request"):
            await ask(model, 4)
        assert await ask(model, 1, sequence_start=True) == [50_101]

    served(use)


def test_requests_of_a_sequence_wait_for_each_other() -> None:
    async def use(model: SequenceModel) -> None:
        await ask(model, 0, sequence_start=True)
        found = await asyncio.gather(*(ask(model, 1) for _ in range(5)))
        assert found == [[50_000 + n] for n in range(1, 6)]

    served(use)


@pytest.mark.parametrize("key", [0, "", True, 1.5])
def test_a_sequence_has_an_id(key: Any) -> None:
    async def use(model: SequenceModel) -> None:
        with pytest.raises(ServeError, match="must specify a non-zero or non-empty correlation ID"):
            await ask(model, 1, sequence_start=True, sequence_id=key)

    served(use)


def test_ids_may_be_digits_but_no_words_where_numbers_are_taken() -> None:
    async def use(model: SequenceModel) -> None:
        assert await ask(model, 1, sequence_id="12", sequence_start=True) == [120_101]
        with pytest.raises(ServeError, match="takes numbers as correlation IDs, got 'a'"):
            await ask(model, 1, sequence_id="a", sequence_start=True)

    served(use)


def test_idle_sequences_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(model: SequenceModel) -> None:
        await ask(model, 1, sequence_start=True)
        later = sequence.time.monotonic() + 6
        monkeypatch.setattr(sequence.time, "monotonic", lambda: later)
        with pytest.raises(ServeError, match="must specify the START flag"):
            await ask(model, 1)

    served(use)


def test_so_many_sequences_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "_MOST_SEQUENCES", 1)

    async def use(model: SequenceModel) -> None:
        for _ in range(2):
            await ask(model, 1, sequence_start=True)
        with pytest.raises(ServeError, match="model 'm' has 1 sequences open, try later") as caught:
            await ask(model, 1, sequence_id=6, sequence_start=True)
        assert (caught.value.code, caught.value.retry_after_s) == (Code.UNAVAILABLE, 5)

    served(use)


def test_a_configuration_names_tensors_that_there_are() -> None:
    with pytest.raises(ServeError, match="model 'm' has no 'BEGIN', which 'sequence_batching' names"):
        served(lambda model: asyncio.sleep(0), CONFIG.replace("'START'", "'BEGIN'"))
    assert has_sequences({"sequence_batching": {}})
    assert not has_sequences({})
