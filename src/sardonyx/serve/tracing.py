"""The trace file: what Triton's trace extension writes, one entry of JSON for each sampled request.

Decides what stands in the file and when it is written. Which requests are sampled, the settings say. Must not
know transports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sardonyx.protocol.messages import Tensor
from sardonyx.serve.seams import Record
from sardonyx.serve.settings import LOGGER, TraceSettings

_WRITTEN_AT_ONCE = 100
_MOST_ELEMENTS = 1024


class TraceFile:
    """An Observer that writes sampled requests; `close` writes what is left.

    The file is a list of JSON. With the setting `log_frequency` of N there is a new file for every N traces,
    whose name ends in a number.
    """

    def __init__(self, settings: TraceSettings, path: Path) -> None:
        self._settings = settings
        self._path = path
        self._pending: list[dict[str, Any]] = []
        self._traces = 0
        self._files = 0
        self._begun: Path | None = None
        self._broken = False

    def observe(self, record: Record) -> None:
        """Note one finished request if it is sampled; a failed one has the times of its ends alone."""
        target = record.route.target
        levels = self._settings.sampled(target.model)
        if not levels:
            return
        self._traces += 1
        number = self._traces
        version = record.response.version if record.response else target.version
        head: dict[str, Any] = {"id": number, "model_name": target.model, "model_version": version}
        head["request_id"] = record.request.known_as
        self._pending.append(head)
        if "TIMESTAMPS" in levels:
            self._pending += [
                {"id": number, "timestamps": [{"name": name, "ns": ns}]} for name, ns in _moments(record)
            ]
        if "TENSORS" in levels:
            sides = [("TENSOR_QUEUE_INPUT", record.request.inputs)]
            if record.response is not None:
                sides.append(("TENSOR_BACKEND_OUTPUT", record.response.outputs))
            self._pending += [
                {"id": number, "activity": activity, "tensor": _written(tensor)}
                for activity, tensors in sides
                for tensor in tensors
            ]
        every = int(self._settings.of(target.model)["log_frequency"])
        if every and number % every == 0:
            self._write(self._path.with_name(f"{self._path.name}.{self._files}"))
            self._files += 1
        elif not every and len(self._pending) >= _WRITTEN_AT_ONCE:
            self._write(self._path)

    def close(self) -> None:
        """Write what is left."""
        if self._pending:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        """Put what waits at the end of the list in a file, which is always whole."""
        text = ",\n".join(json.dumps(entry) for entry in self._pending)
        self._pending.clear()
        try:
            if self._begun == path:
                with path.open("r+b") as stream:
                    stream.seek(-2, 2)
                    stream.write(f",\n{text}\n]".encode())
            else:
                path.write_text(f"[\n{text}\n]", encoding="utf-8")
                self._begun = path
        except OSError as error:
            if not self._broken:
                LOGGER.error("traces cannot be written to %s: %s", path, error.strerror)
            self._broken = True


def _moments(record: Record) -> list[tuple[str, int]]:
    """The names that Triton has for what happens to a request, with nanoseconds since 1970."""
    spent = record.timings
    end = int(record.finished_s * 1e9)
    start = end - spent.total_ns
    if record.response is None:
        return [("REQUEST_START", start), ("REQUEST_END", end)]
    output = end - spent.output_ns
    infer = output - spent.infer_ns
    began = infer - spent.input_ns
    return [
        ("REQUEST_START", start),
        ("QUEUE_START", began - spent.queue_ns),
        ("COMPUTE_START", began),
        ("COMPUTE_INPUT_END", infer),
        ("COMPUTE_OUTPUT_START", output),
        ("COMPUTE_END", end),
        ("REQUEST_END", end),
    ]


def _written(tensor: Tensor) -> dict[str, Any]:
    items = tensor.data.reshape(-1)[:_MOST_ELEMENTS].tolist()
    texts = [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in items]
    return {
        "name": tensor.name,
        "data": ",".join(texts),
        "shape": ",".join(map(str, tensor.shape)),
        "dtype": tensor.datatype,
    }
