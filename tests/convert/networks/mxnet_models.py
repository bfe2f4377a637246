"""Small networks of MXNet, saved as symbols and parameters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mxnet
from mxnet.gluon import nn


def pictures() -> Any:
    network = nn.HybridSequential()
    network.add(nn.Conv2D(8, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D())
    network.add(nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(4))
    return network


def rows() -> Any:
    network = nn.HybridSequential()
    network.add(nn.Dense(16, activation="tanh"), nn.LayerNorm(), nn.Dense(3))
    return network


if __name__ == "__main__":
    mxnet.random.seed(0)
    for make, shape in ((pictures, (1, 3, 16, 16)), (rows, (1, 5))):
        network = make()
        network.initialize(mxnet.init.Xavier())
        network.hybridize()
        network(mxnet.nd.random.normal(shape=shape))
        folder = Path(sys.argv[1]) / make.__name__
        folder.mkdir()
        network.export(str(folder / "net"))
