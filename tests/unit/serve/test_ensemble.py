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
from sardonyx.serve.ensemble import Ensemble, check_fit, ensemble_signature, parts_first, steps_of
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature

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


def signature(takes: dict[str, tuple[str, Any]], gives: dict[str, tuple[str, Any]]) -> Signature:
    """`None` for dims means that the rank is unknown."""

    def ports(rows: dict[str, tuple[str, Any]]) -> tuple[Port, ...]:
        return tuple(Port(name, kind, dims or (), dims is not None) for name, (kind, dims) in rows.items())

    return Signature("m", ports(takes), ports(gives), batches=True)


FREE = ("FP32", ("N", 1))


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (FREE, FREE, ""),
        (("FP32", None), ("FP32", (None, 7)), ""),
        (("FP32", ("a", "b")), ("FP32", (4, 1)), ""),
        (("INT64", ("N", 1)), FREE, "step 'second' takes FP32 as 'x', 'between' is INT64"),
        (("FP32", ("N", 3)), FREE, r"takes \[-1, 1\] as 'x', 'between' is \[-1, 3\]"),
        (("FP32", ("N",)), FREE, r"takes \[-1, 1\] as 'x', 'between' is \[-1\]"),
    ],
)
def test_what_a_step_gives_is_what_the_next_one_takes(first: Any, second: Any, text: str) -> None:
    made = offer(
        step("first", {"x": "IN"}, {"y": "between", "z": "SIDE"}),
        step("second", {"x": "between"}, {"y": "OUT"}),
    )
    parts = {
        "first": signature({"x": FREE}, {"y": first, "z": FREE}),
        "second": signature({"x": second}, {"y": FREE}),
    }
    whole = ensemble_signature(made)
    steps = steps_of(made, whole)

    def check(known: dict[str, Signature]) -> None:
        check_fit("whole", whole, steps, lambda model, version: known.get(model))

    check({})
    check({"second": parts["second"]})
    if text:
        with pytest.raises(ServeError, match=text) as caught:
            check(parts)
        assert caught.value.code is Code.INVALID_ARGUMENT
    else:
        check(parts)


@pytest.mark.parametrize(
    ("takes", "gives", "text"),
    [
        ({"x": FREE, "w": FREE}, {"y": FREE, "z": FREE}, "'only' is not given its input 'w'"),
        ({"w": FREE}, {"y": FREE, "z": FREE}, "'only' has no input 'x'"),
        ({"x": FREE}, {"y": FREE}, "'only' has no output 'z'"),
        ({"x": FREE}, {"y": ("FP64", ("N", 1)), "z": FREE}, "its output takes FP32 as 'OUT', 'OUT' is FP64"),
    ],
)
def test_steps_have_what_they_are_asked_by(takes: Any, gives: Any, text: str) -> None:
    made = offer(step("only", {"x": "IN"}, {"y": "OUT", "z": "SIDE"}))
    whole = ensemble_signature(made)
    with pytest.raises(ServeError, match=text):
        check_fit("whole", whole, steps_of(made, whole), lambda model, version: signature(takes, gives))


def test_parts_come_before_ensembles_that_ask_them() -> None:
    def asking(name: str, *parts: str) -> Offer:
        steps = ", ".join(step(part, {"x": "IN"}, {"y": "OUT"}) for part in parts)
        text = f"ensemble_scheduling {{ step [ {steps} ] }}" if parts else ""
        return Offer(name, "1", Path(name), name, read_config(text, name))

    offers = [asking("a", "b", "z"), asking("b", "y", "gone"), asking("y"), asking("z")]
    assert [o.name for o in parts_first(offers)] == ["y", "z", "b", "a"]
    circle = [asking("p", "q"), asking("q", "p"), asking("r")]
    assert {o.name for o in parts_first(circle)} == {"p", "q", "r"}
