"""A library that is missing is told with what it is for and how it comes."""

from __future__ import annotations

import pytest

from sardonyx.monitor.needs import MissingLibraryError, need


def test_what_is_there_is_not_said() -> None:
    need("json", "anything")


def test_what_is_missing_says_for_what_and_how_to_get_it() -> None:
    with pytest.raises(
        MissingLibraryError, match=r"^the payload log needs nowhere: pip install 'sardonyx\[monitor\]'$"
    ):
        need("nowhere", "the payload log")
