"""The settings that the trace and logging extensions read and change.

Decides which values are taken and which requests are traced; must not know what is written of them. Files are
chosen by who starts the server, never over the network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sardonyx.protocol.errors import invalid

LOGGER = logging.getLogger("sardonyx.serve")
_TRACE_LEVELS = ("OFF", "TIMESTAMPS", "TENSORS")
_OFF = ["OFF"]
_FILE, _SPANS = "triton", "opentelemetry"
_TRACE_DEFAULTS: dict[str, Any] = {
    "trace_file": "",
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_mode": _FILE,
}
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_LOG_SWITCHES = ("log_info", "log_warning", "log_error")
_LOG_FORMATS = ("default", "ISO8601")


class TraceSettings:
    """What is traced: for all models, and per model where it differs.

    The mode says what they are about: the trace file, or spans of OpenTelemetry, which all are at first.
    """

    def __init__(self, file: str = "") -> None:
        self._defaults = {**_TRACE_DEFAULTS, "trace_file": file}
        self._all = dict(self._defaults)
        self._models: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, int] = {}
        self._on = False

    def offer_spans(self) -> None:
        """Spans can be made: unless there is a trace file, they are what the settings are about."""
        if not self._all["trace_file"]:
            self._defaults |= {"trace_mode": _SPANS, "trace_level": ["TIMESTAMPS"], "trace_rate": "1"}
            self._all = dict(self._defaults)
            self._on = True

    def spans(self, model: str) -> bool:
        """Whether to make spans of a request to a model that is over; counts it."""
        return self._all["trace_mode"] == _FILE or bool(self.sampled(model))

    def of(self, model: str = "") -> dict[str, Any]:
        """The settings of a model, without one those of all."""
        return {**self._all, **self._models.get(model, {})}

    def change(self, given: Mapping[str, Any], model: str = "") -> dict[str, Any]:
        """Change what is given; None goes back to the default. INVALID_ARGUMENT for what makes no sense."""
        mode = self._all["trace_mode"]
        changed = {key: _trace_value(key, value, mode) for key, value in given.items()}
        held = self._models.setdefault(model, {}) if model else self._all
        for key, value in changed.items():
            if value is not None:
                held[key] = value
            elif model:
                held.pop(key, None)
            else:
                held[key] = self._defaults[key]
        self._on = any(held.get("trace_level", _OFF) != _OFF for held in (self._all, *self._models.values()))
        if self._on and mode == _FILE and not self._all["trace_file"]:
            LOGGER.warning("traces are written nowhere: start the server with --trace-file FILE")
        return self.of(model)

    def sampled(self, model: str) -> list[str]:
        """What to write of a request to a model that is over; [] for nothing. Counts it."""
        if not self._on:
            return []
        settings = self.of(model)
        levels: list[str] = [level for level in settings["trace_level"] if level != "OFF"]
        left = int(settings["trace_count"])
        if not levels or left == 0:
            return []
        seen = self._seen[model] = self._seen.get(model, 0) + 1
        if seen % max(1, int(settings["trace_rate"])):
            return []
        if left > 0:
            held = self._models.get(model, {})
            (held if "trace_count" in held else self._all)["trace_count"] = str(left - 1)
        return levels


def _trace_value(key: str, value: Any, mode: str) -> Any:
    if key not in _TRACE_DEFAULTS:
        raise invalid(f"unknown trace setting '{key}'; the settings are {', '.join(_TRACE_DEFAULTS)}")
    if value is None:
        return None
    if key == "trace_file":
        raise invalid("trace file location can not be updated through network protocol")
    values = (
        [str(item) for item in value]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else [str(value)]
    )
    if key == "trace_level":
        for level in values:
            if level not in _TRACE_LEVELS:
                raise invalid(f"unknown trace level '{level}'; the levels are {', '.join(_TRACE_LEVELS)}")
        return values or ["OFF"]
    if len(values) != 1:
        raise invalid(f"trace setting '{key}' takes one value, got {len(values)}")
    if key == "trace_mode":
        if values[0] != mode:
            raise invalid(f"trace mode '{values[0]}' cannot be chosen here; only '{mode}' can")
        return values[0]
    least = -1 if key == "trace_count" else 0
    if not _NUMBER.fullmatch(values[0]) or int(values[0]) < least:
        raise invalid(f"trace setting '{key}' must be a number from {least} on, got '{values[0]}'")
    return values[0]


class LogSettings:
    """What is logged; changes reach the logger `sardonyx.serve` at once."""

    def __init__(self, file: str = "") -> None:
        self._values: dict[str, Any] = {
            "log_file": file,
            "log_info": True,
            "log_warning": True,
            "log_error": True,
            "log_verbose_level": 0,
            "log_format": "default",
        }

    def all(self) -> dict[str, Any]:
        """All settings."""
        return dict(self._values)

    def change(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change what is given; INVALID_ARGUMENT for what makes no sense."""
        for key, value in given.items():
            _check_log_value(key, value, self._values)
        self._values.update(given)
        LOGGER.setLevel(self._level())
        return self.all()

    def _level(self) -> int:
        values = self._values
        if values["log_verbose_level"] > 0:
            return logging.DEBUG
        switched = zip(_LOG_SWITCHES, (logging.INFO, logging.WARNING, logging.ERROR), strict=True)
        return next((level for name, level in switched if values[name]), logging.CRITICAL)


def _check_log_value(key: str, value: Any, known: Mapping[str, Any]) -> None:
    if key not in known:
        raise invalid(f"unknown log setting '{key}'; the settings are {', '.join(known)}")
    if key == "log_file":
        raise invalid("log file location can not be updated through network protocol")
    if key in _LOG_SWITCHES and not isinstance(value, bool):
        raise invalid(f"log setting '{key}' must be true or false, got {value!r}")
    if key == "log_verbose_level" and (type(value) is not int or value < 0):
        raise invalid(f"log setting '{key}' must be a number from 0 on, got {value!r}")
    if key == "log_format" and value not in _LOG_FORMATS:
        raise invalid(f"log setting '{key}' must be one of {', '.join(_LOG_FORMATS)}, got {value!r}")
