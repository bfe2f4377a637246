"""Who may do what: API keys, bearer tokens of an identity provider, quotas, and the time before any key.

Asked on the event loop, so it looks at memory alone. Must not know where keys are kept or tokens come from.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from sardonyx.database import now
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import SCOPES
from sardonyx.registry.denied import Denied
from sardonyx.registry.keys import MARK, hashed
from sardonyx.registry.quotas import Quotas
from sardonyx.registry.state import KeyState, State

ALL = frozenset(SCOPES)
OPEN = frozenset({"infer", "metadata"})
_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key"})
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NO_HASH = hashed("")
_OWNER, _ANYBODY = Principal("anonymous", ALL), Principal("anonymous", OPEN)


class Tokens(Protocol):
    """Reads bearer tokens that are not keys of ours."""

    def principal(self, token: str) -> Principal:
        """Who the token names. Raises ServeError UNAUTHENTICATED; answers from memory."""


class RegistryGuard:
    """Admits by keys and tokens.

    While there is neither a key nor an identity provider, everybody may infer and read, and whoever is on
    this machine (`local`) may do everything; the first key ends that.
    """

    def __init__(
        self,
        state: Callable[[], State],
        *,
        local: bool,
        tokens: Tokens | None = None,
        required: bool = False,
        quotas: Quotas | None = None,
    ) -> None:
        self._state = state
        self._local = local
        self._tokens = tokens
        self._required = required
        self.quotas = quotas or Quotas()
        self.denied = Denied()
        self.used: dict[str, datetime] = {}

    def admit(self, headers: Mapping[str, str], action: str, model: str) -> Principal:
        """The principal behind the headers; see `Guard` in serve/seams.py."""
        if action in OPEN and self.open:
            return _ANYBODY if action == "infer" else self._unnamed(headers)
        principal, used = Principal(), None
        try:
            secret = _secret(headers)
            if secret is None:
                return self._anonymous(headers, action)
            if secret.startswith(f"{MARK}_"):
                used = self._key(secret)
                principal = used[1].principal
            elif self._tokens is not None:
                principal = self._tokens.principal(secret)
            else:
                raise _unknown("this is not an API key, and no identity provider is configured")
            _check(principal, action, model.partition("@")[0])
        except ServeError as error:
            if action != "metadata" or model or not _KEY_HEADERS.isdisjoint(headers):
                self.denied.note(principal.name, action, model, error)
            raise
        if used is not None:
            self._count(*used, action)
        return principal

    @property
    def open(self) -> bool:
        """Whether requests without a key are admitted."""
        return not self._required and self._tokens is None and not self._state().closed

    def _anonymous(self, headers: Mapping[str, str], action: str) -> Principal:
        if not self.open:
            raise _unknown("a key is needed: send the header 'Authorization: Bearer KEY'")
        principal = self._unnamed(headers)
        if action not in principal.scopes:
            raise ServeError(
                Code.FORBIDDEN,
                f"'{action}' needs a key; make the first one on the server's machine: "
                "sardonyx key create NAME --role admin",
            )
        return principal

    def _unnamed(self, headers: Mapping[str, str]) -> Principal:
        return _OWNER if self._local and _is_direct(headers) else _ANYBODY

    def _key(self, secret: str) -> tuple[str, KeyState]:
        """The prefix and the state of a key that is good."""
        _, prefix, rest = (*secret.split("_", 2), "", "")[:3]
        key = self._state().keys.get(prefix)
        proven = hmac.compare_digest(key.secret_sha256 if key else _NO_HASH, hashed(rest))
        if key is None or not proven:
            raise _unknown("the key is unknown or was revoked")
        if key.expires_at is not None and key.expires_at <= now():
            raise _unknown(f"the key {key.principal.name!r} expired at {key.expires_at:%Y-%m-%d %H:%M} UTC")
        return prefix, key

    def _count(self, prefix: str, key: KeyState, action: str) -> None:
        self.used[prefix] = now()
        if action != "infer":
            return
        for text in key.quotas:
            wait_s = self.quotas.hit(prefix, text)
            if wait_s is not None:
                raise ServeError(
                    Code.QUOTA, f"the key {key.principal.name!r} has used its quota of {text}", wait_s
                )


def host_of(address: str) -> str:
    """The name in a Host header, or in the address of an origin, without its port: in lower case."""
    if address.startswith("["):
        return address[1:].partition("]")[0].lower()
    return address.partition(":")[0].lower()


def is_of(origin: str, host: str) -> bool:
    """Whether a page of that origin came from the server of that Host header."""
    return origin.lower().partition("://")[2] == host.lower()


def _is_direct(headers: Mapping[str, str]) -> bool:
    """Whether a request was sent to this machine by its own name, and not by a proxy or a foreign page.

    A page whose name was made to point here (DNS rebinding) gives itself away by the name, any other by its
    origin, which browsers send with all that may change something.
    """
    host, origin = headers.get("host", "localhost"), headers.get("origin")
    return (
        host_of(host) in LOOPBACK
        and (origin is None or is_of(origin, host))
        and "x-forwarded-for" not in headers
        and "forwarded" not in headers
    )


def _secret(headers: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unknown("the header Authorization must read 'Bearer KEY'")
        return token.strip()
    return headers.get("x-api-key") or headers.get("api-key")


def _check(principal: Principal, action: str, name: str) -> None:
    if action not in principal.scopes:
        held = ", ".join(sorted(principal.scopes)) or "nothing"
        raise ServeError(Code.FORBIDDEN, f"{principal.name!r} may not '{action}', only {held}")
    if name and not principal.may_see(name):
        raise ServeError(Code.FORBIDDEN, f"{principal.name!r} has no access to {name!r}")


def _unknown(message: str) -> ServeError:
    return ServeError(Code.UNAUTHENTICATED, message)
