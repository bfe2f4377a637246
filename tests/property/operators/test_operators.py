"""Every operator gives what the definition says, on drawn calls: in numpy, native, at one and two threads.

A few calls follow from the operator's name; many are drawn by Hypothesis, which makes those that fail small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sardonyx.ops.table import operators
from tests.property.operators.check import GRAPH, NATIVE, Case, cases, check, drawn
from tests.property.operators.choices import BySeed
from tests.property.operators.elsewhere import ELSEWHERE
from tests.property.operators.recipe import Recipe, recipes
from tests.runnable import examples

RECIPES = list(recipes())
CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
DRAWN_TOO = frozenset(recipe.label for recipe in RECIPES[::3])
"""Operators of which `make test` draws a native call beside the simplest; `make test-all` does of all."""
every = pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.label)


def few(recipe: Recipe, targets: dict[str, Callable[..., Any]], most: int) -> None:
    """Check the simplest call of one operator, and others up to that many."""
    tried: set[tuple[int, ...]] = set()
    for number in range(most):
        choices = BySeed(f"{recipe.label} {number}" if number else "")
        case = drawn(choices, recipe)
        if tuple(choices.made) not in tried:
            tried.add(tuple(choices.made))
            try:
                check(case, targets)
            except Exception as error:
                error.add_note(str(case))
                raise


def many(recipe: Recipe, targets: dict[str, Callable[..., Any]], number: int) -> None:
    """Check that many calls of one operator."""

    @settings(max_examples=number, deadline=None, database=None, suppress_health_check=CHECKS)
    @given(cases(recipe))
    def run(case: Case) -> None:
        check(case, targets)

    run()


@every
def test_graph(recipe: Recipe) -> None:
    few(recipe, GRAPH, examples(5, 10))


@every
def test_native(recipe: Recipe) -> None:
    few(recipe, NATIVE, examples(1 + (recipe.label in DRAWN_TOO), 3))


@pytest.mark.slow
@every
def test_graph_many(recipe: Recipe) -> None:
    many(recipe, GRAPH, 300)


@pytest.mark.slow
@every
def test_native_many(recipe: Recipe) -> None:
    many(recipe, NATIVE, 50)


def test_every_operator_has_a_recipe() -> None:
    known = {f"{o.domain}.{o.name}" if o.domain else o.name for o in operators()}
    drawn = {recipe.label for recipe in RECIPES}
    assert not drawn & ELSEWHERE.keys(), "these have a recipe by now"
    assert known - drawn == ELSEWHERE.keys()
