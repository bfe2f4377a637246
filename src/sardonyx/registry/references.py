"""What a reference to a model's version means: `3`, `@champion` or nothing.

Must not know what is done with a version.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sardonyx.database.registry import ModelRow, VersionRow
from sardonyx.protocol.errors import ServeError, not_found

CHAMPION = "champion"


def find_model(session: Session, name: str) -> ModelRow:
    """The row of a model. Raises ServeError NOT_FOUND."""
    row = session.scalar(select(ModelRow).where(ModelRow.name == name))
    if row is None:
        count = session.scalar(select(func.count()).select_from(ModelRow))
        raise not_found(f"no model is registered as {name!r}; {count} are, see `sardonyx models`")
    return row


def resolve(model: ModelRow, reference: str) -> VersionRow:
    """The version meant: a number, `@alias`, or "" for @champion and without one the newest.

    Raises ServeError NOT_FOUND.
    """
    if reference.startswith("@"):
        pointer = next((alias for alias in model.aliases if alias.name == reference[1:]), None)
        if pointer is None:
            raise no_alias(model, reference[1:])
        return pointer.version
    if reference:
        row = next((row for row in model.versions if str(row.number) == reference), None)
        if row is None:
            known = ", ".join(str(row.number) for row in model.versions) or "no version yet"
            raise not_found(f"{model.name} has no version {reference!r}; it has {known}")
        return row
    champion = next((alias.version for alias in model.aliases if alias.name == CHAMPION), None)
    if champion is not None:
        return champion
    if not model.versions:
        raise not_found(f"{model.name} has no version yet")
    return model.versions[-1]


def no_alias(model: ModelRow, alias: str) -> ServeError:
    """The error of an alias that a model does not have."""
    known = ", ".join(f"@{row.name}" for row in model.aliases) or "no alias"
    return not_found(f"{model.name} has no alias @{alias}; it has {known}")
