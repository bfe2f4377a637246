"""Texts and files of texts become vectors of length one, and the nearest of them are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.tasks import texts

ANGLES = {"east": 0.0, "north": 90.0, "north east": 45.0, "west": 180.0}


def embed(words: Sequence[str]) -> Any:
    turns = np.radians([ANGLES[word] for word in words])
    return np.stack([np.cos(turns), np.sin(turns)], 1)


def test_one_list_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one\n\n  two \n", encoding="utf-8")
    assert texts._flat(("zero", file, ["three"], ("four",), 5)) == [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "5",
    ]
    assert texts._flat(("x" * 5000,)) == ["x" * 5000]
    file.write_text("\n")
    for none in ((), (file,), ([],)):
        with pytest.raises(FetchError, match="there are no texts; give some"):
            texts._flat(none)


def test_the_nearest_come_first() -> None:
    found = texts._nearest(embed, "east", ["west", "north", "north east"], chances=False)  # type: ignore[arg-type]
    assert [row["text"] for row in found.data] == ["north east", "north", "west"]
    assert [row["score"] for row in found.data] == pytest.approx([np.sqrt(0.5), 0, -1])
    many = texts._nearest(embed, "east", ["north"] * 12, chances=False)  # type: ignore[arg-type]
    assert len(many.data) == 10


def test_labels_are_chances() -> None:
    found = texts._nearest(embed, "east", ["north", "north east"], chances=True)  # type: ignore[arg-type]
    assert sum(row["score"] for row in found.data) == pytest.approx(1)
    odds = found.data[0]["score"] / found.data[1]["score"]
    assert odds == pytest.approx(np.exp(texts.SHARPNESS * np.sqrt(0.5)))
    assert found.text.splitlines()[0].endswith("100.0%  north east")


def test_vectors_are_shown_and_given_whole() -> None:
    found = texts._embedded(embed, ["east", "north"])  # type: ignore[arg-type]
    assert np.allclose(found.data, [[1, 0], [0, 1]])
    assert found.text.splitlines()[0] == "[1.000, 0.000, ...]  east"


class Tokenizer:
    """A letter is a token; shorter texts are padded."""

    def enable_truncation(self, longest: int) -> None:
        assert longest == texts.LONGEST

    def enable_padding(self) -> None:
        pass

    def encode_batch(self, words: list[str]) -> list[Any]:
        width = max(map(len, words))
        return [
            SimpleNamespace(
                ids=[ord(c) for c in word.ljust(width)],
                attention_mask=[int(at < len(word)) for at in range(width)],
            )
            for word in words
        ]


def test_sentences_are_means_of_what_is_no_padding(
    made_up_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def run(_: Any, feeds: Any) -> list[Any]:
        asked.append(len(feeds["input_ids"]))
        assert not feeds["token_type_ids"].any()
        ids = feeds["input_ids"].astype(np.float32)
        return [np.stack([ids, np.ones_like(ids)], 2)]

    package = SimpleNamespace(Tokenizer=SimpleNamespace(from_file=lambda path: Tokenizer()))
    monkeypatch.setitem(sys.modules, "tokenizers", package)  # type: ignore[arg-type]
    monkeypatch.setattr(texts, "fetch_asset", lambda name: made_up_zoo)
    monkeypatch.setattr(texts, "pull", lambda name: made_up_zoo / name)
    monkeypatch.setattr(texts.sardonyx, "InferenceSession", lambda path: SimpleNamespace(run=run))
    answer = texts.make("embed", "minilm_l6_int8w")("\x01", ["\x01\x03"] * 39)
    assert asked == [32, 8]
    expected = [np.array([mean, 1]) / np.hypot(mean, 1) for mean in (1, 2)]
    np.testing.assert_allclose(answer.data[:2], expected, rtol=1e-6)
    label = texts.make("label", "minilm_l6_int8w")("\x01", ["\x01", "\x7f"])
    assert json.dumps(label.data[0]["text"]) == json.dumps("\x01")


def test_the_package_of_tokenizers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(FetchError, match=r"texts need the package tokenizers; pip install 'sardonyx\[zoo\]'"):
        texts.Sentences("minilm_l6_int8w")
