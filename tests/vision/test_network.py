"""The graphs take any picture: cut, scaled and normalised as said, and a head answers as its numbers say."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from sardonyx.vision.network import BACKBONES, Head, features_model, whole_model
from sardonyx.vision.pictures import NONE

SMALL = BACKBONES["efficientnet_lite0"]
PIXELS = np.random.default_rng(0).integers(0, 255, (50, 80, 3)).astype(np.uint8)


def features(fit: str, pixels: np.ndarray) -> np.ndarray:
    session = sardonyx.InferenceSession(features_model(SMALL, fit).SerializeToString())
    found: np.ndarray = session.run(None, {"picture": np.ascontiguousarray(pixels)})[0]
    return found


@pytest.mark.slow
def test_the_middle_is_cut_out() -> None:
    middle = features("stretch", PIXELS[:, 15:65])
    assert np.allclose(features("crop", PIXELS), middle, atol=1e-5)
    assert not np.allclose(features("stretch", PIXELS), middle, atol=1e-3)
    groups = 1 + len(SMALL.networks[0].maps)
    assert abs(float((middle**2).sum()) - groups) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bias", "most", "several", "label"),
    [
        ((1.0, 2.0), 9.0, False, "b"),
        ((1.0, 2.0), 0.1, False, NONE),
        ((-1.0, -2.0), 9.0, True, NONE),
        ((0.5, -2.0), 9.0, True, "a"),
    ],
)
def test_labels_are_those_of_the_head(
    bias: tuple[float, float], most: float, several: bool, label: str
) -> None:
    size = features("stretch", PIXELS).shape[1]
    zeros = np.zeros((size, 2))
    head = Head(zeros, np.array(bias), np.zeros(size), np.eye(size, 3), most, ("a", "b"), several)
    model = whole_model(SMALL, "stretch", head, {"made": "here"})
    session = sardonyx.InferenceSession(model.SerializeToString())
    said, chances, strangeness = session.run(None, {"picture": PIXELS})
    assert said.tolist() == [label]
    rest = np.linalg.norm(features("stretch", PIXELS)[0, 3:])
    assert abs(strangeness[0] * most - rest) < 1e-4
    expected = 1 / (1 + np.exp(-np.array(bias))) if several else np.exp(bias) / np.exp(bias).sum()
    assert np.allclose(chances[0], expected, atol=1e-6)
    assert session.get_modelmeta().custom_metadata_map["labels"] == '["a", "b"]'
