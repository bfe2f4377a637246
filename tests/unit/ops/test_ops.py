"""Importing a file registers its operators: just those of one, or all."""

from __future__ import annotations

import importlib
import json

import pytest

from sardonyx import ops
from sardonyx.errors import UnsupportedOp
from sardonyx.ops import HOMES, register, register_all
from sardonyx.ops.table import lookup, operators


def test_the_table_names_the_file_of_every_operator() -> None:
    register_all()
    homes = json.loads(HOMES.read_text(encoding="utf-8"))
    found = {(o.domain, o.name): o.build.__module__ for o in operators()}
    named = {(d, n): f"sardonyx.ops.{home}" for d, names in homes.items() for n, home in names.items()}
    assert named.keys() == found.keys()
    for key, module in named.items():
        assert importlib.import_module(module), key


@pytest.mark.parametrize(("domain", "name"), [("", "Softmax"), ("com.microsoft", "BeamSearch")])
def test_an_operator_is_known_once_it_is_registered(domain: str, name: str) -> None:
    register(domain, name)
    assert lookup(domain, name, 99).name == name


def test_for_one_that_no_file_is_known_to_have_all_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(ops, "register_all", lambda: imported.append("all"))
    monkeypatch.setattr(ops.importlib, "import_module", imported.append)
    register("", "Softmax")
    register("", "NoSuch")
    register("no.such.domain", "Softmax")
    assert imported == ["sardonyx.ops.onnx.reduce", "all", "all"]
    with pytest.raises(UnsupportedOp, match="NoSuch"):
        lookup("", "NoSuch", 21)
