"""Feeds of pictures have the layout and range of values of the models' own pre-processing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.zoo import vision
from sardonyx.zoo.vision import MAKERS, centred, imagenet, picture, planes

RANGES = {
    "efficientnet_lite0": (-1, 1),
    "espcn_resize": (0, 1),
    "isnet_fp16": (-0.5, 0.5),
    "lcnet_orientation": (-2.2, 2.7),
    "mnist_cntk": (0, 255),
    "mtcnn_rnet": (-1, 1),
    "ppocrv4_rec": (-1, 1),
    "yolox_ddddocr_det": (0, 255),
}


def test_pictures_are_cropped_scaled_and_converted(made_up_zoo: Path) -> None:
    whole = picture("chelsea.png", 10, 20)
    assert whole.shape == (10, 20, 3) and whole.dtype == np.float32
    assert picture("page.png", 5, 6, (0, 0, 10, 10), "L").shape == (5, 6, 1)
    assert picture("page.png", 5, 6, (0, 0, 10, 10)).max() < picture("page.png", 5, 6).max()


def test_all_parts_of_a_picture_are_of_one_decoded_once(made_up_zoo: Path) -> None:
    vision._decoded.cache_clear()
    parts = [picture("page.png", 5, 5, (at, 0, at + 5, 5)) for at in range(0, 20, 5)]
    assert vision._decoded.cache_info().misses == 1
    assert np.array_equal(np.concatenate(parts, 1), picture("page.png", 5, 20, (0, 0, 20, 5)))


def test_layouts() -> None:
    image = np.zeros((2, 3, 3), np.float32)
    image[:, :, 0] = 255
    assert planes(image).shape == (1, 3, 2, 3)
    np.testing.assert_array_equal(centred(image)[0, :, 0, 0], [-1, -1, 1])
    expected = (np.array([1, 0, 0]) - vision.IMAGENET_MEAN) / vision.IMAGENET_STD
    np.testing.assert_allclose(imagenet(image)[0, :, 1, 2], expected, rtol=1e-6)


@pytest.mark.parametrize("name", RANGES)
def test_values_are_in_range(name: str, made_up_zoo: Path) -> None:
    low, high = RANGES[name]
    (array,) = MAKERS[name].make().values()
    assert array.dtype == np.float32 and low - 0.02 <= array.min() < array.max() <= high + 0.02


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_model_can_be_fed_at_all_sizes(name: str, made_up_zoo: Path) -> None:
    shapes = []
    for sizes in MAKERS[name].sizes:
        (array,) = MAKERS[name].make(**sizes).values()
        assert array.ndim == 4 and array.flags.c_contiguous
        assert array.shape[0] == sizes.get("batch", array.shape[0])
        shapes.append(array.shape)
    assert len(set(shapes)) == len(shapes)


def test_faces_are_cut_out_at_random_places(made_up_zoo: Path) -> None:
    (crops,) = MAKERS["mtcnn_onet"].make(batch=4).values()
    assert crops.shape == (4, 48, 48, 3) and len({crop.tobytes() for crop in crops}) == 4
