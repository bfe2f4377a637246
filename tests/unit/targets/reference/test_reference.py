"""The target without a machine has no features, runs everywhere and is given to nobody unasked."""

from __future__ import annotations

import pytest

from sardonyx.base.policy import Goal
from sardonyx.errors import TargetError
from sardonyx.targets import this_machine
from sardonyx.targets.reference import FAMILY, REFERENCE


def test_the_family() -> None:
    assert FAMILY.targets == (REFERENCE,)
    assert FAMILY.missing(REFERENCE, this_machine()) == ()
    assert FAMILY.choose(this_machine()) is None
    assert FAMILY.with_features(REFERENCE, []) is REFERENCE
    with pytest.raises(TargetError, match="no features"):
        FAMILY.with_features(REFERENCE, ["avx2"])
    assert FAMILY.backend(Goal(REFERENCE)).goal.target is REFERENCE
    assert not REFERENCE.is_machine
