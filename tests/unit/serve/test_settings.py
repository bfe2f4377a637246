"""Settings are changed to what makes sense, for all models or one; files are chosen by nobody remote."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sardonyx.protocol.errors import ServeError
from sardonyx.serve.settings import LOGGER, LogSettings, TraceSettings


def test_a_model_differs_from_all_until_it_goes_back() -> None:
    settings = TraceSettings("f")
    settings.change({"trace_rate": 5})
    settings.change({"trace_rate": "7", "trace_level": ["TIMESTAMPS", "TENSORS"]}, "m")
    assert settings.of("m")["trace_rate"] == "7"
    assert settings.of("other")["trace_rate"] == "5"
    assert settings.change({"trace_rate": None}, "m")["trace_rate"] == "5"
    assert settings.change({"trace_rate": None})["trace_rate"] == "1000"
    assert settings.of()["trace_file"] == "f"


@pytest.mark.parametrize(
    "given",
    [
        {"nonsense": 1},
        {"trace_file": "/etc/x"},
        {"trace_level": "LOUD"},
        {"trace_rate": "-1"},
        {"trace_rate": "many"},
        {"trace_count": -2},
        {"trace_mode": "opentelemetry"},
        {"trace_rate": [1, 2]},
        {"trace_rate": "--1"},
        {"trace_count": "9" * 5000},
        {"7": None},
    ],
)
def test_what_makes_no_sense_changes_nothing(given: dict[str, Any]) -> None:
    settings = TraceSettings()
    before = settings.of()
    with pytest.raises(ServeError):
        settings.change({"log_frequency": 3, **given})
    assert settings.of() == before


@pytest.fixture
def level() -> Iterator[None]:
    before = LOGGER.level
    yield
    LOGGER.setLevel(before)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, logging.INFO),
        ({"log_info": False}, logging.WARNING),
        ({"log_info": False, "log_warning": False}, logging.ERROR),
        ({"log_info": False, "log_warning": False, "log_error": False}, logging.CRITICAL),
        ({"log_verbose_level": 1, "log_info": False}, logging.DEBUG),
    ],
)
@pytest.mark.usefixtures("level")
def test_the_logger_follows(given: dict[str, Any], expected: int) -> None:
    settings = LogSettings()
    assert settings.change(given) == settings.all()
    assert LOGGER.level == expected


@pytest.mark.parametrize(
    "given",
    [
        {"log_file": "x"},
        {"log_info": 1},
        {"log_verbose_level": True},
        {"log_verbose_level": -1},
        {"log_format": "xml"},
        {"a": 1},
    ],
)
@pytest.mark.usefixtures("level")
def test_logs_refuse_what_makes_no_sense(given: dict[str, Any]) -> None:
    settings = LogSettings()
    with pytest.raises(ServeError):
        settings.change({"log_error": False, **given})
    assert settings.all()["log_error"] is True
