"""A name of the API has one home, which has it; what is absent says so under every name."""

from __future__ import annotations

import importlib
from collections import Counter

import pytest

import sardonyx
from sardonyx.ort import absent, names

HOMES = [*names.PUBLIC.items(), *names.STATE.items()]


def test_a_name_is_said_once() -> None:
    counted = Counter(name for _, found in HOMES for name in found)
    assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize(("home", "found"), HOMES, ids=lambda part: part if isinstance(part, str) else "")
def test_a_home_has_its_names(home: str, found: tuple[str, ...]) -> None:
    module = importlib.import_module(f"sardonyx.{home}")
    for name in found:
        assert getattr(module, name) is not None


def test_what_is_absent_is_named() -> None:
    assert set(names.PUBLIC["ort.absent"]) == set(absent.REASONS)


def test_names_of_the_module_paths_are_not_of_the_package() -> None:
    own = {name for found in names.STATE.values() for name in found}
    assert not own & set(sardonyx.__all__)
    assert not any(hasattr(sardonyx, name) for name in own)
