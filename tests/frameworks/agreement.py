"""What a model gives, in the form of what its framework says, and how the two are compared.

A label may differ where the framework itself, in float64, scores the two best classes closer to each other
than results in float32 are known. How many do is then counted beside onnxruntime's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from tests.tolerance import REAL_MODEL_BOUND, difference_of_models

Array = np.ndarray[Any, Any]


def arrays(results: Sequence[Any]) -> list[Array]:
    """The outputs of a session: maps as rows of their values by key, sequences as one array."""
    return [_array(result) for result in results]


def _array(result: Any) -> Array:
    if isinstance(result, list) and isinstance(result[0], dict):
        return np.array([[row[key] for key in sorted(row)] for row in result], np.float32)
    return np.stack(result) if isinstance(result, list) else np.asarray(result)


def aligned(told: Sequence[Any], outputs: Sequence[Array]) -> list[Array]:
    """What a framework says, in the shapes and types of the outputs that it has a word on."""
    return [_aligned(part, output) for part, output in zip(told, outputs, strict=False)]


def _aligned(part: Any, output: Array) -> Array:
    full = part.toarray() if sparse.issparse(part) else np.stack(part) if isinstance(part, list) else part
    if full.ndim == 1 and output.shape == (full.size, 2):
        full = np.stack([-full, full], 1)
    if full.size == output.size:
        full = full.reshape(output.shape)
    return np.asarray(full.astype(output.dtype))


def difference(outputs: Sequence[Array], wanted: Sequence[Array]) -> str | None:
    """What is wrong with the outputs of a model, or None."""
    for number, (output, right) in enumerate(zip(outputs, wanted, strict=False)):
        if number == 0 and len(wanted) > 1 and right.dtype.kind != "f" and output.shape == right.shape:
            right = np.where(_undecided(wanted[1], right.shape), output, right)
        wrong = difference_of_models(output, right)
        if wrong is not None:
            return f"output {number}: {wrong}"
    return None


def _undecided(scores: Array, shape: tuple[int, ...]) -> Array:
    """Whether the two best classes of a row, or the score of a single one and 0, are a toss-up."""
    if scores.dtype.kind != "f" or scores.ndim > 2 or len(scores) != shape[0]:
        return np.zeros(shape, bool)
    rows = scores.reshape(len(scores), -1).astype(np.float64)
    if rows.shape[1] > 1:
        rows = np.sort(rows, 1)[:, -1:] - np.sort(rows, 1)[:, -2:-1]
    near = np.abs(rows) <= REAL_MODEL_BOUND * np.nanmax(np.abs(scores), initial=0)
    return np.broadcast_to(near.reshape(-1, *(1,) * (len(shape) - 1)), shape)
