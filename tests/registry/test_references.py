"""What a reference to a version means, asked of rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import NewModel, Version
from sardonyx.registry.catalog import Catalog
from sardonyx.registry.references import CHAMPION, find_model, resolve


def number(database: Database, reference: str) -> int:
    with database.read() as session:
        return resolve(find_model(session, "digits"), reference).number


def test_nothing_means_the_champion_or_else_the_newest(
    database: Database, catalog: Catalog, enter: Callable[..., Version]
) -> None:
    enter("digits")
    enter("digits")
    assert (number(database, ""), number(database, "1")) == (2, 1)
    catalog.set_alias("digits", CHAMPION, "1", "tester")
    assert number(database, "") == number(database, f"@{CHAMPION}") == 1


@pytest.mark.parametrize(
    ("model", "reference", "why"),
    [
        ("none", "", "no model is registered as 'none'; 2 are"),
        ("digits", "7", "digits has no version '7'; it has 1"),
        ("digits", "@old", "digits has no alias @old; it has no alias"),
        ("empty", "", "empty has no version yet"),
        ("empty", "1", "empty has no version '1'; it has no version yet"),
    ],
)
def test_what_a_reference_does_not_mean_is_told(
    database: Database, catalog: Catalog, enter: Callable[..., Version], model: str, reference: str, why: str
) -> None:
    enter("digits")
    catalog.create(NewModel(name="empty"), "tester")
    with database.read() as session, pytest.raises(ServeError, match=why) as caught:
        resolve(find_model(session, model), reference)
    assert caught.value.code is Code.NOT_FOUND
