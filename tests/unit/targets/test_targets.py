"""Targets are found by name, judged by the machine, and chosen by what it can do."""

from __future__ import annotations

import pytest

from sardonyx import targets
from sardonyx.base.policy import Goal
from sardonyx.errors import TargetError
from sardonyx.targets.host import Host
from sardonyx.targets.reference.interpreter import ReferenceBackend
from sardonyx.targets.x86_64.backend import X86Backend


def test_names_and_features() -> None:
    assert targets.by_name("x86_64-v4+avx512vnni").has("avx512vnni")
    assert targets.by_name("reference").lanes == 1
    with pytest.raises(TargetError, match="choose one of x86_64"):
        targets.by_name("z80")
    with pytest.raises(TargetError):
        targets.by_name("x86_64-v4+nonsense")


def test_each_target_has_its_backend() -> None:
    assert isinstance(targets.backend(Goal(targets.by_name("x86_64-v3"))), X86Backend)
    assert isinstance(targets.backend(Goal(targets.by_name("reference"))), ReferenceBackend)


def test_a_machine_that_fits_nothing_is_told_what_runs_anywhere() -> None:
    with pytest.raises(TargetError, match="`reference` runs on any machine"):
        targets.choose(Host(machine="sparc", features=frozenset()))
    assert targets.choose(targets.this_machine()) == targets._best()
