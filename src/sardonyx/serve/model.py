"""A model version in memory: its session, what it takes and gives, its queue and its counts.

Decides how a request becomes a run and its outputs an answer; must not know transports or other models.
"""

from __future__ import annotations

import ast
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.ort.exceptions import InvalidArgument
from sardonyx.ort.options import SessionOptions
from sardonyx.ort.session import InferenceSession
from sardonyx.protocol.datatypes import Array, objects
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import InferRequest, InferResponse, Tensor, Timings
from sardonyx.serve.options import ServeOptions
from sardonyx.serve.scheduler import Job, Scheduler
from sardonyx.serve.seams import Offer
from sardonyx.serve.signature import Signature, signature_of
from sardonyx.serve.statistics import Statistics

PLATFORM = "onnx_onnxv1"
_LABEL_KEYS = ("labels", "names", "classes", "id2label")


class Model:
    """A loaded version; made by `open_model`, given back by `close`."""

    def __init__(self, offer: Offer, session: InferenceSession, options: ServeOptions) -> None:
        self.name, self.version = offer.name, offer.version
        self.offer = offer
        self.session = session
        self.signature: Signature = signature_of(offer.name, session.get_inputs(), session.get_outputs())
        self.labels = labels_of(session.get_modelmeta().custom_metadata_map)
        self.statistics = Statistics()
        self._names = [port.name for port in self.signature.inputs]
        self._outputs = [port.name for port in self.signature.outputs]
        self._texts = [port.datatype == "BYTES" for port in self.signature.inputs]
        overload = Code.QUOTA if options.overload_status == Code.QUOTA.http else Code.UNAVAILABLE
        self._scheduler = Scheduler(offer.name, self.execute, options.queue_size, overload)

    @property
    def depth(self) -> int:
        """Requests that wait or run."""
        return self._scheduler.depth

    @property
    def batch_axis(self) -> int | None:
        """The axis along which requests may be joined, None if there is none."""
        return 0 if self.signature.batches else None

    async def infer(self, request: InferRequest, timings: Timings) -> InferResponse:
        """The answer to a request, which may wait in the queue; ServeError says why there is none."""
        feeds = self.signature.feeds(request.inputs)
        wanted = self.signature.wanted(request.outputs)
        rows = feeds[0].shape[0] if self.signature.batches and feeds else 1
        future: asyncio.Future[list[Array]] = asyncio.get_running_loop().create_future()
        job = Job(feeds, wanted, rows, future, timings, request.context.deadline_ns)
        results = await self._scheduler.run(job)
        ports = self.signature.outputs
        outputs = [
            Tensor(ports[number].name, ports[number].datatype, array.shape, array)
            for number, array in zip(wanted, results, strict=True)
        ]
        self.statistics.executed(rows, timings.input_ns, timings.infer_ns, timings.output_ns)
        return InferResponse(self.name, self.version, outputs, request.id)

    def execute(self, feeds: Sequence[Array], wanted: tuple[int, ...]) -> list[Array]:
        """Run the model now, on this thread; ServeError says whether the request or the model is at fault."""
        given = {
            name: _texts(name, array) if text else array
            for name, array, text in zip(self._names, feeds, self._texts, strict=True)
        }
        try:
            return [
                np.asarray(array) for array in self.session.run([self._outputs[i] for i in wanted], given)
            ]
        except (InvalidArgument, ValueError) as error:
            raise invalid(f"model '{self.name}': {_plain(error)}") from error
        except Exception as error:
            raise ServeError(Code.INTERNAL, f"model '{self.name}' failed: {_plain(error)}") from error

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol, without `versions`."""
        return {
            "name": self.name,
            "platform": PLATFORM,
            "inputs": [_described(port) for port in self.signature.inputs],
            "outputs": [_described(port) for port in self.signature.outputs],
        }

    async def close(self) -> None:
        """Answer what is queued, then let go of the session."""
        await self._scheduler.close()
        del self.session


def open_model(offer: Offer, options: ServeOptions) -> InferenceSession:
    """Compile or map the model of an offer; blocks. ServeError says what is wrong with the file."""
    settings = SessionOptions()
    settings.intra_op_num_threads = options.threads
    try:
        return InferenceSession(str(offer.path), settings)
    except Exception as error:
        raise invalid(f"model '{offer.name}' version {offer.version}: {_plain(error)}") from error


def labels_of(metadata: Mapping[str, str]) -> list[str]:
    """The class names that a model file carries in its metadata, by index; [] if there are none."""
    for key in _LABEL_KEYS:
        if key in metadata:
            return _read_labels(metadata[key])
    return []


def _read_labels(text: str) -> list[str]:
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list):
            return [str(item) for item in value]
        if isinstance(value, dict):
            return [str(value[key]) for key in sorted(value, key=int)]
    return text.splitlines() if "\n" in text else [part.strip() for part in text.split(",")]


def _described(port: Any) -> dict[str, Any]:
    return {"name": port.name, "datatype": port.datatype, "shape": list(port.shape)}


def _texts(name: str, array: Array) -> Array:
    try:
        texts = [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise invalid(f"input '{name}' holds bytes that are no UTF-8 text: {error}") from None
    return objects(texts).reshape(array.shape)


def _plain(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.split(" : ", 3)[-1] if text.startswith("[ONNXRuntimeError]") else text


def now_ns() -> int:
    """The clock of all timings."""
    return time.perf_counter_ns()
