"""Every test of this folder may run against both engines, and against this one in both ways of a run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.ways import going


@pytest.fixture(scope="module", params=["onnxruntime", "sardonyx", "sardonyx-shortcut"])
def engine(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    name, _, way = request.param.partition("-")
    if name == "sardonyx":
        pytest.importorskip("sardonyx.compiler.compile")
    with going(way or "python"):
        yield importlib.import_module(name)
