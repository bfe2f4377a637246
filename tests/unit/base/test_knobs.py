"""The table of options, and how a value is found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from sardonyx.base import knobs
from sardonyx.base.knobs import KNOBS, CompileOptions


def test_the_table_is_small_and_complete() -> None:
    assert len(KNOBS) < 20
    assert len({knob.name for knob in KNOBS}) == len(KNOBS)
    for knob in KNOBS:
        assert knob.env == "SARDONYX_" + knob.name.upper()
        assert knob.help
        assert "\n" not in knob.help
        assert getattr(CompileOptions(), knob.name) == knob.default


def test_precedence() -> None:
    entries, environ = (
        {"sardonyx.precision": "strict"},
        {"SARDONYX_PRECISION": "bf16", "SARDONYX_THREADS": " 3 "},
    )
    assert CompileOptions.resolve({}, {}).precision == "fp32"
    assert CompileOptions.resolve({}, environ).precision == "bf16"
    assert CompileOptions.resolve(entries, environ).precision == "strict"
    chosen = CompileOptions.resolve(entries, environ, precision="fp32", spin_us=None)
    assert (chosen.precision, chosen.threads, chosen.spin_us) == ("fp32", 3, knobs.SPIN_US.default)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SARDONYX_THREADS": "two"}, "SARDONYX_THREADS='two': expected a whole number"),
        ({"SARDONYX_PRECISION": "fast"}, "SARDONYX_PRECISION='fast': expected one of fp32, strict, bf16"),
        ({"SARDONYX_VERIFY": "maybe"}, "SARDONYX_VERIFY='maybe': expected 0 or 1"),
    ],
)
def test_wrong_values_name_where_they_stand(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompileOptions.resolve({}, environ)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("yes", True), ("off", False), ("", False), ("0", False)]
)
def test_switches(text: str, value: bool) -> None:
    assert knobs.VERIFY.read({}, {"SARDONYX_VERIFY": text}) is value


def test_misspelt_variables_are_found() -> None:
    assert knobs.unknown_variables({"SARDONYX_TREADS": "1", "SARDONYX_THREADS": "1"}) == ["SARDONYX_TREADS"]


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert knobs.cache_folder("off") is None
    assert knobs.cache_folder(str(tmp_path)) == tmp_path
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert knobs.cache_folder("") == tmp_path / "sardonyx"


def test_the_code_key_tells_programs_apart() -> None:
    plain = CompileOptions()
    assert plain.code_key() == CompileOptions(threads=3, debug=2, dump="there", cache="here").code_key()
    others = [
        CompileOptions(precision="strict"),
        CompileOptions(level=0),
        CompileOptions(dims={"N": 1}),
        CompileOptions(fed=("w",)),
        CompileOptions(initializers={"w": np.zeros(2, np.float32)}),
        CompileOptions(initializers={"w": np.ones(2, np.float32)}),
        CompileOptions(initializers={"w": np.array(["a", "b"], object)}),
    ]
    keys = {options.code_key() for options in (plain, *others)}
    assert len(keys) == len(others) + 1
