"""ONNX's reference evaluator for real models of 8 bits: what it lacks, or takes an hour for, is written out.

It knows nothing of this engine, and so is a second opinion on what follows from the points of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

Array = np.ndarray[Any, Any]


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
        sums = [
            np.einsum(
                "ncyxij,ocij->noyx",
                views[:, g * depth : (g + 1) * depth],
                filters[g * outer : (g + 1) * outer],
                optimize=True,
            )
            for g in range(group)
        ]
        return (np.concatenate(sums, 1).astype(np.int64).astype(np.int32),)


def evaluated(model: bytes, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs of a model by ONNX's reference evaluator."""
    proto = onnx.load_from_string(model)
    old = any(o.domain in ("", "ai.onnx") and o.version < 19 for o in proto.opset_import)
    evaluator = ReferenceEvaluator(proto, new_ops=[ConvInteger, *([DequantizeLinear] if old else [])])
    with np.errstate(divide="ignore"):
        # The logarithm of no distance is minus infinity, as models mean it.
        return [np.asarray(y) for y in evaluator.run(None, dict(feeds))]
