"""A primitive of a folder above is registered when it is first asked for, and not before."""

from __future__ import annotations

import pytest

from sardonyx.ir import late
from sardonyx.ir.prims import PRIMS, register


def test_a_primitive_is_registered_when_it_is_first_asked_for() -> None:
    calls: list[str] = []

    def load() -> None:
        calls.append("loaded")
        register("of_above", "opaque", lambda x: x)

    late.register_late("of_above", load)
    try:
        assert not calls
        assert PRIMS["of_above"].kind == "opaque"
        assert PRIMS["of_above"].name == "of_above"
        assert calls == ["loaded"]
    finally:
        del late.LOADERS["of_above"], PRIMS["of_above"]


def test_a_loader_that_registers_nothing_is_no_primitive() -> None:
    late.register_late("nothing", lambda: None)
    try:
        with pytest.raises(KeyError, match="nothing"):
            PRIMS["nothing"]
    finally:
        del late.LOADERS["nothing"]
