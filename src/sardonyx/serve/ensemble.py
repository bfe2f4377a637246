"""Several models as one: each step takes tensors by name from the request or from steps before it.

Decides in which order steps run and that those which wait for nothing run at once. Must not know what runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sardonyx.protocol.config import Config
from sardonyx.protocol.errors import ServeError, invalid
from sardonyx.protocol.messages import InferRequest, InferResponse, RequestedOutput, Tensor, Timings
from sardonyx.serve.python_model import declared_signature
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Port, Signature
from sardonyx.serve.statistics import Statistics

PLATFORM = "ensemble"


class Answering(Protocol):
    """What a step asks."""

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """The answer to a request."""

    def labels_of(self, output: str) -> list[str]:
        """The class names of an output by index; [] if none are known."""


Lookup = Callable[[str, str], Awaitable[Answering]]
Known = Callable[[str, str], Signature | None]
"""What a model and version take and give; None if it gave way to others. NOT_FOUND if nobody offers it,
UNAVAILABLE if it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """One model; its inputs and outputs by the names of the ensemble's tensors."""

    model: str
    version: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class Ensemble:
    """A graph of steps that answers as a model does."""

    session = None
    labels: tuple[str, ...] = ()

    def __init__(
        self, offer: Offer, signature: Signature, lookup: Lookup, labels: Mapping[str, list[str]]
    ) -> None:
        self.offer = offer
        self.name, self.version = offer.name, offer.version
        self.signature = signature
        self.statistics = Statistics()
        self.depth = 0
        self.steps = steps_of(offer, signature)
        self._lookup = lookup
        self._labels = labels
        self._labels_of_steps: dict[str, list[str]] = {}

    @property
    def batch_axis(self) -> int | None:
        """The axis of rows, None if there is none."""
        return 0 if self.signature.batches else None

    @property
    def config(self) -> Config:
        """The configuration as it was given."""
        return {**self.offer.config, "name": self.name, "platform": PLATFORM}

    def labels_of(self, output: str) -> list[str]:
        """The class names that its configuration gives an output, else those of the step that makes it."""
        return self._labels.get(output) or self._labels_of_steps.get(output, [])

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """Run all steps whose results are needed; the error of a step names it."""
        feeds = self.signature.feeds(request.inputs)
        wanted = self.signature.wanted(request.outputs)
        known = {
            port.name: Tensor(port.name, port.datatype, array.shape, array)
            for port, array in zip(self.signature.inputs, feeds, strict=True)
        }
        self.depth += 1
        try:
            await self._run(known, request, timings)
        finally:
            self.depth -= 1
        ports = [self.signature.outputs[number] for number in wanted]
        first = feeds[0] if feeds else None
        timings.rows = timings.batch_rows = (
            first.shape[0] if self.signature.batches and first is not None and first.ndim else 1
        )
        self.statistics.executed(timings.rows, timings.input_ns, timings.infer_ns, timings.output_ns)
        return InferResponse(self.name, self.version, [known[port.name] for port in ports], request.id)

    async def _run(self, known: dict[str, Tensor], request: InferRequest, timings: Timings) -> None:
        left = list(self.steps)
        while left:
            ready = [step for step in left if all(name in known for name in step.inputs.values())]
            left = [step for step in left if step not in ready]
            spent = [Timings() for _ in ready]
            made = await _together(
                [self._ask(step, known, request, its) for step, its in zip(ready, spent, strict=True)]
            )
            for tensors in made:
                known |= {tensor.name: tensor for tensor in tensors}
            for its in spent:
                timings.queue_ns += its.queue_ns
                timings.input_ns += its.input_ns
                timings.infer_ns += its.infer_ns
                timings.output_ns += its.output_ns

    async def _ask(
        self, step: Step, known: Mapping[str, Tensor], request: InferRequest, timings: Timings
    ) -> list[Tensor]:
        inputs = []
        for name, tensor in step.inputs.items():
            given = known[tensor]
            inputs.append(Tensor(name, given.datatype, given.shape, given.data))
        outputs = [RequestedOutput(name) for name in step.outputs]
        part = InferRequest(step.model, inputs, step.version, request.id, {}, outputs, request.context)
        model = await self._lookup(step.model, step.version)
        response = await model.infer(part, timings)
        self._labels_of_steps |= {made: model.labels_of(name) for name, made in step.outputs.items()}
        return [
            Tensor(step.outputs[tensor.name], tensor.datatype, tensor.shape, tensor.data)
            for tensor in response.outputs
        ]

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol, without `versions`."""
        return {"name": self.name, "platform": PLATFORM, **self.signature.described()}

    async def close(self) -> None:
        """Nothing is held: the models are others'."""


def ensemble_signature(offer: Offer) -> Signature:
    """The declared signature of an ensemble whose steps fit together; INVALID_ARGUMENT if they do not."""
    signature = declared_signature(offer)
    steps_of(offer, signature)
    return signature


