"""Log lines come at the severity that was asked for, in onnxruntime's form, to stderr or to a callback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sardonyx.ort import logger


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    default = logger._Default
    before = (default.severity, default.verbosity)
    yield
    default.severity, default.verbosity = before
    logger.set_default_logger_callback(None)


def test_the_form_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger.log(logger.ERROR, "it broke", logid="mine")
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}"
    pattern = stamp + r" \[E:sardonyx:mine, test_logger\.py:\d+ test_\w+\] it broke"
    assert re.fullmatch(pattern, capsys.readouterr().err.strip())


def test_severities(capsys: pytest.CaptureFixture[str]) -> None:
    logger.set_default_logger_severity(logger.ERROR)
    logger.log(logger.WARNING, "quiet")
    logger.log(logger.ERROR, "loud")
    logger.log(logger.INFO, "asked for", level=logger.INFO)
    logger.log(logger.ERROR, "not asked for", level=logger.FATAL)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit("] ")[1] for line in lines] == ["loud", "asked for"]


def test_a_callback_takes_the_place_of_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    got: list[Any] = []
    logger.set_default_logger_callback(lambda *line: got.append(line), logger.INFO)
    logger.log(logger.VERBOSE, "too little")
    logger.log(logger.INFO, "enough")
    assert [(line[0], line[1], line[2], line[4]) for line in got] == [(1, "sardonyx", "Default", "enough")]
    assert got[0][3].startswith("test_logger.py:")
    logger.set_default_logger_callback(None)
    logger.log(logger.FATAL, "to stderr")
    assert "to stderr" in capsys.readouterr().err
    assert len(got) == 1


@pytest.mark.parametrize("severity", [True, 1.0, "1", None])
def test_a_severity_is_an_integer(severity: Any) -> None:
    with pytest.raises(TypeError):
        logger.set_default_logger_severity(severity)


@pytest.mark.parametrize("level", [-(2**31), -2, 5, 9])
def test_a_level_of_a_session_or_a_run_is_a_severity(level: int) -> None:
    with pytest.raises(RuntimeError, match=f"Invalid log severity level.*{level};"):
        logger.check_level(level)
    for good in range(-1, 5):
        logger.check_level(good)


def test_bounds() -> None:
    for severity in (-1, 5):
        with pytest.raises(RuntimeError, match="Invalid logging severity"):
            logger.set_default_logger_severity(severity)
    with pytest.raises(TypeError):
        logger.set_default_logger_verbosity(1.5)  # type: ignore[arg-type]
    logger.set_default_logger_verbosity(2)
    with pytest.raises(TypeError):
        logger.set_default_logger_callback(7)  # type: ignore[arg-type]


def test_a_severity_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    logger.set_default_logger_severity(logger.WARNING)
    with pytest.raises(KeyError), logger.logging_at(logger.FATAL):
        logger.log(logger.ERROR, "not told")
        raise KeyError
    logger.log(logger.WARNING, "told again")
    said = capsys.readouterr().err
    assert "told again" in said and "not told" not in said
