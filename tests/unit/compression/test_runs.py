"""Sessions of models in memory."""

from __future__ import annotations

import numpy as np
import pytest

from sardonyx.compression import runs
from tests.unit.compression.models import drawn, two_layers


def test_values_inside_are_shown_and_the_model_is_not_changed() -> None:
    made = two_layers()
    before = made.SerializeToString()
    session = runs.opened_with(made, ["h", "y", "x"])
    h, y, x = session.run(None, {"x": drawn(2, 48)})
    assert h.shape == (2, 64)
    assert h.min() >= 0
    assert y.shape == (2, 10)
    assert np.array_equal(x, drawn(2, 48))
    assert made.SerializeToString() == before


def test_large_models_go_through_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    want = runs.opened(two_layers()).run(None, {"x": drawn(2, 48)})[0]
    monkeypatch.setattr(runs, "LARGE_BYTES", 0)
    got = runs.opened(two_layers()).run(None, {"x": drawn(2, 48)})[0]
    assert np.array_equal(got, want)
