"""Small chains of Chainer."""

from __future__ import annotations

from typing import Any

import chainer
import numpy as np
from chainer import functions as F  # noqa: N812
from chainer import links


class Pictures(chainer.Chain):
    """Convolution, normalisation, linear."""

    def __init__(self) -> None:
        super().__init__()
        with self.init_scope():
            self.convolution = links.Convolution2D(3, 8, 3, pad=1)
            self.norm = links.BatchNormalization(8)
            self.linear = links.Linear(8 * 64, 4)

    def forward(self, image: Any) -> Any:
        hidden = F.max_pooling_2d(F.relu(self.norm(self.convolution(image))), 2)
        return F.softmax(self.linear(F.reshape(hidden, (hidden.shape[0], -1))))


class Rows(chainer.Chain):
    """A perceptron."""

    def __init__(self) -> None:
        super().__init__()
        with self.init_scope():
            self.first, self.second = links.Linear(5, 16), links.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        return self.second(F.tanh(self.first(x)))


def pictures() -> Any:
    np.random.seed(0)
    return Pictures(), np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)


def rows() -> Any:
    np.random.seed(0)
    return Rows(), np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
