"""The classification extension: the best of an output as texts `value:index:label`.

Must not know requests or models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sardonyx.protocol.datatypes import objects
from sardonyx.protocol.errors import invalid
from sardonyx.protocol.messages import Tensor

PARAMETER = "classification"


def classify(tensor: Tensor, count: int, labels: Sequence[str], *, batches: bool) -> Tensor:
    """The `count` greatest elements, of each row if the output `batches`, greatest first, as BYTES.

    INVALID_ARGUMENT for texts and for a `count` below 1.
    """
    if count < 1:
        raise invalid(f"'{PARAMETER}' of output '{tensor.name}' must be at least 1, got {count}")
    if tensor.data.dtype.kind == "O":
        raise invalid(f"output '{tensor.name}' holds texts; only numbers can be classified")
    rows = tensor.data.reshape((tensor.shape[0] if batches else 1, -1) if tensor.data.size else (0, 0))
    best = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = [
        _text(rows[row, index].item(), int(index), labels).encode()
        for row, indices in enumerate(best)
        for index in indices
    ]
    shape = best.shape if batches else best.shape[1:]
    return Tensor(tensor.name, "BYTES", shape, objects(texts).reshape(shape), tensor.parameters)


def _text(value: bool | int | float, index: int, labels: Sequence[str]) -> str:
    number = f"{value:f}" if isinstance(value, float) else str(int(value))
    return f"{number}:{index}:{labels[index]}" if index < len(labels) else f"{number}:{index}"
