"""Feeds made of pictures: a cat, an astronaut, a cup of coffee and a photographed page of print."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.maker import Array, Feeds, Maker, dice, repeated

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[int, int, int, int]
TITLE: Box = (0, 8, 260, 36)  # "Region-based segmentation" on the page: left, top, right, bottom
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
CAFFE_MEAN_BGR = np.array([104, 117, 123], np.float32)
CONSTANT_WEIGHT_NETS = (
    "bvlc_alexnet densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet vgg19 zfnet512"
)


def picture(name: str, height: int, width: int, box: Box | None = None, mode: str = "RGB") -> Array:
    """The asset, cropped to `box` and scaled: float32 [height, width, channels], 0 to 255."""
    from PIL import Image

    image = _decoded(catalog().assets[name].path, mode)
    image = (image.crop(box) if box else image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32).reshape(height, width, -1)


@cache
def _decoded(path: Path, mode: str) -> Image.Image:
    """A picture, decoded once: a batch may be made of a hundred of its parts."""
    from PIL import Image

    with Image.open(path) as file:
        return file.convert(mode)


def planes(image: Array) -> Array:
    """[h, w, c] -> [1, c, h, w]"""
    return np.ascontiguousarray(np.moveaxis(image, -1, 0)[None], np.float32)


def imagenet(image: Array) -> Array:
    """Normalised by the ImageNet mean and deviation: [1, 3, h, w]."""
    return planes((image / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def centred(image: Array) -> Array:
    """Scaled to -1..1, blue first: [1, c, h, w]."""
    return planes(image[:, :, ::-1] / 127.5 - 1)


def _thing(side: int, batch: int = 1) -> Feeds:
    return {"picture": repeated(planes((picture("chelsea.png", side, side) - 127) / 128), batch)}


def _thin_resnet(batch: int = 1) -> Feeds:
    image = picture("chelsea.png", 256, 256)[16:240, 16:240, ::-1] - CAFFE_MEAN_BGR
    return {"input:0": repeated(np.ascontiguousarray(image[None], np.float32), batch)}


def _orientation(batch: int = 1) -> Feeds:
    return {"x": repeated(imagenet(picture("page.png", 224, 224)), batch)}


def _faces(height: int = 256, width: int = 256, batch: int = 1) -> Feeds:
    image = (picture("astronaut.png", height, width) - 127.5) / 128
    return {"input_1": repeated(image[None].astype(np.float32), batch)}


def _face_crops(name: str, side: int, batch: int = 16) -> Feeds:
    random = dice(0)
    crops = []
    for _ in range(batch):
        extent = int(random.integers(40, 200))
        left, top = (int(v) for v in random.integers(0, 512 - extent, 2))
        crops.append(picture("astronaut.png", side, side, (left, top, left + extent, top + extent)))
    return {name: ((np.stack(crops) - 127.5) / 128).astype(np.float32)}


def _coffee(name: str, side: int) -> Feeds:
    return {name: planes(picture("coffee.png", side, side) / 255)}


def _digit() -> Feeds:
    """A seven, drawn with two strokes."""
    image = np.zeros((1, 1, 28, 28), np.float32)
    image[0, 0, 5:8, 6:22] = 255
    for row in range(8, 24):
        left = 19 - (row - 8) // 2
        image[0, 0, row, left : left + 3] = 230
    return {"Input3": image}


def _letterbox() -> Feeds:
    side, height, width = 416, 206, 416
    canvas = np.full((side, side, 3), 114, np.float32)
    canvas[:height, :width] = picture("page.png", height, width)
    return {"images": planes(canvas[:, :, ::-1])}


def _layout() -> Feeds:
    return {"image": imagenet(picture("page.png", 800, 608))}


def _foreground() -> Feeds:
    return {"input": planes((picture("chelsea.png", 1024, 1024) - 128) / 256)}


def _text_detector(height: int = 448, width: int = 896, batch: int = 1) -> Feeds:
    return {"x": repeated(centred(picture("page.png", height, width)), batch)}


def _text_line(height: int = 48, width: int = 320, batch: int = 1) -> Feeds:
    return {"x": repeated(centred(picture("page.png", height, width, TITLE)), batch)}


def _grey_line(width: int = 512) -> Feeds:
    return {"input1": planes(picture("page.png", 64, width, TITLE, "L") / 127.5 - 1)}


def _ramp(name: str) -> Feeds:
    """The input that the authors of these nets with constant weights prescribe."""
    count = 3 * 224 * 224
    return {name: (np.arange(count, dtype=np.float32) / count).reshape(1, 3, 224, 224)}


_BATCHES = ({"batch": 1}, {"batch": 3})
_LINES = ({"width": 320}, {"width": 640, "batch": 2}, {"width": 480, "batch": 3})

MAKERS = {
    "efficientnet_lite0": Maker(partial(_thing, 224), _BATCHES),
    "efficientnet_lite2": Maker(partial(_thing, 260), _BATCHES),
    "opennsfw_resnet50_thin": Maker(_thin_resnet, _BATCHES),
    "lcnet_orientation": Maker(_orientation, _BATCHES),
    "mtcnn_pnet": Maker(_faces, ({}, {"height": 128, "width": 192}, {"height": 61, "width": 75, "batch": 2})),
    "mtcnn_rnet": Maker(partial(_face_crops, "input_2", 24), ({"batch": 64}, {"batch": 1}, {"batch": 7})),
    "mtcnn_onet": Maker(partial(_face_crops, "input_3", 48), ({"batch": 16}, {"batch": 1}, {"batch": 5})),
    "espcn_subpixel": Maker(partial(_coffee, "input", 4)),
    "espcn_resize": Maker(partial(_coffee, "onnx::Relu_0", 128)),
    "mnist_cntk": Maker(_digit),
    "yolox_ddddocr_det": Maker(_letterbox),
    "picodet_layout_cdla": Maker(_layout),
    "isnet_fp16": Maker(_foreground),
    "isnet_uint8": Maker(_foreground),
    "ppocrv4_det": Maker(
        _text_detector, ({}, {"height": 224, "width": 320}, {"height": 160, "width": 256, "batch": 2})
    ),
    "ppocrv4_rec": Maker(_text_line, _LINES),
    "ppocrv2_cls": Maker(partial(_text_line, 48, 192), _BATCHES),
    "ddddocr_crnn": Maker(_grey_line, ({"width": 512}, {"width": 160})),
    "ddddocr_crnn_int8": Maker(_grey_line, ({"width": 512}, {"width": 160})),
    **{
        f"light_{net}": Maker(
            partial(_ramp, "gpu_0/data_0" if net in ("resnet50", "shufflenet", "zfnet512") else "data_0")
        )
        for net in CONSTANT_WEIGHT_NETS.split()
    },
}
