"""Names are imported when they are first used, kept then, and missed in words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sardonyx.base.lazy import lazy


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of two modules, one of which wants a distribution that does not exist."""
    folder = tmp_path / "lazily"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "numbers.py").write_text("one, two = 1, 2")
    (folder / "needy.py").write_text("import no_such_distribution")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "lazily", ModuleType("lazily"))
    sys.modules["lazily"].__path__ = [str(folder)]
    yield "lazily"
    for name in ("numbers", "needy"):
        sys.modules.pop(f"lazily.{name}", None)


def find(package: str, needed: str = "") -> Callable[[str], object]:
    return lazy(package, {"numbers": ("one",)}, {"numbers": ("two",), "needy": ("three",)}, needed=needed)


def test_a_name_is_imported_when_used_and_kept(package: str) -> None:
    found = find(package)
    assert "lazily.numbers" not in sys.modules
    assert (found("one"), found("two")) == (1, 2)
    assert vars(sys.modules[package])["one"] == 1
    with pytest.raises(AttributeError, match="module 'lazily' has no attribute 'four'"):
        found("four")


def test_names_may_live_in_another_package(package: str) -> None:
    sys.modules["lazily.shown"] = ModuleType("lazily.shown")
    try:
        assert lazy("lazily.shown", {"numbers": ("two",)}, within=package)("two") == 2
        assert vars(sys.modules["lazily.shown"])["two"] == 2
        assert "two" not in vars(sys.modules[package])
    finally:
        del sys.modules["lazily.shown"]


def test_a_distribution_that_is_missing_is_named_with_what_to_do(package: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_distribution'"):
        find(package)("three")
    with pytest.raises(ImportError, match="^counting needs no_such_distribution; install it$") as caught:
        find(package, "counting needs {}; install it")("three")
    assert caught.value.name == "no_such_distribution"
