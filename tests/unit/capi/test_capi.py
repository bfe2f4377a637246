"""The module paths of onnxruntime: every name they have is that of its home, and no other is there."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from sardonyx.capi import (
    _pybind_state,
    onnxruntime_inference_collection,
    onnxruntime_pybind11_state,
    onnxruntime_validation,
)
from sardonyx.ort import absent
from sardonyx.ort.environment import get_version_string
from sardonyx.ort.exceptions import STATUS, Fail
from sardonyx.ort.names import PUBLIC, STATE
from sardonyx.ort.session import InferenceSession

ALL = [_pybind_state, onnxruntime_inference_collection, onnxruntime_pybind11_state]
HOMES = [*PUBLIC.items(), *STATE.items()]


@pytest.mark.parametrize("module", ALL)
def test_names_of_other_modules_are_theirs(module: ModuleType) -> None:
    for home, names in HOMES:
        for name in names:
            expected = getattr(importlib.import_module(f"sardonyx.{home}"), name)
            assert getattr(module, name) is expected, name


@pytest.mark.parametrize("module", ALL)
def test_every_status_is_there(module: ModuleType) -> None:
    for kind, _, _ in STATUS:
        assert getattr(module, kind.__name__) is kind


@pytest.mark.parametrize("module", ALL)
def test_other_names_are_not_there(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="onnxruntime_pybind11_state' has no attribute 'nonsense'"):
        _ = module.nonsense


@pytest.mark.parametrize("module", ALL)
@pytest.mark.parametrize("name", absent.REASONS)
def test_what_only_onnxruntime_has_says_why(module: ModuleType, name: str) -> None:
    with pytest.raises(Fail, match=f"{name} is not available"):
        getattr(module, name)()


def test_sessions_are_found_where_existing_code_looks() -> None:
    assert onnxruntime_inference_collection.InferenceSession is InferenceSession
    assert issubclass(InferenceSession, onnxruntime_inference_collection.Session)
    assert set(onnxruntime_inference_collection.__all__) <= set(dir(onnxruntime_inference_collection))


def test_a_tool_that_asks_for_the_package_is_told() -> None:
    found = onnxruntime_validation.get_package_name_and_version_info()
    assert found == ("sardonyx", get_version_string(), "")
    onnxruntime_validation.check_distro_info()
