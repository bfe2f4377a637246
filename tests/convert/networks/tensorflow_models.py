"""Small models of TensorFlow 2.15: SavedModels, Keras 2 files and TensorFlow Lite, one of them quantised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

RANDOM = np.random.default_rng(0)


def pictures() -> Any:
    """Convolutions with free batch."""
    return tf.keras.Sequential(
        [
            tf.keras.Input((16, 16, 3)),
            tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            tf.keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.GlobalAveragePooling2D(),
            tf.keras.layers.Dense(4, activation="softmax"),
        ]
    )


class Scorer(tf.Module):
    """A function of two inputs with two named answers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(RANDOM.normal(size=(5, 3)).astype(np.float32))

    @tf.function(
        input_signature=[tf.TensorSpec([None, 5], name="x"), tf.TensorSpec([None], tf.int32, name="n")]
    )
    def score(self, x: Any, n: Any) -> dict[str, Any]:
        scores = tf.matmul(x, self.weight)
        return {"scores": scores, "best": tf.argmax(scores, 1) + tf.cast(n, tf.int64)}


def samples() -> Iterator[list[Any]]:
    for _ in range(20):
        yield [RANDOM.normal(size=(1, 16, 16, 3)).astype(np.float32)]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tf.keras.utils.set_random_seed(0)
    network = pictures()
    network.save(folder / "pictures.h5")
    network.export(str(folder / "pictures_saved"))
    scorer = Scorer()
    tf.saved_model.save(scorer, str(folder / "scorer_saved"), signatures=scorer.score)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    (folder / "float.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (folder / "uint8.tflite").write_bytes(converter.convert())
