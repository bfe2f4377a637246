"""A group has a name for messages."""

from __future__ import annotations

from sardonyx.base import dtype as dt
from sardonyx.ir.group import Group
from sardonyx.ir.origin import origin
from sardonyx.ir.value import placeholder


def test_groups_are_named_by_their_root_and_its_node() -> None:
    x = placeholder("x", dt.F32, (2,))
    with origin("Exp_7"):
        named = x.exp()
    assert Group("loops", named, None).name == "exp of Exp_7"
    assert Group("loops", placeholder("y", dt.F32, (2,)).log(), None).name == "log"
