"""Answers are read as a person would: what is a label, a box, a picture, a text, and what is none."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.gateway.console.answer import read
from sardonyx.gateway.console.boxes import boxes_of
from sardonyx.gateway.console.pictures import layout_of, tensor_of
from sardonyx.protocol.errors import ServeError
from sardonyx.serve.signature import Port
from tests.monitor.records import tensor

RNG = np.random.default_rng(2)


def cards(
    labels: list[str] | None = None, picture: tuple[int, int] | None = None, **outputs: Any
) -> list[Any]:
    return read([tensor(name, data) for name, data in outputs.items()], lambda _: labels or [], picture)


def test_probabilities_are_ranked_with_their_labels() -> None:
    (card,) = cards(["a", "b", "c"], y=np.array([[0.2, 0.7, 0.1]], np.float32))
    assert card.kind == "ranking" and not card.note
    assert [(row["label"], round(row["share"], 3)) for row in card.facts["rows"]] == [
        ("b", 0.7),
        ("a", 0.2),
        ("c", 0.1),
    ]


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1, 2, -50, 800]], np.float32),
        np.log(np.array([[0.7, 0.1, 0.1, 0.1]])),
        np.full((1, 4), np.nan),
    ],
)
def test_scores_become_shares_of_one(values: Any) -> None:
    (card,) = cards(y=values)
    shares = [row["share"] for row in card.facts["rows"]]
    assert all(0 <= share <= 1 for share in shares) and shares == sorted(shares, reverse=True)


def test_a_label_beside_its_ranking_is_said_once() -> None:
    found = cards(["no", "yes"], label=np.array([1]), chances=np.array([[0.1, 0.9]], np.float32))
    assert [card.kind for card in found] == ["ranking"]
    (card,) = cards(["no", "yes"], label=np.array([1]))
    assert card.kind == "single" and card.facts["value"] == "yes"


def test_embeddings_are_no_rankings_and_batches_are_tables() -> None:
    assert cards(y=RNG.normal(0, 1, (1, 384)).astype(np.float32))[0].kind == "summary"
    (card,) = cards(["a", "b"], y=RNG.random((30, 2)).astype(np.float32))
    assert card.kind == "table" and card.facts["head"] == ["a", "b"] and card.facts["more"] == 10


def test_texts_are_texts() -> None:
    (card,) = cards(y=np.array([b"hello", "grüße".encode(), b"\xff"], object))
    assert card.facts["texts"] == ["hello", "grüße", "\ufffd"]


@pytest.mark.parametrize("shape", [(1, 3, 16, 20), (1, 16, 20, 3), (1, 1, 16, 20), (1, 1, 33, 40)])
def test_pictures_are_pictures(shape: tuple[int, ...]) -> None:
    (card,) = cards(y=RNG.random(shape).astype(np.float32))
    assert card.kind == "picture"
    image = Image.open(io.BytesIO(base64.b64decode(card.facts["url"].partition(",")[2])))
    assert image.size == (card.facts["width"], card.facts["height"])


def test_maps_of_classes_are_coloured() -> None:
    scores = np.zeros((1, 5, 16, 16), np.float32)
    scores[0, 3, :8] = 1
    (card,) = cards(["sky", "road", "car", "tree", "dog"], y=scores)
    assert card.kind == "picture" and card.note == "sky, tree"


@pytest.mark.parametrize(
    "data", [np.zeros((0, 4), np.float32), np.zeros((2, 0)), np.array(5), np.array([True])]
)
def test_odd_outputs_are_shown_somehow(data: Any) -> None:
    assert len(cards(y=data)) == 1
    assert cards(y=data, picture=(10, 10))


def test_boxes_of_separate_outputs_in_pixels() -> None:
    outputs = {
        "boxes": np.array([[10, 20, 50, 60], [0, 0, 5, 5]], np.float32),
        "scores": np.array([0.9, 0.1], np.float32),
        "labels": np.array([2, 0]),
    }
    found = boxes_of(outputs, 100, 200)
    assert found is not None
    (box,) = found
    assert (box.left, box.top, box.width, box.height, box.kind) == pytest.approx((0.1, 0.1, 0.4, 0.2, 2))


@pytest.mark.parametrize("form", ["columns", "rows", "final"])
def test_boxes_of_one_output(form: str) -> None:
    count, classes = 300, 4
    table = np.zeros((count, 4 + classes), np.float32)
    table[0] = [50, 50, 20, 40, 0.1, 0.8, 0, 0]
    table[1] = [51, 50, 20, 40, 0.1, 0.7, 0, 0]
    table[2] = [20, 20, 10, 10, 0, 0, 0.6, 0]
    if form == "columns":
        array = table.T[None]
    elif form == "rows":
        array = np.concatenate([table[:, :4], np.ones((count, 1), np.float32), table[:, 4:]], 1)[None]
    else:
        array = np.array([[40, 30, 60, 70, 0.8, 1], [15, 15, 25, 25, 0.6, 2], [0, 0, 0, 0, 0, 0]], np.float32)
    found = boxes_of({"out": array}, 100, 100)
    assert found is not None
    assert [(round(b.left, 2), round(b.top, 2), b.kind) for b in found] == [(0.4, 0.3, 1), (0.15, 0.15, 2)]


def test_scores_of_six_classes_are_no_box() -> None:
    assert boxes_of({"y": RNG.random((1, 6)).astype(np.float32)}, 10, 10) is None
    assert cards(y=RNG.random((1, 6)).astype(np.float32), picture=(10, 10))[0].kind == "ranking"


@pytest.mark.parametrize(
    ("dims", "axis", "channels"),
    [
        ((1, 3, 8, 8), 1, 3),
        (("N", 8, 8, 3), 3, 3),
        ((3, 8, 8), 0, 3),
        ((1, 1, None, None), 1, 1),
        ((8, 8, 1), 2, 1),
    ],
)
def test_layouts_of_pictures(dims: tuple[Any, ...], axis: int, channels: int) -> None:
    layout = layout_of(Port("x", "FP32", dims))
    assert layout is not None and (layout.channel_axis, layout.channels) == (axis, channels)


@pytest.mark.parametrize("dims", [(1, 4), (1, 16, 8, 8), (2, 3, 8, 8), (1, 3, 2, 2), ("N",), (1, 5, 5, 5)])
def test_other_shapes_are_no_pictures(dims: tuple[Any, ...]) -> None:
    assert layout_of(Port("x", "FP32", dims)) is None


def test_pixels_become_tensors() -> None:
    pixels = RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    layout = layout_of(Port("x", "FP32", (1, 3, 4, 6)))
    assert layout is not None
    raw = tensor_of(pixels.tobytes(), 6, 4, layout, np.float32, "raw", "rgb")
    assert raw.shape == (1, 3, 4, 6) and np.array_equal(raw[0].transpose(1, 2, 0), pixels)
    swapped = tensor_of(pixels.tobytes(), 6, 4, layout, np.float32, "unit", "bgr")
    assert np.allclose(swapped[0, 0], pixels[..., 2] / 255)
    for broken in ((pixels.tobytes()[:-1], 6, 4), (pixels.tobytes(), 4, 6), (b"", 0, 0)):
        with pytest.raises(ServeError):
            tensor_of(*broken, layout, np.float32, "raw", "rgb")
