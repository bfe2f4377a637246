"""Every operator gives what the definition says, on drawn calls: in numpy, native, at one and two threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sardonyx.ops.table import operators
from tests.property.operators.check import GRAPH, NATIVE, Case, cases, check
from tests.property.operators.elsewhere import ELSEWHERE
from tests.property.operators.recipe import Recipe, recipes

RECIPES = list(recipes())
CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
every = pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.label)


def explore(recipe: Recipe, targets: dict[str, Callable[..., Any]], examples: int, **options: Any) -> None:
    """Check that many drawn calls of one operator."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=CHECKS, **options)
    @given(cases(recipe))
    def run(case: Case) -> None:
        check(case, targets)

    run()


@every
def test_graph(recipe: Recipe) -> None:
    explore(recipe, GRAPH, 10, derandomize=True)


@every
def test_native(recipe: Recipe) -> None:
    explore(recipe, NATIVE, 3, derandomize=True)


@pytest.mark.slow
@every
def test_graph_many(recipe: Recipe) -> None:
    explore(recipe, GRAPH, 300)


@pytest.mark.slow
@every
def test_native_many(recipe: Recipe) -> None:
    explore(recipe, NATIVE, 50)


def test_every_operator_has_a_recipe() -> None:
    known = {f"{o.domain}.{o.name}" if o.domain else o.name for o in operators()}
    drawn = {recipe.label for recipe in RECIPES}
    assert not drawn & ELSEWHERE.keys(), "these have a recipe by now"
    assert known - drawn == ELSEWHERE.keys()
