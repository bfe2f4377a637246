"""Small models of Keras 3: convolutions, a recurrent layer over texts, two inputs, and a Lambda layer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
from keras import layers


def pictures() -> Any:
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def texts() -> Any:
    return keras.Sequential(
        [keras.Input((12,), dtype="int32"), layers.Embedding(50, 8), layers.GRU(6), layers.Dense(2)]
    )


def two() -> Any:
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    hidden = layers.Dense(6, activation="gelu")(layers.Concatenate()([a, b]))
    return keras.Model([a, b], [layers.Dense(2, name="left")(hidden), layers.Dense(1, name="right")(hidden)])


def strange() -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x * 2)])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(0)
    for make in (pictures, texts, two, strange):
        make().save(folder / f"{make.__name__}.keras")
    pictures().save(folder / "pictures.h5")
