"""Models that converters make of fitted estimators say what the estimators say, no worse than onnxruntime.

What the converters refuse has no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

import sardonyx
from sardonyx.capi.onnxruntime_pybind11_state import Fail
from tests.frameworks import boosting, classifiers, regressors, transformers
from tests.frameworks.agreement import aligned, arrays, difference
from tests.frameworks.convert import converted, fitted, told
from tests.frameworks.data import table
from tests.frameworks.row import Row
from tests.tolerance import difference_of_models, worse_than_peer

Array = np.ndarray[Any, Any]
ROWS = (*classifiers.ROWS, *regressors.ROWS, *transformers.ROWS, *boosting.ROWS)
NO_LOGS = 4
SINGLE_ROWS = (0, 1, -1)


def parameter(row: Row) -> Any:
    return pytest.param(row, id=row.name, marks=() if row.quick else pytest.mark.slow)


def opened(engine: Any, model: bytes) -> Any:
    options = engine.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = NO_LOGS, 1
    return engine.InferenceSession(model, options)


def of_peer(model: bytes, feeds: Mapping[str, Array]) -> list[Array] | None:
    """What onnxruntime gives, or None if it refuses the model."""
    api = onnxruntime.capi.onnxruntime_pybind11_state
    try:
        return arrays(opened(onnxruntime, model).run(None, feeds))
    except (api.Fail, api.NotImplemented, api.InvalidArgument, api.RuntimeException):
        return None


def check_batches(session: Any, model: bytes, feeds: Mapping[str, Array], outputs: Sequence[Array]) -> None:
    """Rows alone give what they give among others, no rows give none; unless onnxruntime refuses them."""
    rows = len(next(iter(feeds.values())))
    for at in SINGLE_ROWS:
        alone = arrays(session.run(None, {name: feed[[at]] for name, feed in feeds.items()}))
        for one, many in zip(alone, outputs, strict=True):
            if len(many) == rows:
                assert difference_of_models(*(np.concatenate([a, many]) for a in (one, many[[at]]))) is None
    none = {name: feed[:0] for name, feed in feeds.items()}
    expected = [0 if len(many) == rows else len(many) for many in outputs]
    if lengths(session, none) != expected:
        assert of_peer(model, none) is None


def lengths(session: Any, feeds: Mapping[str, Array]) -> list[int] | None:
    """How many rows the outputs have; None if the feeds are refused."""
    try:
        return [len(output) for output in session.run(None, feeds)]
    except Fail:
        return None


@pytest.mark.parametrize("row", [parameter(row) for row in ROWS])
def test_says_what_its_framework_says(row: Row) -> None:
    data = table(row.data)
    estimator = fitted(row, data)
    model = converted(row, estimator, data)
    feeds = data.feeds(data.test, row.numbers)
    session = opened(sardonyx, model)
    outputs = arrays(session.run(None, feeds))
    wanted = aligned(told(row, estimator, data), outputs)
    peer = of_peer(model, feeds)
    if row.limit:
        assert peer is not None
        assert difference(peer, wanted) is not None, "the converter has no such limit any more"
        assert difference(outputs, peer) is None
    else:
        assert difference(outputs, wanted) is None
    for ours, theirs, right in zip(outputs, peer or (), wanted, strict=False):
        assert worse_than_peer(ours, theirs, right) is None
    assert tuple(sorted({note.op for note in session.report.fallbacks})) == row.host
    check_batches(session, model, feeds, outputs)
