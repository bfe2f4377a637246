"""Trial runs before a model is READY: they warm it, and prove that its requests may be joined.

A free first size does not say that rows are independent of each other; two rows alone and together do. Must
not know queues.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sardonyx.base import dtype as dt
from sardonyx.base.drawn import drawn
from sardonyx.protocol.datatypes import BY_CONFIG, DATATYPES, Array, objects
from sardonyx.protocol.errors import invalid
from sardonyx.serve.signature import Port, Signature

Call = Callable[[Sequence[Array]], list[Array]]

_SIZES = (32, 64, 224, 8, 1)
_PATIENCE_S = 3.0
_TIMED = 5
_TOLERANCE = 1e-3


def sample(port: Port, rows: int | None, free: int, seed: int) -> Array:
    """Small numbers in a tensor that an input takes: `rows` at axis 0 if given, `free` where size is free."""
    shape = [size if isinstance(size, int) else free for size in port.dims]
    if rows is not None:
        shape[0] = rows
    kind = DATATYPES[port.datatype].numpy
    random = np.random.default_rng(seed)
    if kind.kind == "O":
        texts = objects([b"1"] * int(np.prod(shape)))
        return texts.reshape(shape)
    return drawn(dt.by_numpy(kind), shape, random)


def warm(signature: Signature, call: Call) -> int | None:
    """Run once with invented inputs; the number used for free sizes, None if the model takes none of ours."""
    rows = 1 if signature.batches else None
    first = 1 if signature.batches else 0
    fixed = all(isinstance(size, int) for port in signature.inputs for size in port.dims[first:])
    began = time.monotonic()
    for free in _SIZES[:1] if fixed else _SIZES:
        if time.monotonic() - began > _PATIENCE_S:
            break
        try:
            call([sample(port, rows, free, seed=0) for port in signature.inputs])
        except Exception:
            continue
        return free
    return None


def cost_ns(signature: Signature, call: Call, free: int) -> int:
    """What a run on the invented inputs takes: the least of a few."""
    feeds = [sample(port, 1 if signature.batches else None, free, seed=0) for port in signature.inputs]
    least = sys.maxsize
    for _ in range(_TIMED):
        began = time.perf_counter_ns()
        call(feeds)
        least = min(least, time.perf_counter_ns() - began)
    return least


def joins(signature: Signature, call: Call, free: int) -> bool:
    """Whether a request of one row and one of two give the same alone and together."""
    if not signature.batches or not signature.inputs:
        return False
    singles = [[sample(port, rows, free, seed=rows) for port in signature.inputs] for rows in (1, 2)]
    together = [np.concatenate(pair) for pair in zip(*singles, strict=True)]
    try:
        alone = [call(feeds) for feeds in singles]
        joined = call(together)
    except Exception:
        return False
    return all(
        len(first) == 1 and len(second) == 2 and _close(np.concatenate([first, second]), whole)
        for first, second, whole in zip(*alone, joined, strict=True)
    )


def _close(single: Array, joined: Array) -> bool:
    if single.shape != joined.shape:
        return False
    if single.dtype.kind not in "fV":
        return bool(np.array_equal(single, joined))
    one, other = single.astype(np.float64), joined.astype(np.float64)
    scale = max(1.0, float(np.abs(one[np.isfinite(one)]).max(initial=0.0)))
    return bool(np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale, equal_nan=True))


def warm_as_told(rows: Sequence[Mapping[str, Any]], signature: Signature, call: Call) -> None:
    """Run the `model_warmup` rows of a configuration; what fails there fails."""
    for row in rows:
        size = int(row.get("batch_size", 0)) or None
        given = row.get("inputs", {})
        feeds = []
        for port in signature.inputs:
            entry = given.get(port.name)
            if entry is None:
                raise invalid(f"'model_warmup' row '{row.get('name', '')}' has no input '{port.name}'")
            feeds.append(_told(entry, size, port))
        for _ in range(max(1, int(row.get("count", 0)))):
            call(feeds)


def _told(entry: Mapping[str, Any], rows: int | None, port: Port) -> Array:
    kind = BY_CONFIG[entry.get("data_type", f"TYPE_{port.datatype}")].numpy
    dims = [int(size) for size in entry.get("dims", ())]
    shape = dims if rows is None else [rows, *dims]
    if kind.kind == "O":
        return objects([b""] * int(np.prod(shape))).reshape(shape)
    if entry.get("random_data"):
        return drawn(dt.by_numpy(kind), shape, np.random.default_rng(0))
    return np.zeros(shape, kind)
