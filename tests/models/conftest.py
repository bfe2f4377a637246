"""Real models are judged by the code that runs in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def full_effort() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SARDONYX_EFFORT", "full")
        yield
