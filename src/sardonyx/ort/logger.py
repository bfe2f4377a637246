"""Log lines on stderr in the form onnxruntime gives them, or to a callback.

Decides severities and the line's form; must not know who logs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sardonyx.base.knobs import LOG

VERBOSE, INFO, WARNING, ERROR, FATAL = range(5)

LogCallback = Callable[[int, str, str, str, str], object]
"""Called as (severity, category, logid, code_location, message)."""

_LETTERS = "VIWEF"
_COLOURS = ("", "", "\x1b[0;93m", "\x1b[1;31m", "\x1b[1;31m")


class _Default:
    """The process-wide setting; severity None = the knob."""

    severity: int | None = None
    verbosity: int = 0
    callback: LogCallback | None = None
    callback_severity: int = WARNING


def set_default_logger_severity(severity: int, /) -> None:
    """Log this severity and above: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal; RuntimeError otherwise."""
    if isinstance(severity, bool) or not hasattr(type(severity), "__index__"):
        raise _refuse("set_default_logger_severity()", severity)
    if not VERBOSE <= severity <= FATAL:
        raise RuntimeError(
            f"Invalid logging severity {severity}. 0:Verbose, 1:Info, 2:Warning, 3:Error, 4:Fatal"
        )
    _Default.severity = int(severity)


@contextmanager
def logging_at(severity: int) -> Iterator[None]:
    """Within this context the process logs this severity and above, if no session says otherwise."""
    before, _Default.severity = _Default.severity, severity
    try:
        yield
    finally:
        _Default.severity = before


def set_default_logger_verbosity(verbosity: int, /) -> None:
    """Keep a level for verbose messages."""
    if not hasattr(type(verbosity), "__index__"):
        raise _refuse("set_default_logger_verbosity()", verbosity)
    _Default.verbosity = int(verbosity)


def set_default_logger_callback(callback: LogCallback | None, severity: int = WARNING) -> None:
    """Send log lines of at least `severity` to `callback` instead of stderr; None restores stderr."""
    if callback is not None and not callable(callback):
        raise TypeError(f"set_default_logger_callback(): expected a callable or None, got {callback!r}")
    _Default.callback, _Default.callback_severity = callback, severity


def check_level(level: int) -> None:
    """Raise RuntimeError if what a session or a run logs is no severity, nor -1 for that of the process."""
    if not -1 <= level <= FATAL:
        raise RuntimeError(
            f"Invalid log severity level. Not a valid severity value: {level}; "
            "0:Verbose, 1:Info, 2:Warning, 3:Error, 4:Fatal, or -1 for that of the process"
        )


def log(severity: int, message: str, *, logid: str = "", level: int = -1) -> None:
    """Write one line if `severity` reaches `level`, or the process-wide level where `level` is negative."""
    callback = _Default.callback
    least = level if level >= 0 else _Default.callback_severity if callback else _threshold()
    if severity < least:
        return
    frame = sys._getframe(1)
    place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}"
    name = logid or "Default"
    if callback is not None:
        callback(severity, "sardonyx", name, place, message)
        return
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now // 10**9)) + f".{now % 10**9:09}"
    line = f"{stamp} [{_LETTERS[severity]}:sardonyx:{name}, {place}] {message}"
    colour = _COLOURS[severity] if sys.stderr.isatty() else ""
    print(f"{colour}{line}\x1b[m" if colour else line, file=sys.stderr)


def _threshold() -> int:
    return _Default.severity if _Default.severity is not None else LOG.read()


def _refuse(where: str, value: object) -> TypeError:
    return TypeError(f"{where}: incompatible function arguments: expected int, got {value!r}")
