"""On which targets a quick case runs: on the machine, and in turn on one of the others.

`make test-all` runs every case on every target.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.conformance.targets import TARGETS

ALWAYS = "native"
OTHERS = [target for target in TARGETS if target != ALWAYS]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cases on targets whose turn it is not are slow."""
    for target, tests in groupby(_quick_cases(items), lambda item: item.callspec.params["target"]):
        for number, item in enumerate(tests):
            if not is_turn(target, number):
                item.add_marker(pytest.mark.slow)


def is_turn(target: str, number: int) -> bool:
    """Whether a target runs the quick case of that number."""
    return target in (ALWAYS, OTHERS[number % len(OTHERS)])


def _quick_cases(items: list[pytest.Item]) -> Iterator[pytest.Function]:
    for item in items:
        if isinstance(item, pytest.Function) and item.originalname == "test_case":
            known = getattr(item, "callspec", None)
            is_of_target = known is not None and {"case", "target"} == set(known.params)
            if is_of_target and item.get_closest_marker("slow") is None:
                yield item
