"""Who may do what: with keys, without any key yet, from this machine and through proxies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sardonyx.database import now
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.registry.guard import RegistryGuard
from sardonyx.registry.keys import MARK, hashed
from sardonyx.registry.state import KeyState, State


def key(**changes: Any) -> KeyState:
    facts = {
        "principal": Principal("ann", frozenset({"infer", "metadata"}), ("fraud-*",)),
        "secret_sha256": hashed("secret"),
        "expires_at": None,
        "quotas": (),
    }
    return KeyState(**{**facts, **changes})


def guard(*, local: bool = True, required: bool = False, **keys: KeyState) -> RegistryGuard:
    state = State(keys=keys, closed=bool(keys))
    return RegistryGuard(lambda: state, local=local, required=required)


BEARER = {"authorization": f"Bearer {MARK}_abc_secret"}


def code(made: RegistryGuard, headers: dict[str, str], action: str = "infer", model: str = "") -> Code | None:
    try:
        made.admit(headers, action, model)
    except ServeError as error:
        return error.code
    return None


def test_before_the_first_key_everybody_infers_and_this_machine_does_all() -> None:
    made = guard()
    assert code(made, {}) is None
    assert code(made, {"host": "localhost:8000"}, "admin") is None
    for headers in ({"host": "evil.example:8000"}, {"host": "localhost", "x-forwarded-for": "1.2.3.4"}):
        assert code(made, headers, "admin") is Code.FORBIDDEN
    assert code(guard(local=False), {}, "admin") is Code.FORBIDDEN
    assert code(guard(required=True), {}) is Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://localhost:8000", "localhost:8000", None),
        ("https://[::1]:8000", "[::1]:8000", None),
        ("http://localhost:3000", "localhost:8000", Code.FORBIDDEN),
        ("http://evil.example", "localhost:8000", Code.FORBIDDEN),
        ("null", "localhost:8000", Code.FORBIDDEN),
        ("", "localhost", Code.FORBIDDEN),
    ],
)
def test_a_page_of_this_server_alone_is_this_machine(origin: str, host: str, expected: Code | None) -> None:
    headers = {"origin": origin, "host": host}
    assert code(guard(), headers, "repository") is expected
    assert code(guard(), headers) is None
    assert code(guard(abc=key()), {**headers, **BEARER}) is None


def test_the_first_key_ends_that() -> None:
    made = guard(abc=key())
    assert code(made, {}) is Code.UNAUTHENTICATED
    assert code(made, BEARER, model="fraud-1@champion") is None
    assert code(made, {"x-api-key": f"{MARK}_abc_secret"}) is None
    assert "abc" in made.used


@pytest.mark.parametrize(
    ("headers", "action", "model", "expected"),
    [
        (BEARER, "admin", "", Code.FORBIDDEN),
        (BEARER, "infer", "other", Code.FORBIDDEN),
        ({"authorization": f"Bearer {MARK}_abc_wrong"}, "infer", "", Code.UNAUTHENTICATED),
        ({"authorization": f"Bearer {MARK}_xyz_secret"}, "infer", "", Code.UNAUTHENTICATED),
        ({"authorization": f"Bearer {MARK}_"}, "infer", "", Code.UNAUTHENTICATED),
        ({"authorization": "Basic abc"}, "infer", "", Code.UNAUTHENTICATED),
        ({"authorization": "Bearer "}, "infer", "", Code.UNAUTHENTICATED),
        ({"authorization": "Bearer some.other.token"}, "infer", "", Code.UNAUTHENTICATED),
    ],
)
def test_refusals(headers: dict[str, str], action: str, model: str, expected: Code) -> None:
    assert code(guard(abc=key()), headers, action, model) is expected


def test_keys_expire_and_have_quotas() -> None:
    assert code(guard(abc=key(expires_at=now() - timedelta(seconds=1))), BEARER) is Code.UNAUTHENTICATED
    assert code(guard(abc=key(expires_at=now() + timedelta(hours=1))), BEARER) is None
    made = guard(abc=key(quotas=("2/hour",)))
    assert [code(made, BEARER, "metadata"), code(made, BEARER), code(made, BEARER)] == [None] * 3
    with pytest.raises(ServeError, match="2/hour") as error:
        made.admit(BEARER, "infer", "")
    assert error.value.code is Code.QUOTA
    assert 0 < (error.value.retry_after_s or 0) <= 7200


def test_to_open_a_page_without_a_key_is_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    made, noted = guard(abc=key()), list[tuple[object, ...]]()
    monkeypatch.setattr(made.denied, "note", lambda *what: noted.append(what[1:3]))
    assert code(made, {}, "metadata") is Code.UNAUTHENTICATED and not noted
    for headers, action, model in (
        ({}, "metadata", "fraud-1"),
        ({}, "infer", ""),
        ({"authorization": "Basic x"}, "metadata", ""),
        ({"x-api-key": "wrong"}, "metadata", ""),
    ):
        assert code(made, headers, action, model) is Code.UNAUTHENTICATED
        assert noted.pop() == (action, model)
