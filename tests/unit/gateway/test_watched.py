"""Monitors of columns that their model lacks are refused when they are added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from sardonyx.gateway.operations import Administration
from sardonyx.gateway.watched import add_monitor
from sardonyx.monitor.capture import Capture, Collection
from sardonyx.monitor.payload import PayloadLog
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.monitors import Monitor, NewMonitor
from sardonyx.protocol.records import NewDeployment, Signature, TensorSpec
from tests.monitor.records import record
from tests.unit.gateway.around import administration, entered


@pytest.fixture
def made(tmp_path: Path) -> Administration:
    found = administration(tmp_path / "home")
    assert found.monitors is not None
    log = PayloadLog(Capture({"*": Collection()}), found.monitors.store)
    log.capture.observe(record({"x": np.float32([[1]])}))
    log.flush()
    return found


def add(made: Administration, wanted: NewMonitor) -> Monitor:
    assert made.monitors is not None
    return add_monitor(made, made.monitors, wanted, "tester")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("data_drift", {"columns": ["in.z"]}, "for data_drift 'm' has no column 'in.z'; it has in.x$"),
        ("data_drift", {"columns": ["in.xx[0]"]}, "no column 'in.xx\\[0\\]'"),
        ("data_drift", {"columns": ["out.y"]}, "no column 'out.y'; it has in.x$"),
        ("data_drift", {"kinds": {"in.z": "category"}}, "no column 'in.z'"),
        ("data_quality", {"columns": ["y*"]}, "no column 'y\\*'; it has in.x, out.y$"),
        ("performance", {"prediction": "out.z"}, "no column 'out.z'; it has out.y$"),
        ("data_drift", {"columns": ["in.*", "in.x", "in.x[0]", "*"], "kinds": {"in.x[1]": "category"}}, ""),
        ("performance", {"prediction": "out.y[0]"}, ""),
    ],
)
def test_columns_that_the_model_lacks_are_refused(
    made: Administration, kind: Any, fields: dict[str, Any], said: str
) -> None:
    wanted = NewMonitor(name="other", model="m", kind=kind, **fields)
    if not said:
        assert add(made, wanted).name == "other"
        return
    with pytest.raises(ServeError, match=said) as caught:
        add(made, wanted)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert add(made, replace(wanted, model="not yet there")).model == "not yet there"


def test_columns_of_registered_models_are_known_before_requests_are(made: Administration) -> None:
    signature = Signature(outputs=[TensorSpec(name="price", type="tensor(float)")])
    entered(made, "prices", signature=signature)
    made.endpoints.deploy("shop", NewDeployment(model="prices"), "tester")
    for model in ("prices", "shop"):
        wanted = NewMonitor(name=model, model=model, kind="performance", prediction="out.prize")
        with pytest.raises(ServeError, match="no column 'out.prize'; it has out.price$"):
            add(made, wanted)
        assert add(made, replace(wanted, prediction="out.price")).model == model
