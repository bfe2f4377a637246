"""Bearer tokens of an OpenID Connect provider: whose are taken, what their roles allow, what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.gateway.gateway import Gateway
from sardonyx.registry.tokens import Provider as Known
from tests.gateway.provider import AUDIENCE, Provider, provider
from tests.gateway.running import client_of, running


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(issuer: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    known = Known(issuer.url, AUDIENCE, "realm.roles", "email", {"ml-admins": "admin", "staff": "viewer"})
    home = tmp_path_factory.mktemp("home")
    with running(home, provider=known) as gateway:
        yield gateway


@pytest.fixture
def asking(gateway: Gateway) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def code_of(gateway: Gateway, token: str | None, stack: ExitStack) -> Code | None:
    client: Client = stack.enter_context(client_of(gateway, token, retries=0))
    try:
        client.models()
    except ServeError as error:
        return error.code
    return None


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_token_has_the_scopes_of_its_roles(
    gateway: Gateway, issuer: Provider, asking: ExitStack, kind: str
) -> None:
    claims = {"email": "ada@example.com", "realm": {"roles": ["ml-admins", "other"]}}
    admin = asking.enter_context(client_of(gateway, issuer.token(kind, **claims)))
    assert admin.identity().name == "ada@example.com"
    admin.create_model(f"made-{kind}")
    assert [entry.actor for entry in admin.audit(subject=f"made-{kind}")] == ["ada@example.com"]
    staff = asking.enter_context(client_of(gateway, issuer.token(kind, realm={"roles": "staff guests"})))
    staff.models()
    with pytest.raises(ServeError) as caught:
        staff.create_model("more")
    assert caught.value.code is Code.FORBIDDEN
    assert code_of(gateway, issuer.token(kind, realm={"roles": [3, None]}), asking) is Code.FORBIDDEN
    assert code_of(gateway, issuer.token(kind, realm="admin"), asking) is Code.FORBIDDEN


def test_keys_go_on_beside_tokens(gateway: Gateway, issuer: Provider, asking: ExitStack) -> None:
    admin = asking.enter_context(client_of(gateway, issuer.token(realm={"roles": ["ml-admins"]})))
    assert code_of(gateway, admin.create_key("shop", role="viewer").secret, asking) is None
    assert code_of(gateway, None, asking) is Code.UNAUTHENTICATED


def test_what_is_not_the_providers_word_is_refused(
    gateway: Gateway, issuer: Provider, asking: ExitStack
) -> None:
    now, roles = int(time.time()), {"realm": {"roles": ["ml-admins"]}}
    good = issuer.token(**roles)
    head, body, signature = good.split(".")
    with provider() as stranger:
        wrong = [
            issuer.token(**roles, exp=now - 60),
            issuer.token(**roles, nbf=now + 600),
            issuer.token(**roles, aud="other"),
            issuer.token(**roles, iss="https://other.example"),
            issuer.token(**roles, exp=None),
            issuer.token(**roles, sub=None),
            issuer.token(headers={"kid": "ec1"}, **roles),
            issuer.token(headers={"kid": "none"}, **roles),
            stranger.token(**roles, iss=issuer.url),
            f"{head}.{body}.",
            f"{head}.{body}.{signature[:-8]}AAAAAAAA",
            f"{_part({'alg': 'none', 'kid': 'rsa1'})}.{body}.",
            _by_public_key(issuer, body),
        ]
    for token in wrong:
        assert code_of(gateway, token, asking) is Code.UNAUTHENTICATED, token
    assert code_of(gateway, good, asking) is None


def test_new_keys_of_the_provider_are_fetched(
    gateway: Gateway, issuer: Provider, asking: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sardonyx.registry.tokens._AGAIN_S", 0.0)
    issuer.rotate()
    token = issuer.token(realm={"roles": ["staff"]})
    for _ in range(100):
        if code_of(gateway, token, asking) is None:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the new keys were not fetched")


def test_a_provider_that_is_not_there_refuses_and_costs_nothing_else(tmp_path: Path) -> None:
    known = Known("http://127.0.0.1:9", AUDIENCE)
    with running(tmp_path, provider=known) as gateway, ExitStack() as stack:
        client = stack.enter_context(client_of(gateway))
        assert client.live()
        with provider() as stranger:
            assert code_of(gateway, stranger.token(), stack) is Code.UNAUTHENTICATED


def _part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _by_public_key(issuer: Provider, body: str) -> str:
    """Signed with what everybody knows, as if it were a shared secret."""
    head = _part({"alg": "HS256", "kid": "rsa1"})
    signature = hmac.digest(issuer.public_pem(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
