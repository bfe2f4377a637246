"""The file of a detector says what its head says in double precision, of pictures of any size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import sardonyx
from sardonyx.vision.boxes.heads import seen
from sardonyx.vision.boxes.maps import Maps
from sardonyx.vision.boxes.network import NETWORKS, Head, whole_model

NETWORK = NETWORKS["efficientnet_lite0"]
WIDTHS = (40, 112, 320)


def head() -> Head:
    random = np.random.default_rng(0)
    weights, sides = random.normal(0, 2, (sum(WIDTHS), 3)), random.normal(0, 0.3, (sum(WIDTHS), 4))
    return Head(weights, np.zeros(3), sides, np.full(4, -2.0), WIDTHS, 0.6, ("cat", "dog"))


@pytest.mark.slow
def test_boxes_are_those_of_the_head() -> None:
    made, maps = head(), Maps(NETWORK)
    model = whole_model(NETWORK, made, {"made": "here"})
    session = sardonyx.InferenceSession(model.SerializeToString())
    assert session.get_modelmeta().custom_metadata_map["labels"] == '["cat", "dog"]'
    for height, width in ((320, 320), (97, 210), (700, 333)):
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
        boxes, labels, scores, classes = session.run(None, {"picture": pixels})
        expected = seen(made, maps.of_pixels(pixels))
        assert len(boxes) == len(expected.kinds) > 0
        np.testing.assert_allclose(scores, expected.scores, atol=1e-5)
        np.testing.assert_allclose(boxes, expected.corners * [width, height, width, height], atol=0.05)
        assert labels.tolist() == [made.classes[kind] for kind in classes]
        assert classes.tolist() == expected.kinds.tolist()


@pytest.mark.slow
def test_nothing_is_an_answer() -> None:
    model = whole_model(NETWORK, dataclasses.replace(head(), least=1.0), {})
    session = sardonyx.InferenceSession(model.SerializeToString())
    answers = session.run(None, {"picture": np.zeros((50, 60, 3), np.uint8)})
    assert [answer.shape for answer in answers] == [(0, 4), (0,), (0,), (0,)]
