"""Refusals of access: counted by kind, few kinds at a time, written once."""

from __future__ import annotations

import pytest

from sardonyx.database import Database
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.registry.audit import Audit
from sardonyx.registry.denied import ACTION, Denied

NO = ServeError(Code.FORBIDDEN, "not for you")


def test_equal_refusals_are_one_entry(database: Database) -> None:
    denied = Denied()
    for _ in range(3):
        denied.note("shop", "infer", "secret", NO)
    denied.note("anonymous", "admin", "", ServeError(Code.UNAUTHENTICATED, "a key is needed"))
    denied.note("shop", "infer", "add", ServeError(Code.QUOTA, "used up"))
    denied.write(database)
    denied.write(database)
    audit = Audit(database)
    other, shop = audit.entries()
    assert (shop.actor, shop.action, shop.subject) == ("shop", ACTION, "secret")
    assert shop.detail == {"to": "infer", "reason": "not for you", "times": 3}
    assert other.detail == {"to": "admin", "reason": "a key is needed", "times": 1}
    assert audit.check().broken is None


def test_nobody_fills_the_log(database: Database) -> None:
    denied = Denied()
    for number in range(1000):
        denied.note("anonymous", "infer", f"model{number}", NO)
    denied.write(database)
    entries = Audit(database).entries(limit=1000)
    assert len(entries) == 51
    assert (entries[0].actor, entries[0].detail) == ("several", {"times": 950})


def test_what_could_not_be_written_is_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = Denied()
    denied.note("shop", "infer", "secret", NO)
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", _gone)
        with pytest.raises(ServeError):
            denied.write(database)
    denied.note("shop", "infer", "secret", NO)
    denied.write(database)
    assert Audit(database).entries()[0].detail["times"] == 2


def _gone(**_: object) -> None:
    raise ServeError(Code.UNAVAILABLE, "gone")
