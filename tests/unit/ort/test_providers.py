"""Providers may be given in every form that onnxruntime takes; those that are not there are warned of."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from sardonyx.ort.providers import (
    ALL_PROVIDERS,
    AVAILABLE_PROVIDERS,
    check_and_normalize_provider_args,
    normalize,
)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("providers", "options", "expected"),
    [
        (None, None, {}),
        ([], None, {}),
        (CPU, None, {CPU: {}}),
        ([CPU], None, {CPU: {}}),
        ([(CPU, {"arena": 1})], None, {CPU: {"arena": "1"}}),
        ([CPU], [{"arena": True}], {CPU: {"arena": "True"}}),
    ],
)
def test_forms(providers: Any, options: Any, expected: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert normalize(providers, options) == expected


def test_what_is_not_there_is_warned_of_and_kept_in_order() -> None:
    with pytest.warns(UserWarning, match="'CUDAExecutionProvider' is not in available"):
        assert list(normalize([CUDA, CPU], None)) == [CUDA, CPU]
    with pytest.warns(UserWarning, match="Duplicate provider"):
        assert normalize([(CPU, {"a": 1}), (CPU, {"a": 2})], None) == {CPU: {"a": "1"}}
    with pytest.warns(UserWarning, match="not in available"), pytest.raises(RuntimeError, match="Unknown"):
        normalize(["NoProvider"], None)


@pytest.mark.parametrize(
    ("providers", "options", "error"),
    [
        (7, None, TypeError),
        ({CPU}, None, ValueError),
        ([7], None, ValueError),
        ([CPU], [], ValueError),
        ([CPU], 7, ValueError),
        ([(CPU, {})], [{}], ValueError),
        ([CPU], [7], ValueError),
    ],
)
def test_malformed_arguments(providers: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        normalize(providers, options)


def test_a_caller_may_say_what_is_available() -> None:
    assert check_and_normalize_provider_args(["A", ("B", {"x": 1})], None, ["A", "B"]) == (
        ["A", "B"],
        [{}, {"x": "1"}],
    )
    assert set(AVAILABLE_PROVIDERS) <= set(ALL_PROVIDERS)
