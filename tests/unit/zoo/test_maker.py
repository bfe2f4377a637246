"""Feeds repeat on every machine, and no two rows of a batch are equal."""

from __future__ import annotations

import numpy as np

from sardonyx.zoo.maker import Maker, dice, repeated


def test_numbers_and_batches() -> None:
    assert dice(3).random() == dice(3).random() != dice(4).random()
    rows = repeated(np.float32([[1, 2]]), 3)
    assert (rows.shape, rows.dtype, rows.flags.c_contiguous) == ((3, 2), np.float32, True)
    assert len({row.tobytes() for row in rows}) == 3
    assert Maker(dict).sizes == ({},)
