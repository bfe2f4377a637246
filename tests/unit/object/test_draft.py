"""A draft comes back from its bytes as it was; what is no draft is refused."""

from __future__ import annotations

import pytest

from sardonyx.object.draft import Draft, Part

DRAFT = Draft(
    [Part("a" * 64, True, b"define void\n@x"), Part("b" * 64, False, bytes(range(256))), Part("c", True, b"")]
)


@pytest.mark.parametrize("draft", [DRAFT, Draft([])], ids=["modules", "nothing"])
def test_a_draft_comes_back_from_its_bytes(draft: Draft) -> None:
    assert Draft.from_bytes(b"".join(draft.to_bytes())) == draft


@pytest.mark.parametrize("damage", [slice(1), slice(-1), slice(4, None)], ids=["head", "cut", "begin"])
def test_what_is_no_draft_is_refused(damage: slice) -> None:
    with pytest.raises(ValueError):
        Draft.from_bytes(b"".join(DRAFT.to_bytes())[damage])
