"""The package's names come from the files that hold them, and only when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sardonyx import convert

FRESH = (
    "import sys, sardonyx.convert; print(sorted(n for n in sys.modules if n.startswith('sardonyx.convert.')))"
)


def test_every_name_has_a_home() -> None:
    homes = [name for names in convert._HOMES.values() for name in names]
    assert sorted(homes) == convert.__all__
    for name in homes:
        assert callable(getattr(convert, name))
        assert name in vars(convert), "the next look costs nothing"


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    asked = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match=r"'sardonyx\.convert' has no attribute 'from_matlab'"):
        _ = convert.from_matlab
