"""Totals of leaves: the numpy meaning of each way to combine."""

from __future__ import annotations

import pytest

from sardonyx.kernels.trees.combine import START, combined, start
from sardonyx.llvm.vec import Function, Module


@pytest.mark.parametrize("combine", START)
def test_each_way_has_its_own_code(combine: str) -> None:
    f = Function(Module(), "f", [("a", "double"), ("b", "double")])
    f.ret(combined(f, combine, *f.params))
    f.finish()
    text = f.module.text()
    assert {"sum": "fadd", "min": "fcmp olt", "max": "fcmp ogt"}[combine] in text
    assert start(combine).type == "double"
