"""Snapshots of requests as a table: one row for each row of a batch, one column for each tensor.

Decides names and types of columns: `in.NAME` and `out.NAME` hold a number, a text or a flat list for each
row; `in.NAME@summary` a short vector where the values are too many. Must not know files.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sardonyx.monitor.capture import Collection, Snapshot
from sardonyx.monitor.embedding import of_arrays
from sardonyx.monitor.redact import digest, replace_words

if TYPE_CHECKING:
    import pyarrow as pa

SUMMARY = "@summary"
_MAX_TEXT = 4096
_Array = npt.NDArray[Any]


def tables_of(snapshots: Sequence[Snapshot], collection: Collection) -> list[pa.Table]:
    """The rows of all snapshots; a column that a request lacks is null there.

    One table, or one for each set of types if requests contradict each other (a number here, a list there).
    """
    import pyarrow as pa

    tables = [pa.table(_columns(snapshot, collection)) for snapshot in snapshots]
    try:
        return [pa.concat_tables(tables, promote_options="permissive")]
    except pa.ArrowException:
        groups: dict[str, list[pa.Table]] = {}
        for table in tables:
            groups.setdefault(str(table.schema), []).append(table)
        return [pa.concat_tables(group) for group in groups.values()]


def _columns(snapshot: Snapshot, collection: Collection) -> dict[str, Any]:
    import pyarrow as pa

    tensors = {f"in.{name}": data for name, data in snapshot.inputs.items()}
    tensors |= {f"out.{name}": data for name, data in snapshot.outputs.items()}
    rows = _row_count([data for data in tensors.values() if data is not None], collection.rows)
    columns = _meta(snapshot, rows)
    if way := collection.redact.get("principal"):
        name = digest(snapshot.principal) if way == "hash" else None
        columns["principal"] = pa.array([name] * rows, pa.string())
    for name, data in tensors.items():
        if data is not None:
            columns |= _values(name, data if _batched(data, rows) else data[None], collection)
    return columns


def _row_count(arrays: Sequence[_Array], rule: str) -> int:
    sizes = {a.shape[0] if a.ndim else 0 for a in arrays}
    if rule == "never" or len(sizes) != 1:
        return 1
    return max(1, sizes.pop())


def _batched(data: _Array, rows: int) -> bool:
    return bool(data.ndim and data.shape[0] == rows)


def _meta(snapshot: Snapshot, rows: int) -> dict[str, Any]:
    import pyarrow as pa

    texts = {
        "id": snapshot.id,
        "version": snapshot.version,
        "deployment": snapshot.deployment,
        "principal": snapshot.principal,
        "transport": snapshot.transport,
        "status": snapshot.status,
        "message": snapshot.message[:_MAX_TEXT] if snapshot.message is not None else None,
        "shadow_of": snapshot.shadow_of or None,
    }
    at = datetime.datetime.fromtimestamp(snapshot.finished_s, datetime.UTC)
    spent = snapshot.timings
    numbers = {
        "queue_ms": spent.queue_ns * 1e-6,
        "infer_ms": spent.infer_ns * 1e-6,
        "total_ms": spent.total_ns * 1e-6,
        "batch_rows": spent.batch_rows,
    }
    columns: dict[str, Any] = {"time": pa.array([at] * rows, pa.timestamp("us", tz="UTC"))}
    columns["row"] = pa.array(range(rows), pa.int32())
    columns |= {name: pa.array([text] * rows, pa.string()) for name, text in texts.items()}
    return columns | {name: pa.array([n] * rows, pa.float32()) for name, n in numbers.items()}


def _values(name: str, data: _Array, collection: Collection) -> dict[str, Any]:
    """The columns of one tensor [rows, ...]."""
    import pyarrow as pa

    way = collection.redact.get(name) or collection.redact.get(name.split(".", 1)[1])
    rows, width = data.shape[0], math.prod(data.shape[1:])
    if way == "drop" or not rows:
        return {}
    flat = data.reshape(rows, width)
    if data.dtype.kind == "O":
        texts = [[_text(item, way, collection) for item in row] for row in flat]
        if width == 1:
            return {name: pa.array([row[0] for row in texts], pa.string())}
        return {name: pa.array([row[: collection.max_elements] for row in texts], pa.list_(pa.string()))}
    if way == "hash":
        return {name: pa.array([digest(row.tobytes().hex()) for row in flat], pa.string())}
    if data.dtype.kind not in "fiub":
        flat = flat.astype(np.float32)
    if width > collection.max_elements:
        vectors = of_arrays(data)
        return {name + SUMMARY: _lists(vectors)}
    if flat.dtype == np.float16:
        flat = flat.astype(np.float32)
    if width == 1:
        return {name: pa.array(flat[:, 0])}
    return {name: _lists(flat)}


def _lists(flat: _Array) -> pa.Array:
    import pyarrow as pa

    offsets = np.arange(flat.shape[0] + 1, dtype=np.int32) * flat.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(flat).reshape(-1)))


def _text(item: Any, way: str | None, collection: Collection) -> str:
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
    if way == "hash":
        return digest(text)
    return replace_words(text[:_MAX_TEXT], collection.patterns)
