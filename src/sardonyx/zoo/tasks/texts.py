"""Tasks on meaning: vectors of sentences, the nearest lines of a file, the label that fits a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sardonyx
from sardonyx.zoo.asking import FetchError
from sardonyx.zoo.catalog import catalog
from sardonyx.zoo.fetch import fetch_asset
from sardonyx.zoo.maker import Array
from sardonyx.zoo.pull import pull
from sardonyx.zoo.tasks.answer import Answer, percent

TOKENIZER = "minilm_tokenizer.json"
LONGEST, TOGETHER = 256, 32
SHARPNESS = 20.0


def make(task: str, model: str) -> Callable[..., Answer]:
    """The pipeline of a task: `embed(texts)`, `search(query, texts)`, `label(text, labels)`."""
    embed = Sentences(model)
    if task == "embed":
        return lambda *texts: _embedded(embed, _flat(texts))
    return lambda text, *others: _nearest(embed, text, _flat(others), chances=task == "label")


class Sentences:
    """Texts to vectors of length 1."""

    def __init__(self, model: str) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise FetchError("texts need the package tokenizers; pip install 'sardonyx[zoo]'") from error
        fetch_asset(TOKENIZER)
        self.tokenizer = Tokenizer.from_file(str(catalog().assets[TOKENIZER].path))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()
        self.session = sardonyx.InferenceSession(str(pull(model)))

    def __call__(self, texts: Sequence[str]) -> Array:
        """float32 [n, width]"""
        parts = [self._vectors(texts[at : at + TOGETHER]) for at in range(0, len(texts), TOGETHER)]
        return np.concatenate(parts)

    def _vectors(self, texts: Sequence[str]) -> Array:
        rows = self.tokenizer.encode_batch(list(texts))
        mask = np.array([row.attention_mask for row in rows], np.int64)
        feeds = {
            "input_ids": np.array([row.ids for row in rows], np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        (hidden,) = self.session.run(None, feeds)
        mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        vectors: Array = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return vectors


def _flat(texts: Sequence[Any]) -> list[str]:
    """Texts, lists of them, and files of a line each, as one list."""
    flat: list[str] = []
    for text in texts:
        if isinstance(text, list | tuple):
            flat += text
        elif len(str(text)) < 1000 and Path(str(text)).is_file():
            lines = Path(str(text)).read_text(encoding="utf-8").splitlines()
            flat += [line.strip() for line in lines if line.strip()]
        else:
            flat.append(str(text))
    if not flat:
        raise FetchError("there are no texts; give some, or a file with one in each line")
    return flat


def _embedded(embed: Sentences, texts: list[str]) -> Answer:
    vectors = embed(texts)
    lines = [
        f"[{', '.join(f'{v:.3f}' for v in row[:4])}, ...]  {text}"
        for row, text in zip(vectors, texts, strict=True)
    ]
    return Answer("\n".join(lines), [[float(v) for v in row] for row in vectors])


def _nearest(embed: Sentences, text: str, others: list[str], *, chances: bool) -> Answer:
    """Texts by likeness (the cosine of their vectors); as chances that sum to 1 for labels."""
    query, rows = embed([str(text)])[0], embed(others)
    scores = rows @ query
    if chances:
        scores = np.exp(SHARPNESS * (scores - scores.max()))
        scores /= scores.sum()
    order = np.argsort(-scores, kind="stable")[:10]
    found = [{"text": others[at], "score": float(scores[at])} for at in order]
    return Answer("\n".join(f"{percent(row['score']):>6}  {row['text']}" for row in found), found)
