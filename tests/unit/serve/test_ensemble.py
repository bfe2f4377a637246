"""Several models as one: which step runs when, what it is given, and which wirings make no sense."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sardonyx.protocol.config import read_config
from sardonyx.protocol.errors import Code, ServeError, not_found
from sardonyx.protocol.messages import InferRequest, InferResponse, RequestedOutput, Tensor, Timings
from sardonyx.serve.ensemble import Ensemble, ensemble_signature, steps_of
from sardonyx.serve.seams import Offer

HEAD = """max_batch_size: 8
input [ { name: "IN" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 1 ] }, { name: "SIDE" data_type: TYPE_FP32 dims: [ 1 ] } ]
ensemble_scheduling { step [ STEPS ] }
"""
X = np.float32([[1], [2]])


def step(model: str, takes: dict[str, str], gives: dict[str, str], version: int = -1) -> str:
    maps = "".join(f' input_map {{ key: "{k}" value: "{v}" }}' for k, v in takes.items())
    maps += "".join(f' output_map {{ key: "{k}" value: "{v}" }}' for k, v in gives.items())
    return f'{{ model_name: "{model}" model_version: {version}{maps} }}'


def offer(*steps: str) -> Offer:
    config = read_config(HEAD.replace("STEPS", ", ".join(steps)), "whole")
    return Offer("whole", "2", Path("/models/whole/2"), "digest", config)


DIAMOND = (
    step("join", {"p": "left", "q": "right"}, {"y": "OUT"}),
    step("twice", {"x": "IN"}, {"y": "left"}),
    step("plus", {"x": "IN"}, {"y": "right"}, version=3),
    step("plus", {"x": "left"}, {"y": "SIDE"}),
)


class Part:
    """A model of one formula."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log
        self.together = asyncio.Event()

    def labels_of(self, output: str) -> list[str]:
        return [self._name, output]

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        assert request.parameters == {}
        self._log.append(f"{self._name}{request.version}")
        await asyncio.sleep(0)
        given = {t.name: t.data for t in request.inputs}
        found = {
            "twice": lambda: given["x"] * 2,
            "plus": lambda: given["x"] + 10,
            "join": lambda: given["p"] * 100 + given["q"],
        }[self._name]()
        timings.infer_ns, timings.queue_ns = 5, 1
        return InferResponse(self._name, "1", [Tensor("y", "FP32", found.shape, found)])


def asked(made: Offer, *outputs: str, fails: str = "") -> tuple[dict[str, Any], list[str], Timings, Ensemble]:
    log: list[str] = []

    async def lookup(model: str, version: str) -> Part:
        if model == fails:
            raise not_found(f"no {model}")
        return Part(model, log)

    whole = Ensemble(made, ensemble_signature(made), lookup, {"SIDE": ["told"]})
    wanted = [RequestedOutput(name) for name in outputs] or None
    timings = Timings()
    request = InferRequest("whole", [Tensor("IN", "FP32", X.shape, X)], id="7", outputs=wanted)
    response = asyncio.run(whole.infer(request, timings))
    assert (response.model, response.version, response.id) == ("whole", "2", "7")
    return {t.name: t.data.reshape(-1).tolist() for t in response.outputs}, log, timings, whole


def test_steps_run_when_their_tensors_are_there() -> None:
    found, log, timings, whole = asked(offer(*DIAMOND))
    assert found == {"OUT": [211, 412], "SIDE": [12, 14]}
    assert log[:2] == ["twice", "plus3"]
    assert sorted(log[2:]) == ["join", "plus"]
    assert (timings.infer_ns, timings.queue_ns, timings.rows) == (20, 4, 2)
    assert whole.depth == 0


def test_an_output_alone_may_be_asked_for() -> None:
    assert asked(offer(*DIAMOND), "SIDE")[0] == {"SIDE": [12, 14]}


def test_class_names_are_told_or_those_of_the_step() -> None:
    whole = asked(offer(*DIAMOND))[3]
    assert whole.labels_of("SIDE") == ["told"]
    assert whole.labels_of("OUT") == ["join", "y"]
    assert whole.labels_of("other") == []


def test_the_error_of_a_step_ends_the_others() -> None:
    with pytest.raises(ServeError, match="no plus") as caught:
        asked(offer(*DIAMOND), fails="plus")
    assert caught.value.code is Code.NOT_FOUND


def test_what_it_tells_of_itself() -> None:
    made = offer(*DIAMOND)
    whole = Ensemble(made, ensemble_signature(made), None, {})  # type: ignore[arg-type]
    assert whole.metadata()["platform"] == whole.config["platform"] == "ensemble"
    assert [row["shape"] for row in whole.metadata()["inputs"]] == [[-1, 1]]
    assert whole.batch_axis == 0
    assert [step.version for step in whole.steps] == ["", "", "3", ""]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((*DIAMOND, step("x", {}, {"y": "OUT"})), "tensor 'OUT' is made twice"),
        ((step("x", {}, {"y": "IN"}),), "tensor 'IN' is made twice"),
        (DIAMOND[:2], "tensor 'right' is made by no step and is not an input"),
        (DIAMOND[:3], "tensor 'SIDE' is made by no step and is not an input"),
        (
            (step("a", {"x": "p"}, {"y": "q"}), step("b", {"x": "q"}, {"y": "p", "z": "OUT", "w": "SIDE"})),
            "step 'a' waits for itself",
        ),
    ],
)
def test_wirings_that_make_no_sense_are_refused(steps: tuple[str, ...], message: str) -> None:
    with pytest.raises(ServeError, match=f"^ensemble 'whole': {message}") as caught:
        ensemble_signature(offer(*steps))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_steps_come_as_they_are_written() -> None:
    made = offer(*DIAMOND)
    assert [part.model for part in steps_of(made, ensemble_signature(made))] == [
        "join",
        "twice",
        "plus",
        "plus",
    ]
