"""API keys: made, listed, revoked. Only a SHA-256 of the secret is kept.

A key reads `sdx_PREFIX_SECRET`: the prefix finds it, 256 random bits prove it; so a fast hash is enough.
Must not know how a request carries a key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

import limits
from sqlalchemy import select, update

from sardonyx.database import Database, now
from sardonyx.database.access import KeyRow
from sardonyx.protocol.errors import invalid, not_found
from sardonyx.protocol.records import ROLES, SCOPES, IssuedKey, Key, NewKey
from sardonyx.registry import audit
from sardonyx.registry.names import checked_name

MARK = "sdx"


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keys(self, *, all: bool = False) -> list[Key]:
        """Keys by the time they were made; without `all`, only those that are good."""
        with self._database.read() as session:
            found = [key_record(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.id))]
        return [key for key in found if all or is_good(key.expires_at, key.revoked_at)]

    def create(self, new: NewKey, actor: str) -> IssuedKey:
        """A new key; the answer is the only place where its secret is."""
        checked_name(new.name, "a key")
        scopes = _scopes(new)
        for quota in new.quotas:
            parsed_quota(quota)
        if new.expires_in_s is not None and new.expires_in_s <= 0:
            raise invalid("a key expires in more than 0 seconds")
        if not new.models or not all(new.models):
            raise invalid("a key needs at least one pattern of models; '*' means all")
        if "admin" in scopes and "*" not in new.models:
            raise invalid("a key with the scope admin can make keys for all models, so it must be for '*'")
        prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        with self._database.write() as session:
            row = KeyRow(
                prefix=prefix,
                secret_sha256=hashed(secret),
                name=new.name,
                scopes=scopes,
                models=new.models,
                quotas=new.quotas,
                created_by=actor,
                expires_at=None if new.expires_in_s is None else now() + timedelta(seconds=new.expires_in_s),
            )
            session.add(row)
            session.flush()
            detail = {"name": new.name, "scopes": scopes, "models": new.models, "quotas": new.quotas}
            audit.record(session, actor, "key.create", prefix, detail)
            record = key_record(row)
        fields = {name: getattr(record, name) for name in record.__struct_fields__}
        return IssuedKey(**fields, secret=f"{MARK}_{prefix}_{secret}")

    def revoke(self, prefix: str, actor: str) -> Key:
        """Let a key be good no more, at once."""
        with self._database.write() as session:
            row = session.scalar(select(KeyRow).where(KeyRow.prefix == prefix))
            if row is None:
                raise not_found(f"there is no key with the prefix {prefix!r}; `sardonyx key list` shows them")
            row.revoked_at = row.revoked_at or now()
            audit.record(session, actor, "key.revoke", prefix, {"name": row.name})
            return key_record(row)

    def used(self, moments: Mapping[str, datetime]) -> None:
        """Note when keys, by prefix, were last used."""
        with self._database.write(silent=True) as session:
            for prefix, moment in moments.items():
                session.execute(update(KeyRow).where(KeyRow.prefix == prefix).values(last_used_at=moment))


def hashed(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_good(expires_at: datetime | None, revoked_at: datetime | None) -> bool:
    """Whether a key is neither expired nor revoked."""
    return revoked_at is None and (expires_at is None or expires_at > now())


def parsed_quota(text: str) -> limits.RateLimitItem:
    """A quota such as `100/minute` or `5 per 2 seconds`. Raises ServeError INVALID_ARGUMENT."""
    try:
        return limits.parse(text)
    except ValueError as error:
        raise invalid(f"{text!r} is not a quota; write for example 100/minute or 5 per second") from error


def key_record(row: KeyRow) -> Key:
    """The record of a row."""
    return Key(
        prefix=row.prefix,
        name=row.name,
        scopes=row.scopes,
        models=row.models,
        quotas=row.quotas,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _scopes(new: NewKey) -> list[str]:
    if bool(new.role) == bool(new.scopes):
        raise invalid(f"a key needs a role ({', '.join(ROLES)}) or scopes ({', '.join(SCOPES)})")
    if new.role:
        if new.role not in ROLES:
            raise invalid(f"{new.role!r} is not a role; roles are {', '.join(ROLES)}")
        return list(ROLES[new.role])
    if unknown := set(new.scopes) - set(SCOPES):
        raise invalid(f"{unknown.pop()!r} is not a scope; scopes are {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in new.scopes]
