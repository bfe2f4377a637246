"""Every primitive that has a kernel names a module and a function that exist."""

from __future__ import annotations

import pytest

from sardonyx.kernels.opaque import FAMILIES, family


@pytest.mark.parametrize("prim", sorted(FAMILIES))
def test_the_family_of_a_primitive_is_there(prim: str) -> None:
    assert callable(family(prim))
