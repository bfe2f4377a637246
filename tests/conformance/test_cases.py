"""Every case of ONNX on every target; one of each operator in `make test`, all in `make test-all`.

`make test K=Softmax` runs all cases of one operator.
"""

from __future__ import annotations

import pytest

from tests.conformance.cases import Case, load_cases, quick_names, run_case
from tests.conformance.ignored import ignored
from tests.conformance.targets import TARGETS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cases that are slow are not even made where none is wanted: there are ten times as many."""
    if "case" in metafunc.fixturenames:
        quick_alone = metafunc.config.option.markexpr == "not slow"
        metafunc.parametrize(("case", "target"), parameters(quick_names(), quick_alone=quick_alone))


def parameters(quick: frozenset[str], *, quick_alone: bool) -> list[object]:
    return [
        pytest.param(
            case,
            target,
            id=f"{target}-{case.operators[0].replace(' ', '-')}-{case.name.removeprefix('test_')}",
            marks=[] if case.name in quick else [pytest.mark.slow],
        )
        for target in TARGETS
        for case in load_cases().values()
        if case.name in quick or not quick_alone
    ]


def test_case(case: Case, target: str) -> None:
    reason = ignored(target).get(case.name)
    try:
        wrong = run_case(case, TARGETS[target])
    except Exception as error:
        if reason is None:
            raise
        wrong = str(error)
    if reason is None:
        assert wrong is None, wrong
    else:
        assert wrong is not None, f"{case.name} passes now: take it out of ignored.txt ({reason})"


def test_ignored_names_are_cases() -> None:
    for target in TARGETS:
        assert not set(ignored(target)) - set(load_cases())


def test_at_most_one_case_in_a_hundred_is_ignored() -> None:
    for target in TARGETS:
        assert len(ignored(target)) <= len(load_cases()) // 100