def steps_of(offer: Offer, signature: Signature) -> list[Step]:
    """The steps of a configuration; INVALID_ARGUMENT if a tensor is made by none of them, or by two."""
    rows = offer.config["ensemble_scheduling"].get("step", [])
    steps = [_step(row) for row in rows]
    made = [port.name for port in signature.inputs]
    for step in steps:
        for tensor in step.outputs.values():
            if tensor in made:
                raise invalid(f"ensemble '{offer.name}': tensor '{tensor}' is made twice")
            made.append(tensor)
    needed = [name for step in steps for name in step.inputs.values()]
    for tensor in [*needed, *(port.name for port in signature.outputs)]:
        if tensor not in made:
            raise invalid(
                f"ensemble '{offer.name}': tensor '{tensor}' is made by no step and is not an input"
            )
    known = {port.name for port in signature.inputs}
    left = steps
    while left:
        ready = [step for step in left if known.issuperset(step.inputs.values())]
        if not ready:
            raise invalid(f"ensemble '{offer.name}': step '{left[0].model}' waits for itself")
        known.update(name for step in ready for name in step.outputs.values())
        left = [step for step in left if step not in ready]
    return steps


def parts_first(offers: Sequence[Offer]) -> list[Offer]:
    """The same offers, those that ensembles among them ask before these."""
    asked: dict[str, set[str]] = {}
    for offer in offers:
        rows = offer.config.get("ensemble_scheduling", {}).get("step", ())
        asked.setdefault(offer.name, set()).update(str(row.get("model_name", "")) for row in rows)
    depths = dict.fromkeys(asked, 0)
    for _ in asked:  # as deep as a chain of them can be: a circle ends here too
        before = dict(depths)
        for name, parts in asked.items():
            depths[name] = max((depths[part] + 1 for part in parts if part in depths), default=0)
        if depths == before:
            break
    return sorted(offers, key=lambda offer: depths[offer.name])


def check_fit(name: str, signature: Signature, steps: Sequence[Step], known: Known) -> None:
    """INVALID_ARGUMENT if a step does not take what it is given, as far as the models declare it.

    What `known` raises says that there is no such step.
    """
    made: dict[str, Port | None] = {port.name: port for port in signature.inputs}
    parts = [_part(name, step, known) for step in steps]
    for step, part in zip(steps, parts, strict=True):
        ports = {port.name: port for port in part.outputs} if part is not None else {}
        if part is not None and (strange := set(step.outputs) - set(ports)):
            raise invalid(f"ensemble '{name}': step '{step.model}' has no output '{min(strange)}'")
        made |= {tensor: ports.get(output) for output, tensor in step.outputs.items()}
    for step, part in zip(steps, parts, strict=True):
        if part is None:
            continue
        taken = {port.name: port for port in part.inputs}
        if strange := set(step.inputs) - set(taken):
            raise invalid(f"ensemble '{name}': step '{step.model}' has no input '{min(strange)}'")
        if missing := set(taken) - set(step.inputs):
            raise invalid(f"ensemble '{name}': step '{step.model}' is not given its input '{min(missing)}'")
        for inside, tensor in sorted(step.inputs.items()):
            _check_alike(f"ensemble '{name}': step '{step.model}'", tensor, made[tensor], taken[inside])
    for port in signature.outputs:
        _check_alike(f"ensemble '{name}': its output", port.name, made[port.name], port)


def _part(name: str, step: Step, known: Known) -> Signature | None:
    try:
        return known(step.model, step.version)
    except ServeError as error:
        raise ServeError(error.code, f"ensemble '{name}': step '{step.model}': {error.message}") from None


def _check_alike(where: str, tensor: str, given: Port | None, wanted: Port) -> None:
    if given is None:
        return
    if given.datatype != wanted.datatype:
        raise invalid(f"{where} takes {wanted.datatype} as '{wanted.name}', '{tensor}' is {given.datatype}")
    fits = len(given.dims) == len(wanted.dims) and all(
        one < 0 or other < 0 or one == other for one, other in zip(given.shape, wanted.shape, strict=True)
    )
    if given.ranked and wanted.ranked and not fits:
        shapes = f"{list(wanted.shape)} as '{wanted.name}', '{tensor}' is {list(given.shape)}"
        raise invalid(f"{where} takes {shapes}")


def _step(row: Mapping[str, Any]) -> Step:
    version = int(row.get("model_version", -1))
    return Step(
        str(row.get("model_name", "")),
        "" if version < 0 else str(version),
        dict(row.get("input_map", {})),
        dict(row.get("output_map", {})),
    )


async def _together(work: Sequence[Coroutine[Any, Any, list[Tensor]]]) -> list[list[Tensor]]:
    """The results of all; the first error ends the others and is the one to tell."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
