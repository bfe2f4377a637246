"""The public names: each has one home, is imported when it is first used, and no others are there."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import sardonyx


def declared() -> dict[str, str]:
    """The module of each name that type checkers see, from the source."""
    (block,) = (node for node in ast.parse(source()).body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: node.module or ""
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def source() -> str:
    assert sardonyx.__file__ is not None
    return Path(sardonyx.__file__).read_text(encoding="utf-8")


def test_type_checkers_and_users_see_the_same_names() -> None:
    assert sorted({*declared(), "__version__"}) == sardonyx.__all__


def test_a_name_is_that_of_its_home() -> None:
    for name, home in declared().items():
        expected = (
            importlib.import_module(f"{home}.{name}")
            if home == "sardonyx"
            else getattr(importlib.import_module(home), name)
        )
        assert sardonyx.__getattr__(name) is expected, name
        assert getattr(sardonyx, name) is expected, name
        assert name in dir(sardonyx)


@pytest.mark.parametrize("name", ["nonsense", "_HOMELESS", "__wrapped__", "ort_", ""])
def test_other_names_are_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'sardonyx' has no attribute '{name}'"):
        sardonyx.__getattr__(name)


def test_what_only_onnxruntime_has_says_why() -> None:
    absent = sardonyx.ModelPackage  # type: ignore[attr-defined]
    with pytest.raises(
        sardonyx.capi.onnxruntime_pybind11_state.Fail, match="model packages are not supported"
    ):
        absent()
    assert "ModelPackage" not in sardonyx.__all__


@pytest.mark.parametrize("name", ["mlflow", "monitor", "otel", "postgres", "ray"])
def test_extras_of_the_server_bring_it(name: str) -> None:
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert "sardonyx[serve]" in extras["optional-dependencies"][name]


ROOT = Path(__file__).parents[2]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]["optional-dependencies"]
NAMED = re.compile(r"(?:sardonyx|/source)\[([a-z]+(?:[,-][a-z]+)+)\]")


def brought(extra: str) -> set[str]:
    """The extras that one brings along."""
    named = {
        one
        for text in EXTRAS[extra]
        for found in re.findall(r"^sardonyx\[(.*)\]", text)
        for one in found.split(",")
    }
    return named.union(*map(brought, named))


@pytest.mark.parametrize("folder", ["src", "docs", "deploy", "examples"])
def test_no_extra_is_named_beside_one_that_brings_it(folder: str) -> None:
    kinds = {".py", ".md", ".ipynb", ".yaml", ""}
    for path in (
        path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds and path.is_file()
    ):
        for found in NAMED.findall(path.read_text(encoding="utf-8")):
            named = found.split(",")
            assert not set(named) & set().union(*map(brought, named)), f"{path}: {found}"
