"""A token is taken only with the provider's key, audience and time, and gives the scopes of its roles."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.records import ROLES
from sardonyx.registry.tokens import Provider, ProviderTokens

ISSUER = "https://id.example"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
ROLE = next(iter(ROLES))


def shown(key: Any, kid: str, **more: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return document | {"kid": kid} | more


class Side:
    """The provider as it is reached; counts what it was asked."""

    def __init__(self, *keys: dict[str, Any], issuer: str = ISSUER) -> None:
        self.keys, self.issuer, self.asked = list(keys), issuer, 0

    def get(self, url: str, limit_bytes: int = 0) -> bytes:
        self.asked += 1
        if url.endswith("/.well-known/openid-configuration"):
            return json.dumps({"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"}).encode()
        return json.dumps({"keys": self.keys}).encode()


def tokens(side: Any = None, **provider: Any) -> ProviderTokens:
    made = ProviderTokens(Provider(ISSUER, "sardonyx", **provider), side or Side(shown(KEY, "k")))
    made.refresh()
    return made


def token(key: Any = KEY, kid: str = "k", **claims: Any) -> str:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": "sardonyx", "sub": "ann", "iat": now, "exp": now + 60} | claims
    return jwt.encode({n: v for n, v in told.items() if v is not None}, key, "ES256", headers={"kid": kid})


def test_whose_it_is_and_what_it_may() -> None:
    found = tokens().principal(token(roles=[ROLE, "unknown", 7]))
    assert (found.name, found.scopes) == ("ann", frozenset(ROLES[ROLE]))
    assert tokens().principal(token()).scopes == frozenset()
    named = tokens(name_claim="email", roles_claim="realm.roles", roles={"boss": ROLE})
    found = named.principal(token(email="a@b.example", realm={"roles": "boss other"}))
    assert (found.name, found.scopes) == ("a@b.example", frozenset(ROLES[ROLE]))
    assert named.principal(token(realm={"roles": [ROLE]})).scopes == frozenset(), "names are those given"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"iat": None},
        {"exp": None},
        {"sub": None},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_tokens_for_others_or_other_times(claims: dict[str, Any]) -> None:
    with pytest.raises(ServeError) as told:
        tokens().principal(token(**claims))
    assert told.value.code is Code.UNAUTHENTICATED


def test_signatures() -> None:
    made = tokens()
    with pytest.raises(ServeError, match="not accepted"):
        made.principal(token(OTHER))
    with pytest.raises(ServeError, match="does not publish"):
        made.principal(token(OTHER, "other"))
    unsigned = jwt.encode({"sub": "ann"}, None, "none", headers={"kid": "k"})
    for text in (unsigned, "no token", "", "a.b.c"):
        with pytest.raises(ServeError) as told:
            made.principal(text)
        assert told.value.code is Code.UNAUTHENTICATED


def test_the_public_key_is_no_shared_secret() -> None:
    body = {"iss": ISSUER, "aud": "sardonyx", "sub": "ann", "iat": 1, "exp": 1 << 40}
    forged = jwt.encode(body, shown(KEY, "k")["x"], "HS256", headers={"kid": "k"})
    with pytest.raises(ServeError):
        tokens().principal(forged)


def test_keys_that_are_not_for_signatures_are_left_out() -> None:
    with pytest.raises(ServeError, match="does not publish"):
        tokens(Side(shown(KEY, "k", use="enc"))).principal(token())


def test_keys_that_the_provider_takes_back() -> None:
    side = Side(shown(KEY, "k"))
    made, text = tokens(side), token()
    assert made.principal(text).name == "ann"
    side.keys = [shown(OTHER, "new")]
    made.refresh_if_old()
    assert made.principal(text).name == "ann", "fresh keys are not fetched again"
    made.refresh()
    with pytest.raises(ServeError):
        made.principal(text)
    assert made.principal(token(OTHER, "new")).name == "ann"


def test_another_provider_is_refused_and_old_keys_stay() -> None:
    side = Side(shown(KEY, "k"))
    made = tokens(side)
    side.issuer = "https://evil.example"
    with pytest.raises(ServeError, match=r"names another issuer, 'https://evil\.example'"):
        made.refresh()
    assert made.principal(token()).name == "ann"


def test_roles_that_are_none() -> None:
    with pytest.raises(ServeError, match="'king' is not a role"):
        Provider(ISSUER, "sardonyx", roles={"boss": "king"})


def test_what_few_need_is_not_imported_for_all() -> None:
    """Clients, servers and the command line need no ONNX, and servers without a provider no cryptography."""
    code = """
import sys, sardonyx.client, sardonyx.registry.tokens, sardonyx.gateway.gateway
print({"jwt", "onnx", "ml_dtypes"} & set(sys.modules))
import sardonyx.tools.cli, sardonyx.convert.provenance
print({"onnx", "ml_dtypes"} & set(sys.modules))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\nset()\n"
