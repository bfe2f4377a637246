"""Names of things that do not exist can be imported; their use says why not and what to do."""

from __future__ import annotations

import pytest

from sardonyx.ort import absent
from sardonyx.ort.exceptions import Fail


@pytest.mark.parametrize("name", absent.REASONS)
def test_use_is_refused_with_the_reason(name: str) -> None:
    stand_in = getattr(absent, name)
    assert getattr(absent, name) is stand_in
    assert isinstance(stand_in, type)
    assert stand_in.__name__ == name
    assert absent.REASONS[name] in (stand_in.__doc__ or "")
    with pytest.raises(Fail, match=f"{name} is not available"):
        stand_in(1, key=2)
    with pytest.raises(Fail, match=rf"{name}\.open is not available"):
        _ = stand_in.open  # type: ignore[attr-defined]
    assert not hasattr(stand_in, "__wrapped__"), "tools that look at a class find an ordinary one"


def test_other_names_are_no_attributes() -> None:
    assert not hasattr(absent, "InferenceSession")
