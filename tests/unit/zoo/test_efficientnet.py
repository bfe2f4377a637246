"""The network that is written from bare weights says what these were trained to say."""

from __future__ import annotations

import numpy as np
import pytest

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
