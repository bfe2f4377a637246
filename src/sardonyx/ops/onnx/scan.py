"""Scan: in place where it is short, else a control primitive over a closed graph.

What sizes its results have is decided as for loops, in `control`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sardonyx.errors import ShapeError, UnsupportedOp
from sardonyx.ir.value import Value, placeholder
from sardonyx.ops.onnx.control import (
    Kind,
    control_results,
    fits,
    repeatable,
    row_kind,
    settle,
    stacked_rows,
)
from sardonyx.ops.operands import needs_size
from sardonyx.ops.subgraph import SubGraph
from sardonyx.ops.table import op
from sardonyx.ops.window import Ints


def _flipped(x: Value, axis: int, backward: bool) -> Value:
    if not backward:
        return x
    at = x.axis(axis)
    start = [x.shape[at] - 1 if a == at else 0 for a in range(x.rank)]
    return x.slice(start, x.shape, [-1 if a == at else 1 for a in range(x.rank)])


def _first(x: Value, axis: int) -> Value:
    at = x.axis(axis)
    return x.transpose(at, *(a for a in range(x.rank) if a != at))


def _back(x: Value, axis: int) -> Value:
    at = x.axis(axis)
    order = list(range(1, x.rank))
    order.insert(at, 0)
    return x.transpose(*order)


@op("Scan", since=9)
def scan(
    *initial_state_and_scan_inputs: Value,
    body: SubGraph,
    num_scan_inputs: int,
    scan_input_axes: Ints = (),
    scan_input_directions: Ints = (),
    scan_output_axes: Ints = (),
    scan_output_directions: Ints = (),
) -> tuple[Value, ...]:
    """Run the body over the slices of the last `num_scan_inputs` inputs, carrying the others along."""
    count = len(initial_state_and_scan_inputs) - num_scan_inputs
    if num_scan_inputs < 1 or count < 0:
        raise ShapeError(f"num_scan_inputs is {num_scan_inputs}, of {count + num_scan_inputs} inputs")
    fits(body, count + num_scan_inputs, count, f"{count} carried and {num_scan_inputs} scanned")
    state, scanned = initial_state_and_scan_inputs[:count], initial_state_and_scan_inputs[count:]
    axes = tuple(scan_input_axes) or (0,) * num_scan_inputs
    backward = tuple(scan_input_directions) or (0,) * num_scan_inputs
    arrays = [_flipped(_first(x, a), 0, bool(d)) for x, a, d in zip(scanned, axes, backward, strict=True)]
    results = scan_over(body, state, arrays)
    outputs = results[count:]
    axes = tuple(scan_output_axes) or (0,) * len(outputs)
    backward = tuple(scan_output_directions) or (0,) * len(outputs)
    moved = (_back(_flipped(y, 0, bool(d)), a) for y, a, d in zip(outputs, axes, backward, strict=True))
    return (*results[:count], *moved)


def scan_over(body: SubGraph, state: Sequence[Value], arrays: Sequence[Value]) -> tuple[Value, ...]:
    """The last state and all rows of a body (state, slices) -> (state, rows), run over axis 0 of arrays."""
    length = arrays[0].shape[0]
    names = [f.name for f in body.inputs[len(state) :]]
    slices = [placeholder(n, x.dtype, x.shape[1:]) for n, x in zip(names, arrays, strict=True)]
    settled = closed, kinds, results_of, _ = settle(body, (), state, slices, 0)
    stacked = results_of[len(state) :]
    stackable = tuple(row_kind(k) for k in stacked)
    if repeatable(settled, length) and isinstance(length, int) and length > 0:
        carried = list(state)
        rows: list[list[Value]] = []
        for t in range(length):
            parts = [
                x.slice((t,) + (0,) * (x.rank - 1), (1, *x.shape[1:])).reshape(x.shape[1:]) for x in arrays
            ]
            results = body.inline(*carried, *parts)
            carried = list(results[: len(state)])
            rows.append(list(results[len(state) :]))
        return (*carried, *(stacked_rows(parts) for parts in zip(*rows, strict=True)))
    attrs = {
        "body": closed.graph,
        "names": closed.names,
        "sizes": closed.sizes,
        "carried": len(state),
        "scanned": len(arrays),
        "stacked": stackable,
    }
    rows_of = [Kind(k.dtype, (length, *k.shape)) for k in stacked]
    return control_results("scan", (*state, *arrays, *closed.captures), attrs, [*kinds, *rows_of])


@op("Scan", since=8)
def scan_8(
    sequence_lens: Value | None = None,
    *initial_state_and_scan_inputs: Value,
    body: SubGraph,
    num_scan_inputs: int,
    directions: Ints = (),
) -> tuple[Value, ...]:
    """Scan of every sample of a batch (axis 0) on its own, over axis 1."""
    batch = initial_state_and_scan_inputs[0].shape[0]
    if sequence_lens is not None:
        raise UnsupportedOp("Scan of opset 8 with sequence lengths")
    if not isinstance(batch, int):
        raise needs_size(batch, "the size of the batch")
    samples = []
    for b in range(batch):
        parts = [
            x.slice((b,) + (0,) * (x.rank - 1), (1, *x.shape[1:])).reshape(x.shape[1:])
            for x in initial_state_and_scan_inputs
        ]
        samples.append(
            scan(*parts, body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions)
        )
    return tuple(stacked_rows(parts) for parts in zip(*samples, strict=True))
