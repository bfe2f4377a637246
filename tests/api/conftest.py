"""Every test of this folder may run against both engines."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


@pytest.fixture(scope="module", params=["onnxruntime", "sardonyx"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "sardonyx":
        pytest.importorskip("sardonyx.compiler.compile")
    return importlib.import_module(request.param)
