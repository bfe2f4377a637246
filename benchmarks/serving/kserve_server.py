"""kserve.ModelServer over the same engine; run by the Python of an environment that has kserve.

python kserve_server.py HTTP_PORT GRPC_PORT NAME=MODEL ...
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

import sardonyx

KINDS = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}


class Served(Model):  # type: ignore[misc]
    """One model."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.session = sardonyx.InferenceSession(path)
        self.ready = True

    def predict(
        self, payload: InferRequest, headers: Any = None, response_headers: Any = None
    ) -> InferResponse:
        """Run it."""
        feeds = {tensor.name: np.ascontiguousarray(tensor.as_numpy()) for tensor in payload.inputs}
        results = self.session.run(None, feeds)
        outputs = []
        for argument, value in zip(self.session.get_outputs(), results, strict=True):
            output = InferOutput(argument.name, list(value.shape), KINDS[str(value.dtype)])
            output.set_data_from_numpy(value, binary_data=payload.from_grpc or payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            payload.id or "1", self.name, outputs, use_binary_outputs=payload.use_binary_outputs
        )


if __name__ == "__main__":
    http_port, grpc_port = int(sys.argv[1]), int(sys.argv[2])
    models = [Served(*part.split("=", 1)) for part in sys.argv[3:]]
    sys.argv = sys.argv[:1]
    ModelServer(
        http_port=http_port, grpc_port=grpc_port, workers=1, enable_docs_url=False, access_log_format=None
    ).start(models)
