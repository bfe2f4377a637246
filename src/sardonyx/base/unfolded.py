"""Results of a run as tensors, where they are sequences and maps.

Must not know what the tensors are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def unfolded(results: Iterable[Any]) -> list[Array]:
    """The tensors in results: those of a sequence one behind the other, of a map its keys, then its values.

    A sequence of maps with the same keys, as ZipMap makes it, is a table: its keys, then a row for each map.
    """
    tensors: list[Array] = []
    for result in results:
        if isinstance(result, Mapping):
            result = [result]
        if not isinstance(result, list):
            tensors.append(np.asarray(result))
        elif not result or not all(isinstance(part, Mapping) for part in result):
            tensors += unfolded(result)
        elif all(part.keys() == result[0].keys() for part in result):
            keys = list(result[0])
            tensors += [np.array(keys), np.array([[part[key] for key in keys] for part in result])]
        else:
            tensors += [np.array(side) for part in result for side in (list(part), list(part.values()))]
    return tensors
