"""A runtime of MLServer over the same engine; for `mlserver start FOLDER` in an environment that has it."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

import sardonyx


class Served(MLModel):  # type: ignore[misc]
    """One model."""

    async def load(self) -> bool:
        """Open it."""
        self.session = sardonyx.InferenceSession(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run it."""
        feeds = {
            tensor.name: np.ascontiguousarray(NumpyCodec.decode_input(tensor)) for tensor in payload.inputs
        }
        results = self.session.run(None, feeds)
        outputs = [
            NumpyCodec.encode_output(argument.name, value)
            for argument, value in zip(self.session.get_outputs(), results, strict=True)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
