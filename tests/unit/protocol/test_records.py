"""Questions refuse what nobody knows, answers ignore it; defaults are nobody else's."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from sardonyx.protocol import records
from sardonyx.protocol.records import ROLES, SCOPES, Key, NewDeployment, NewKey, NewModel, TensorSpec


def test_roles_grow() -> None:
    sets = [set(scopes) for scopes in ROLES.values()]
    assert all(a < b for a, b in pairwise(sets))
    assert sets[-1] == set(SCOPES)


def test_unknown_fields() -> None:
    assert msgspec.json.decode(b'{"name": "x", "type": "t", "newer": 1}', type=TensorSpec).name == "x"
    with pytest.raises(msgspec.ValidationError, match="unknown field `nmae`"):
        msgspec.json.decode(b'{"name": "x", "nmae": "y"}', type=NewModel)


def test_percentages_are_bounded() -> None:
    with pytest.raises(msgspec.ValidationError, match="<= 100"):
        msgspec.json.decode(b'{"model": "m", "weight": 101}', type=NewDeployment)


def test_defaults_are_made_anew() -> None:
    assert NewKey(name="a").models == ["*"]
    assert NewKey(name="a").models is not NewKey(name="b").models
    assert issubclass(records.IssuedKey, Key)
