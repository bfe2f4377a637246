"""Feeds made of table rows: strings of Japanese word classes, one-hot blocks, hyper-parameters."""

from __future__ import annotations

import itertools

import numpy as np

from sardonyx.zoo.maker import Feeds, Maker, dice

WORD_CLASSES = (
    ("名詞", "一般", "*", "カ", "*", "*"),
    ("助詞", "係助詞", "*", "、", "*", "*"),
    ("動詞", "接尾", "一般", "カク", "一段", "基本形"),
)
ONE_HOT_ENDS = (0, 6, 24, 29, 114, 124, 131)
RANGES = ((1, 60), (0, 4), (2, 6), (0, 3))


def _word_classes(rows: int = 3) -> Feeds:
    return {"input": np.array([WORD_CLASSES[i % len(WORD_CLASSES)] for i in range(rows)], object)}


def _one_hot(rows: int = 256) -> Feeds:
    random, table = dice(9), np.zeros((rows, ONE_HOT_ENDS[-1]), np.float32)
    for start, end in itertools.pairwise(ONE_HOT_ENDS):
        table[np.arange(rows), random.integers(start, end, rows)] = 1
    return {"input": table}


def _hyper_parameters(rows: int = 64) -> Feeds:
    columns = [dice(10 + i).integers(*bounds, rows) for i, bounds in enumerate(RANGES)]
    return {"input": np.stack(columns, axis=1).astype(np.float32)}


def _file_bytes(files: int = 4) -> Feeds:
    """The first and last 1024 bytes of texts; 256 stands where a file has no byte."""
    rows = np.full((files, 2048), 256, np.int32)
    for at in range(files):
        text = ",".join(map(str, range(at, 40 * (at + 1)))).encode()
        rows[at, : len(text)] = np.frombuffer(text[:1024], np.uint8)
        rows[at, 2048 - len(text) :] = np.frombuffer(text[-1024:], np.uint8)
    return {"bytes": rows}


MAKERS = {
    "magika": Maker(_file_bytes, ({"files": 4}, {"files": 1})),
    "nani_onehot_strings": Maker(_word_classes, ({"rows": 3}, {"rows": 7})),
    "nani_random_forest": Maker(_one_hot, ({"rows": 256}, {"rows": 5})),
    "surrogate_mlp": Maker(_hyper_parameters, ({"rows": 64}, {"rows": 1})),
    "surrogate_tree": Maker(_hyper_parameters, ({"rows": 64}, {"rows": 1})),
}
