"""Bearer tokens of an OpenID Connect provider: whose they are and which scopes their claims give.

The provider's keys are fetched in the background and kept; a request never waits for it. Must not know API
keys.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sardonyx.client.outbound import Outbound
from sardonyx.ort.logger import WARNING, log
from sardonyx.protocol.errors import Code, ServeError, invalid
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import ROLES

if TYPE_CHECKING:
    import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_FRESH_S = 300.0
_AGAIN_S = 10.0
_LEEWAY_S = 30
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider and what its tokens mean here.

    Values of the claim `roles_claim` are names of roles, by way of `roles` if given there; a name with dots
    reaches into nested claims.
    """

    issuer: str
    audience: str
    roles_claim: str = "roles"
    name_claim: str = "sub"
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in self.roles.values():
            if role not in ROLES:
                raise invalid(f"{role!r} is not a role; roles are {', '.join(ROLES)}")


class ProviderTokens:
    """Verifies tokens by the provider's keys in memory; `refresh` fetches those."""

    def __init__(self, provider: Provider, outbound: Outbound) -> None:
        self._provider = provider
        self._outbound = outbound
        self._keys: dict[str, jwt.PyJWK] = {}
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._fetched_s = -_FRESH_S
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Fetch the provider's keys. Raises ServeError UNAVAILABLE; the old keys stay good."""
        import jwt

        found = json.loads(
            self._outbound.get(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        )
        if found.get("issuer") != self._provider.issuer:
            raise ServeError(
                Code.UNAVAILABLE,
                f"the provider's configuration names another issuer, {found.get('issuer')!r}",
            )
        document = json.loads(self._outbound.get(found["jwks_uri"]))
        keys = {}
        for row in document["keys"]:
            if row.get("use", "sig") == "sig" and row.get("kty") in ("RSA", "EC", "OKP"):
                try:
                    keys[row.get("kid", "")] = jwt.PyJWK(row)
                except jwt.PyJWTError:
                    continue
        self._keys = keys
        self._known.clear()
        self._fetched_s = time.monotonic()

    def refresh_if_old(self) -> None:
        """`refresh` when the keys are older than five minutes; what goes wrong is logged."""
        if time.monotonic() - self._fetched_s >= _FRESH_S:
            self._refresh_quietly()

    def principal(self, token: str) -> Principal:
        """Who the token names, with the scopes of its roles."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > time.time():
            return known[1]
        claims = self._claims(token)
        principal = Principal(
            str(claims.get(self._provider.name_claim) or claims["sub"]), self._scopes(claims)
        )
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[digest] = (float(claims["exp"]), principal)
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(header.get("kid", ""))
            if key is None:
                self._ask_again()
                raise ServeError(
                    Code.UNAUTHENTICATED,
                    "the token is signed by a key that the provider does not publish",
                    1.0,
                )
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise ServeError(Code.UNAUTHENTICATED, f"the token is not accepted: {error}") from None
        return claims

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        found: Any = claims
        for part in self._provider.roles_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        values = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        names = self._provider.roles or {role: role for role in ROLES}
        roles = [names[value] for value in values if isinstance(value, str) and value in names]
        return frozenset(scope for role in roles for scope in ROLES[role])

    def _ask_again(self) -> None:
        """Fetch keys in the background, since one is not known; at most every ten seconds."""
        if time.monotonic() - self._fetched_s >= _AGAIN_S and not self._lock.locked():
            threading.Thread(target=self._refresh_quietly, daemon=True).start()

    def _refresh_quietly(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            self.refresh()
        except (ServeError, ValueError, KeyError) as error:
            self._fetched_s = time.monotonic() - _FRESH_S + _AGAIN_S
            log(WARNING, f"the keys of {self._provider.issuer} could not be fetched: {error}")
        finally:
            self._lock.release()
