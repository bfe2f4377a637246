"""Finished requests as the data plane would hand them to an observer."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Context, InferRequest, InferResponse, Tensor, Timings
from sardonyx.serve.seams import Record, Route, Target

DATATYPES = {
    "f4": "FP32",
    "f8": "FP64",
    "i8": "INT64",
    "i4": "INT32",
    "u1": "UINT8",
    "b1": "BOOL",
    "O": "BYTES",
}


def tensor(name: str, data: Any) -> Tensor:
    array = np.asarray(data)
    kind = "O" if array.dtype.kind == "O" else array.dtype.str[1:]
    return Tensor(name, DATATYPES[kind], array.shape, array)


def record(
    inputs: dict[str, Any] | None = None,
    outputs: dict[str, Any] | None = None,
    *,
    model: str = "m",
    version: str = "1",
    deployment: str = "",
    id: str = "",
    code: Code | None = None,
    total_ns: int = 1_000_000,
    batch_rows: int = 0,
    finished_s: float | None = None,
    transport: str = "http",
    shadow_of: str = "",
    headers: dict[str, str] | None = None,
) -> Record:
    """A record; with `code` a failed one."""
    request = InferRequest(
        model,
        [tensor(name, data) for name, data in (inputs or {}).items()],
        version,
        id,
        context=Context(transport, headers or {}),
    )
    answer = [tensor(name, data) for name, data in (outputs or {"y": np.zeros((1, 2), np.float32)}).items()]
    part = total_ns // 4
    return Record(
        request,
        Route(Target(model, version, deployment)),
        None if code else InferResponse(model, version, answer, id),
        ServeError(code, "refused") if code else None,
        Timings(part, part, part, part, total_ns, rows=0, batch_rows=batch_rows),
        time.time() if finished_s is None else finished_s,
        shadow_of,
    )
