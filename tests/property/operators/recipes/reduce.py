"""Calls of operators that combine the elements along axes."""

from __future__ import annotations

import numpy as np

from tests.property.operators.draw import Draw
from tests.property.operators.recipe import Call, recipe


@recipe("ReduceSum")
def reduce_sum(d: Draw) -> Call:
    x = d.array(d.shape(), specials="nonfinite")
    axes = d.maybe(d.axes(x.ndim))
    if d.opset < 13:
        return Call([x], length=x.size, axes=axes or None, keepdims=d.maybe(int(d.flag())))
    given = None if axes is None else np.array(axes, np.int64)
    return Call(
        [x, given],
        length=x.size,
        keepdims=d.maybe(int(d.flag())),
        noop_with_empty_axes=d.maybe(int(d.flag())),
    )
