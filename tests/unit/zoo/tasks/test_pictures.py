"""Pictures are prepared as each network learned them, and its answer is told in probabilities."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.tasks import images, pictures

RED = Image.new("RGB", (60, 40), (255, 0, 0))


class Session:
    """Answers the same every time; `fed` is what it was asked."""

    def __init__(self, answer: Any, kind: str = "tensor(float)") -> None:
        self.answer, self.kind, self.fed = answer, kind, None

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", type=self.kind)]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="mask"), SimpleNamespace(name="other")]

    def run(self, names: Any, feeds: Any) -> list[Any]:
        assert names in (None, ["mask"])
        self.fed = feeds["x"]
        return [np.asarray(self.answer, np.float32)]


def test_layouts() -> None:
    assert pictures._upright(RED).shape == (1, 3, 224, 224)
    assert pictures._nsfw(RED).shape == (1, 224, 224, 3)
    np.testing.assert_array_equal(pictures._nsfw(RED)[0, 0, 0], [-104, -117, 255 - 123])
    np.testing.assert_array_equal(pictures._thing(8)(RED)[0, :, 0, 0], [1, -127 / 128, -127 / 128])


def test_digits_are_white_on_black() -> None:
    black = pictures._digit(Image.new("L", (9, 9), 0).convert("RGB"))
    white = pictures._digit(Image.new("L", (9, 9), 255).convert("RGB"))
    assert black.shape == (1, 1, 28, 28) and not black.any() and not white.any()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [([0.25, 0.75], [0.25, 0.75]), ([np.log(1), np.log(3)], [0.25, 0.75]), ([-1000, 1000], [0, 1])],
)
def test_answers_are_probabilities(answer: Any, expected: list[float]) -> None:
    found = pictures._classified(Session([answer]), np.zeros(1), ("cat", "dog"))
    assert [row["label"] for row in found.data] == ["dog", "cat"]
    assert [row["probability"] for row in found.data] == pytest.approx(expected[::-1])
    assert found.text.splitlines()[0] == f"{expected[1]:>6.1%}  dog"


@pytest.mark.parametrize("kind", ["tensor(float)", "tensor(float16)"])
def test_the_foreground_is_cut_out(kind: str) -> None:
    mask = np.zeros((1, 1, 40, 60))
    mask[0, 0, 10:20, 15:45] = 1
    session = Session(mask, kind)
    found = pictures._segmented(session, RED)
    assert session.fed.shape == (1, 3, 1024, 1024) and session.fed.dtype == np.dtype(
        "f2" if "16" in kind else "f4"
    )
    assert found.data == {"part": pytest.approx(300 / 2400), "box": [15, 10, 44, 19]}
    assert found.picture.mode == "RGBA" and found.picture.getpixel((0, 0))[3] == 0
    assert found.picture.getpixel((20, 15)) == (255, 0, 0, 255)
    assert pictures._segmented(Session(0 * mask), RED).data == {"part": 0, "box": []}


def test_names_of_things(made_up_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_up_zoo / "assets"
    (folder / "imagenet_lemmas.txt").write_text("n2\tcat, house cat\nn1\tdog\n", encoding="utf-8")
    (folder / "imagenet_synsets.txt").write_text("n1\nn2\n", encoding="utf-8")
    monkeypatch.setattr(pictures, "fetch_asset", lambda name: folder / name)
    assert pictures._things() == ("dog", "cat")


def test_a_pipeline_reads_classifies_and_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session([[0.1, 0.2, 0.3, 0.4]])
    monkeypatch.setattr(pictures, "pull", lambda name: tmp_path / name)
    monkeypatch.setattr(pictures.sardonyx, "InferenceSession", lambda path: session)
    classify = pictures.make("classify", "lcnet_orientation")
    assert classify(RED).data[0]["label"] == "turned by 270"
    (tmp_path / "words").write_text("no picture")
    with pytest.raises(FetchError, match="words is not a picture"):
        classify(tmp_path / "words")
    session.answer = np.zeros((1, 1, 4, 4))
    assert "0.0% of the picture is foreground" in pictures.make("segment", "isnet_fp16")(RED).text


def test_what_reads_pictures_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(FetchError, match=r"pictures need the package pillow; pip install 'sardonyx\[zoo\]'"):
        images.opened("x.png")
