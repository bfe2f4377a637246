"""`sardonyx key` and `audit`: a secret is shown once, and a log that was changed is a failure."""

from __future__ import annotations

import json

import msgspec
import pytest

from sardonyx.protocol import records as r
from sardonyx.tools.commands import keys
from sardonyx.tools.console import UserError
from tests.unit.tools.commands.running import BY, NOW, Server

KEY = r.Key(
    prefix="sdx_1", name="shop", scopes=["infer", "metadata"], models=["a*"], quotas=["9/minute"], **BY
)
USED = msgspec.structs.replace(KEY, expires_at=NOW, revoked_at=NOW, last_used_at=NOW)
AUDIT = "/api/audit?limit=30&subject={}&actor={}"


def test_a_key_is_made(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    issued = r.IssuedKey(secret="sdx_1_secret", **{f: getattr(KEY, f) for f in KEY.__struct_fields__})
    server.says("POST /api/keys", issued)
    assert (
        server.run(keys, "key", "create", "shop", "--role", "user", "--expires", "2h", "--quota", "9/minute")
        == 0
    )
    assert capsys.readouterr().out == "sdx_1_secret\n"
    assert server.asked[0][1] == {
"name": "shop", "role": "user", "scopes": [], "models": ["*"], "quotas": ["9/minute"],
        "expires_in_s": 7200,
    }  # fmt: skip
    assert server.run(keys, "key", "create", "shop", "--scope", "infer", "--models", "a*", "--json") == 0
    assert json.loads(capsys.readouterr().out)["secret"] == "sdx_1_secret"
    assert server.asked[0][1] | {"name": ""} == {
        "name": "", "role": "", "scopes": ["infer"], "models": ["a*"], "quotas": [], "expires_in_s": None,
    }  # fmt: skip
    with pytest.raises(UserError, match="'soon' is not a time"):
        server.run(keys, "key", "create", "shop", "--expires", "soon")


def test_keys_are_listed_and_revoked(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says("GET /api/keys", [])
    assert server.run(keys, "key", "list") == 0
    assert capsys.readouterr().out.startswith("no key yet;")
    server.says("GET /api/keys?all=1", [KEY, USED])
    assert server.run(keys, "key", "list", "--all") == 0
    one, other = capsys.readouterr().out.splitlines()
    assert one == "sdx_1  shop  infer,metadata  a*  9/minute"
    assert other.endswith("expires 2026-01-02 03:04  revoked  used 2026-01-02 03:04")
    server.says("DELETE /api/keys/sdx_1", USED)
    assert server.run(keys, "key", "revoke", "sdx_1") == 0
    assert capsys.readouterr().out == "shop (sdx_1) is revoked\n"


def test_who_did_what(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.says(f"GET {AUDIT.format('', '')}", [])
    assert server.run(keys, "audit") == 0
    assert capsys.readouterr().out == "nothing was done yet\n"
    entry = r.AuditEntry(number=3, at=NOW, actor="me", action="deploy", subject="sum", detail={"weight": 10})
    server.says(f"GET {AUDIT.format('s', 'm')}", [entry])
    assert server.run(keys, "audit", "--subject", "s", "--actor", "m") == 0
    assert capsys.readouterr().out == "3  2026-01-02 03:04:00  me  deploy  sum  weight=10\n"
    with pytest.raises(UserError, match="--limit takes a positive number"):
        server.run(keys, "audit", "--limit", "0")


@pytest.mark.parametrize(
    ("broken", "code", "told"),
    [
        (None, 0, "5 entries, as they were written"),
        (3, 1, "entry 3 is not what was written, or one before it"),
    ],
)
def test_the_log_is_checked(
    broken: int | None, code: int, told: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says("GET /api/audit/check", r.AuditCheck(entries=5, broken=broken))
    assert server.run(keys, "audit", "--check") == code
    assert told in capsys.readouterr().out
    assert server.run(keys, "audit", "--check", "--json") == code
    assert json.loads(capsys.readouterr().out)["broken"] == broken
