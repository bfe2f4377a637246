"""What one writes oneself: a FastAPI application over the same engine.

    python plain.py PORT NAME=MODEL ...

JSON goes through a model of the request, binary bodies hold the tensors one after the other.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

import sardonyx

application = FastAPI()
sessions = {
    name: sardonyx.InferenceSession(path) for name, path in (part.split("=", 1) for part in sys.argv[2:])
}
KINDS = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}


class Inputs(BaseModel):
    """Tensors by name, as nested lists."""

    inputs: dict[str, list[Any]]


@application.post("/predict/{name}")
def predict(name: str, body: Inputs) -> dict[str, Any]:
    """Run a model on JSON."""
    session = sessions[name]
    feeds = {a.name: np.array(body.inputs[a.name], KINDS[a.type]) for a in session.get_inputs()}
    outputs = session.run(None, feeds)
    return {a.name: value.tolist() for a, value in zip(session.get_outputs(), outputs, strict=True)}


@application.post("/binary/{name}")
async def binary(name: str, request: Request) -> Response:
    """Run a model on bytes; free sizes are 1."""
    session, body, start, feeds = sessions[name], await request.body(), 0, {}
    for a in session.get_inputs():
        shape = [size if isinstance(size, int) else 1 for size in a.shape]
        count, kind = int(np.prod(shape)), np.dtype(KINDS[a.type])
        feeds[a.name] = np.frombuffer(body, kind, count, start).reshape(shape)
        start += count * kind.itemsize
    outputs = session.run(None, feeds)
    return Response(b"".join(value.tobytes() for value in outputs), media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run(application, port=int(sys.argv[1]), log_level="warning", access_log=False)
