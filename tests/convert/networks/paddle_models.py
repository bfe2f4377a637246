"""Small layers of PaddlePaddle, saved as inference programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import paddle
from paddle import nn


class Pictures(nn.Layer):
    """Convolution, normalisation, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2D(3, 8, 3, padding=1), nn.BatchNorm2D(8)
        self.linear = nn.Linear(8, 4)

    def forward(self, image: Any) -> Any:
        hidden = nn.functional.hardswish(self.norm(self.convolution(image)))
        return nn.functional.softmax(self.linear(hidden.mean([2, 3])))


class Words(nn.Layer):
    """An embedding and an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(50, 8), nn.LSTM(8, 6)

    def forward(self, ids: Any) -> Any:
        return self.lstm(self.embed(ids))[0]


if __name__ == "__main__":
    paddle.seed(0)
    for layer, shape, dtype in ((Pictures(), [None, 3, 16, 16], "float32"), (Words(), [None, 12], "int64")):
        layer.eval()
        name = type(layer).__name__.lower()
        spec = paddle.static.InputSpec(shape, dtype, name="x")
        paddle.jit.save(layer, str(Path(sys.argv[1]) / name / "inference"), [spec])
