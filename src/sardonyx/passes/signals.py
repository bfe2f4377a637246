"""Operations over signals [N, C, L] as those over pictures of one line, [N, C, 1, L].

Must not know blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

from sardonyx.ir.value import Value, make


def two_dimensional(value: Value, rows: Mapping[int, Value] | None = None) -> Value | None:
    """The same operation over [N, C, 1, L] for a tensor [N, C, L], if it is one that may run blocked.

    `rows` are operands [N, C, 1, L] that are known, by their ids as [N, C, L].
    """
    rows = rows or {}
    if (
        value.rank != 3
        or not isinstance(value.shape[1], int)
        or (value.prim not in _PER_AXIS and value.kind != "map")
    ):
        return None
    if not value.args or any(a.rank != 3 for a in value.args if a.rank > 0):
        return None
    args = tuple(a if a.rank == 0 else rows.get(a.id) or with_row(a) for a in value.args)
    attrs = dict(value.attrs)
    for name, unit in _PER_AXIS.get(value.prim, {}).items():
        row = attrs[name]
        attrs[name] = (unit, *row) if len(row) == 1 else (*row[:2], unit, *row[2:])
    if value.prim == "concat" and attrs["axis"] == 2:
        attrs["axis"] = 3
    shape = (*value.shape[:2], 1, *value.shape[2:])
    return make(value.prim, args, attrs, value.dtype, shape)


def with_row(value: Value) -> Value:
    """[N, C, L] as [N, C, 1, L]."""
    return value.reshape((*value.shape[:2], 1, *value.shape[2:]))


_PER_AXIS: dict[str, dict[str, int]] = {
    "conv": {"strides": 1, "dilations": 1, "low": 0, "high": 0},
    "conv_transpose": {"strides": 1, "dilations": 1, "low": 0, "out": 1},
    "pad": {"low": 0, "high": 0},
    "slice": {"start": 0, "size": 1, "step": 1},
    "concat": {},
}
"""Per operation, the attributes with one entry a spatial axis (or an axis), and the entry of the new axis."""
