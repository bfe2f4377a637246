"""The network that is written from bare weights says what these were trained to say."""

from __future__ import annotations

import numpy as np
import pytest

import sardonyx
from sardonyx import zoo
from sardonyx.zoo.efficientnet import _strides
from sardonyx.zoo.fetch import fetch_asset


def test_stages_begin_where_channels_change() -> None:
    outs = (16, 24, 24, 40, 80, 112, 192, 320)
    known = {f"_blocks.{at}._project_conv.weight": np.zeros((out, 1, 1, 1)) for at, out in enumerate(outs)}
    assert _strides(known, len(outs)) == [1, 2, 1, 2, 2, 1, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_pictures_are_known(name: str) -> None:
    classify = zoo.pipeline("classify", name)
    for picture, label in (("coffee.png", "espresso"), ("chelsea.png", "Egyptian cat")):
        rows = classify(fetch_asset(picture, quiet=True)).data
        assert rows[0]["label"] == label and rows[0]["probability"] > 0.4


# Every hundredth logit of efficientnet-lite-pytorch 0.1.0 on torch 2.13.0, of the same weights.
OF_TORCH = {
    ("efficientnet_lite0", 224): (
        *(-1.57058, -0.09508, -0.08502, -0.7442, -0.3474),
        *(-1.33059, 1.67347, 0.23394, -0.05545, 2.59523),
    ),
    ("efficientnet_lite2", 260): (
        *(-0.28056, -0.18942, -1.3018, -0.29307, -0.32635),
        *(-1.01641, 2.94364, 0.90756, 0.03828, 0.06351),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), OF_TORCH)
def test_logits_are_those_of_the_framework(name: str, side: int) -> None:
    places = np.arange(3 * side * side, dtype=np.float64)
    picture = np.sin(places**1.3 / 1000).reshape(1, 3, side, side).astype(np.float32)
    session = sardonyx.InferenceSession(str(zoo.pull(name, quiet=True)))
    (logits,) = session.run(["logits"], {"picture": picture})
    assert np.abs(logits[0, ::100] - OF_TORCH[name, side]).max() < 5e-5
