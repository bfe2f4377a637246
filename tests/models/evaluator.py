"""ONNX's reference evaluator for models of few bits: what it lacks, or takes an hour for, is written out.

It knows nothing of this engine, and so is a second opinion on what follows from the points of a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from tests.models.quantised_lstm import layer

Array = np.ndarray[Any, Any]
MICROSOFT = "com.microsoft"


class DequantizeLinear(OpRun):  # type: ignore[misc]
    """Of opsets before 19: points less their zero point, times the scale."""

    def _run(
        self, x: Array, scale: Array, zero: Array | None = None, axis: int | None = None, **_: Any
    ) -> tuple[Array]:
        spread = [
            -1 if scale.size > 1 and a == (1 if axis is None else axis) % x.ndim else 1 for a in range(x.ndim)
        ]
        points = x.astype(np.int32) - (0 if zero is None else zero.astype(np.int32).reshape(spread))
        return ((points.astype(np.float32) * scale.reshape(spread)).reshape(x.shape),)


class ConvInteger(OpRun):  # type: ignore[misc]
    """Exact sums of products, taken in float64, of one group over two axes."""

    def _run(
        self,
        x: Array,
        w: Array,
        x_zero: Array | None = None,
        w_zero: Array | None = None,
        auto_pad: str | None = None,
        dilations: Any = None,
        group: int | None = None,
        kernel_shape: Any = None,
        pads: Any = None,
        strides: Any = None,
    ) -> tuple[Array]:
        low_y, low_x, high_y, high_x = pads or (0, 0, 0, 0)
        group = group or 1
        (dy, dx), (sy, sx) = dilations or (1, 1), strides or (1, 1)
        assert auto_pad in (None, "NOTSET", "VALID"), "its pads are not known here"
        whole = x.astype(np.float64) - (0 if x_zero is None else x_zero)
        whole = np.pad(whole, ((0, 0), (0, 0), (low_y, high_y), (low_x, high_x)))
        shape = (-1,) + (1,) * 3
        filters = w.astype(np.float64) - (0 if w_zero is None else np.reshape(w_zero, shape))
        outer, (_, depth, ky, kx) = len(w) // group, w.shape
        window = ((ky - 1) * dy + 1, (kx - 1) * dx + 1)
        views = np.lib.stride_tricks.sliding_window_view(whole, window, (2, 3))
        views = views[:, :, ::sy, ::sx, ::dy, ::dx]
        sums = np.zeros((len(x), len(w), *views.shape[2:4]))
        for g, i, j in np.ndindex(
            group, ky, kx
        ):  # one tap at a time: all together take their number of times as much
            part = slice(g * outer, (g + 1) * outer)
            tap = views[:, g * depth : (g + 1) * depth, :, :, i, j]
            sums[:, part] += np.einsum("ncyx,oc->noyx", tap, filters[part, :, i, j], optimize=True)
        return (sums.astype(np.int64).astype(np.int32),)


class DynamicQuantizeLSTM(OpRun):  # type: ignore[misc]
    """A plain layer of com.microsoft's."""

    op_domain = MICROSOFT

    def _run(self, *inputs: Array | None, direction: str = "forward", **_: Any) -> tuple[Array, ...]:
        return tuple(y.astype(np.float32) for y in layer([*inputs, *[None] * 12][:12], direction))


class MatMulNBits(OpRun):  # type: ignore[misc]
    """A product in float64 with weights [N, K] of few bits in blocks of a column, low bits first."""

    op_domain = MICROSOFT

    def _run(
        self,
        x: Array,
        packed: Array,
        scales: Array,
        zeros: Array | None = None,
        order: Array | None = None,
        bias: Array | None = None,
        *,
        K: int,  # noqa: N803
        N: int,  # noqa: N803
        bits: int = 4,
        block_size: int,
        **_: Any,
    ) -> tuple[Array]:
        assert order is None, "blocks in another order are not known here"
        points = _of_bits(packed.reshape(N, -1), bits).reshape(N, -1, block_size)
        blocks = points.shape[1]
        zero: Any = 1 << bits - 1
        if zeros is not None:
            zero = _of_bits(zeros.reshape(N, -1), bits)[:, :blocks, None]
        weights = (points - zero) * scales.astype(np.float64).reshape(N, blocks, 1)
        y = x.astype(np.float64) @ weights.reshape(N, -1)[:, :K].T
        return ((y if bias is None else y + bias).astype(x.dtype),)


def _of_bits(packed: Array, bits: int) -> Array:
    """Rows of bytes as the numbers of so many bits that they hold, low ones first; float64."""
    ones = np.unpackbits(packed, axis=1, bitorder="little").reshape(len(packed), -1, bits)
    return np.asarray(ones @ 2.0 ** np.arange(bits))


OPERATORS = (ConvInteger, DynamicQuantizeLSTM, MatMulNBits)


def evaluated(model: bytes, feeds: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """The outputs of a model by ONNX's reference evaluator, each as soon as it is known.

    A value lives until the last node that reads it.
    """
    proto = onnx.load_from_string(model)
    old = any(o.domain in ("", "ai.onnx") and o.version < 19 for o in proto.opset_import)
    evaluator = ReferenceEvaluator(proto, new_ops=[*OPERATORS, *([DequantizeLinear] if old else [])])
    wanted = {output.name for output in proto.graph.output}
    uses = Counter(name for node in evaluator.rt_nodes_ for name in _read(node))
    known: dict[str, Any] = {"": None, **evaluator.rt_inits_, **feeds}
    for node in evaluator.rt_nodes_:
        outer = {"context": known} if node.need_context() else {}
        with np.errstate(
            divide="ignore"
        ):  # the logarithm of no distance is minus infinity, as models mean it
            results = node.run(*[known[name] for name in node.input], **outer)
        for name, value in zip(node.output, results, strict=False):
            known[name] = value
            if name in wanted:
                yield name, np.asarray(value)
        del results
        for name in {*_read(node), *node.output} - {""}:
            uses[name] -= name not in node.output
            if uses[name] <= 0:
                known.pop(name, None)  # a name of a body alone is not known here


def _read(node: Any) -> set[str]:
    """The names that a node reads, those in its bodies too."""
    nodes, names = [node.onnx_node], set()
    while nodes:
        inner = nodes.pop()
        names.update(inner.input)
        nodes += [n for a in inner.attribute for g in (a.g, *a.graphs) for n in g.node]
    return names - {""}
