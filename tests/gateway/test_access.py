"""Keys over a live gateway: what each may do, and what is said to those who may not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from sardonyx.client import Client, Code, ServeError
from sardonyx.gateway.gateway import Gateway
from sardonyx.protocol.messages import Principal
from sardonyx.protocol.records import Version
from tests.gateway.running import client_of, running

Connect = Callable[..., Client]
Enter = Callable[..., Version]
X = {"x": np.float32([1, 2])}
# Authorities take longer to read than the answers to come.
get, post = partial(httpx.get, verify=False), partial(httpx.post, verify=False)


def code_of(act: Callable[[], object]) -> Code | None:
    try:
        act()
    except ServeError as error:
        return error.code
    return None


def test_the_first_key_closes_the_door(
    connect: Connect, client: Client, enter: Enter, adding: Callable[[int], Path], tmp_path: Path
) -> None:
    enter("add", 1)
    enter("other", 2)
    admin = connect(client.create_key("root", role="admin").secret)
    assert code_of(lambda: client.infer("add", X)) is Code.UNAUTHENTICATED
    assert code_of(client.models) is Code.UNAUTHENTICATED
    assert client.live()
    user = connect(admin.create_key("shop", role="user", models=["add*"]).secret)
    assert user.infer("add", X)["y"][0] == 2
    assert [model.name for model in user.models()] == ["add"]
    assert user.identity().name == "shop"
    for act in (
        lambda: user.infer("other", X),
        lambda: user.model("other"),
        lambda: user.set_alias("add", "champion", "1"),
        lambda: user.download("add", "1", tmp_path),
        user.api_keys,
        user.audit,
        lambda: user.load("add"),
    ):
        assert code_of(act) is Code.FORBIDDEN
    operator = connect(admin.create_key("ops", role="operator", models=["add", "sum"]).secret)
    operator.deploy("sum", "add")
    assert code_of(lambda: operator.deploy("sum", "other")) is Code.FORBIDDEN
    assert code_of(lambda: operator.deploy("elsewhere", "add")) is Code.FORBIDDEN
    assert code_of(lambda: operator.register("other", adding(3))) is Code.FORBIDDEN


def test_who_names_no_model_learns_no_names_beyond_the_own(
    connect: Connect, client: Client, enter: Enter
) -> None:
    for name in ("add", "other", "secret"):
        enter(name, 1)
    admin = connect(client.create_key("root", role="admin").secret)
    user = connect(admin.create_key("shop", role="user", models=["add", "other"]).secret)
    denied = client._http.post("/score", json=[[1, 2]])
    assert denied.status_code == 401
    assert "add" not in denied.json()["error"]
    told = user._http.post("/score", json=[[1, 2]])
    assert (told.status_code, told.json()["error"].split("; ")[1]) == (400, "there are: add, other")
    alone = connect(admin.create_key("one", role="user", models=["add"]).secret)
    assert alone._http.post("/score", json={"input_data": [1, 2]}).json() == [2, 3]
    admin.deploy("hidden", "secret")
    assert alone._http.post("/score", json={"input_data": [1, 2]}).json() == [2, 3]
    stranger = connect(admin.create_key("nothing", role="user", models=["else"]).secret)
    for headers in ({}, {"azureml-model-deployment": "hidden"}):
        told = stranger._http.post("/score", json=[[1, 2]], headers=headers)
        assert (told.status_code, told.json()["error"].split("; ")[1]) == (400, "there are: none")


def test_a_key_that_is_no_good_admits_nobody(connect: Connect, client: Client, enter: Enter) -> None:
    enter("add", 1)
    admin = connect(client.create_key("root", role="admin").secret)
    key = admin.create_key("shop", role="user", expires_in_s=0.3)
    user = connect(key.secret)
    user.infer("add", X)
    time.sleep(0.3)
    with pytest.raises(ServeError, match="expired"):
        user.infer("add", X)
    other = admin.create_key("other", role="user")
    connect(other.secret).infer("add", X)
    admin.revoke_key(other.prefix)
    wrong = other.secret[:-1] + ("A" if other.secret[-1] != "A" else "B")
    for secret in (
        other.secret,
        wrong,
        "sdx_",
        "sdx__",
        f"sdx_{other.prefix}_",
        "nonsense",
        "a.b.c",
        "sdx_é",
    ):
        user = connect(secret) if secret.isascii() else None
        if user is not None:
            assert code_of(lambda user=user: user.infer("add", X)) is Code.UNAUTHENTICATED
    assert [key.name for key in admin.api_keys()] == ["root"]
    assert {key.name for key in admin.api_keys(all=True)} == {"root", "shop", "other"}
    admin.revoke_key(admin.api_keys()[0].prefix)
    assert code_of(lambda: connect().infer("add", X)) is Code.UNAUTHENTICATED


def test_who_was_denied_is_in_the_audit_log(connect: Connect, client: Client, enter: Enter) -> None:
    enter("add", 1)
    admin = connect(client.create_key("root", role="admin").secret)
    user = connect(admin.create_key("shop", role="user", models=["other"]).secret)
    for _ in range(3):
        assert code_of(lambda: user.infer("add", X)) is Code.FORBIDDEN
    assert code_of(user.api_keys) is Code.FORBIDDEN
    assert code_of(lambda: connect("sdx_wrong_secret").infer("add", X)) is Code.UNAUTHENTICATED
    operator = connect(admin.create_key("ops", role="operator", models=["sum"]).secret)
    assert code_of(lambda: operator.deploy("sum", "add")) is Code.FORBIDDEN
    wanted = Counter({("shop", "add"): 3, ("shop", ""): 1, ("anonymous", "add"): 1, ("ops", "add"): 1})
    found: Counter[tuple[str, str]] = Counter()
    ends = time.monotonic() + 30
    while found != wanted and time.monotonic() < ends:
        time.sleep(0.05)
        found = Counter()
        for entry in admin.audit():
            if entry.action == "denied":  # three in two rounds are two entries
                found[entry.actor, entry.subject] += entry.detail["times"]
    assert found == wanted
    assert admin.check_audit().broken is None
    assert "secret" not in str(admin.audit())


def test_a_quota_is_kept_and_says_when_to_come_again(connect: Connect, client: Client, enter: Enter) -> None:
    enter("add", 1)
    admin = connect(client.create_key("root", role="admin").secret)
    key = admin.create_key("shop", role="user", quotas=["3/hour"])
    user = connect(key.secret, retries=0)
    for _ in range(3):
        user.infer("add", X)
    with pytest.raises(ServeError) as caught:
        user.infer("add", X)
    assert caught.value.code is Code.QUOTA
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 3600
    user.metadata("add")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"role": "god"},
        {"role": "user", "scopes": ["infer"]},
        {"scopes": ["fly"]},
        {"role": "user", "quotas": ["many"]},
        {"role": "user", "expires_in_s": -1},
        {"role": "user", "models": []},
        {"role": "admin", "models": ["add"]},
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(client: Client, wrong: dict[str, object]) -> None:
    assert code_of(lambda: client.create_key("k", **wrong)) is Code.INVALID_ARGUMENT


def test_a_secret_is_nowhere_but_in_the_answer(
    connect: Connect, client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = client.create_key("root", role="admin")
    secret = key.secret.split("_", 2)[2]
    admin = connect(key.secret)
    admin.audit()
    code_of(lambda: connect(key.secret + "x").audit())
    assert secret not in "".join(map(repr, (admin.api_keys(), admin.audit())))
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
    private = [path for path in (tmp_path / "home").iterdir() if path.is_file()]
    assert {"sardonyx.db", "state.bin"} <= {path.name for path in private}
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)
    captured = capfd.readouterr()
    assert secret not in captured.out + captured.err


def test_strangers_administer_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "home", trusted=False) as gateway, client_of(gateway) as client:
        assert client.models() == []
        assert code_of(lambda: client.create_model("m")) is Code.FORBIDDEN
        assert code_of(lambda: client.create_key("k", role="admin")) is Code.FORBIDDEN
    with running(tmp_path / "other", require_keys=True) as gateway, client_of(gateway) as client:
        assert code_of(client.models) is Code.UNAUTHENTICATED


def test_who_comes_through_a_proxy_is_not_local(gateway: Gateway) -> None:
    url = f"{gateway.server.http_url}/api/models"
    for header in ("x-forwarded-for", "forwarded"):
        answer = post(url, json={"name": "m"}, headers={header: "203.0.113.9"})
        assert answer.status_code == 403
    assert post(url, json={"name": "m"}).status_code == 201


def test_pages_of_other_origins_are_refused(gateway: Gateway) -> None:
    url = gateway.server.http_url
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "http://[::1"):
        answer = post(f"{url}/api/models", json={"name": "m"}, headers={"origin": origin})
        assert answer.status_code == 403, origin
    assert post(f"{url}/api/models", json={"name": "m"}, headers={"origin": url}).status_code == 201
    form = post(f"{url}/api/models", content='{"name": "n"}', headers={"content-type": "text/plain"})
    assert form.status_code == 400


def test_pages_of_other_origins_do_not_touch_models(gateway: Gateway, enter: Enter) -> None:
    """A browser sends text of a foreign page without asking first; the protocol takes it for JSON."""
    enter("add", 1)
    for path, body in (
        ("/v2/repository/models/add/unload", "{}"),
        ("/v2/repository/models/add/load", '{"parameters": {"config": "{}"}}'),
        ("/v2/logging", '{"log_verbose_level": 1}'),
        ("/v2/trace/setting", '{"trace_rate": "1"}'),
        ("/v2/models/add/trace/setting", '{"trace_rate": "1"}'),
    ):
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            headers = {"origin": origin, "content-type": "text/plain"}
            answer = post(f"{gateway.server.http_url}{path}", content=body, headers=headers)
            assert answer.status_code == 403, (path, origin)
    with client_of(gateway) as client:
        assert client.infer("add", X)["y"][0] == 2


def test_a_name_that_was_bound_to_this_machine_administers_nothing(gateway: Gateway) -> None:
    """A page whose own name was made to point here (DNS rebinding) sends that name as Host."""
    url = f"{gateway.server.http_url}/api/models"
    strangers = (
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example:1",
        "[::2]",
        "[::1.evil",
    )
    for host in ("evil.example", "", *strangers):
        assert post(url, json={"name": "m"}, headers={"host": host}).status_code == 403
    for number, host in enumerate(
        ("localhost", "localhost:99", "127.0.0.1", "[::1]:8000", "[::1]", "LOCALHOST")
    ):
        assert post(url, json={"name": f"m{number}"}, headers={"host": host}).status_code == 201


def test_answers_carry_what_keeps_browsers_safe(gateway: Gateway) -> None:
    for path in ("/api/models", "/api/nothing", "/api/models/none", "/api/openapi.json"):
        headers = get(gateway.server.http_url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked with, one comparison of two hashes of full length by `compare_digest` decides."""
    from sardonyx.registry import guard
    from sardonyx.registry.keys import hashed
    from sardonyx.registry.state import KeyState, State

    principal = Principal("shop", frozenset({"infer"}))
    state = State(1, closed=True, keys={"known": KeyState(principal, hashed("right"), (), None)})
    compared: list[tuple[str, str]] = []

    def compare(a: str, b: str) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    asked = guard.RegistryGuard(lambda: state, local=False)
    for secret, admitted in (
        ("sdx_known_right", True),
        ("sdx_known_wrong", False),
        ("sdx_none_right", False),
    ):
        compared.clear()
        try:
            asked.admit({"authorization": f"Bearer {secret}"}, "infer", "m")
            assert admitted
        except ServeError as error:
            assert (error.code, admitted) == (Code.UNAUTHENTICATED, False)
        assert [(len(a), len(b)) for a, b in compared] == [(64, 64)]


def test_the_same_key_is_taken_over_grpc(
    gateway: Gateway, connect: Connect, client: Client, enter: Enter
) -> None:
    enter("add", 1)
    enter("other", 1)
    root = client.create_key("root", role="admin")
    key = connect(root.secret).create_key("shop", role="user", models=["add"], quotas=["1/hour"]).secret

    def code(call: str, model: str, *metadata: tuple[str, str]) -> grpc.StatusCode:
        with grpc.insecure_channel(gateway.server.grpc_url.removeprefix("grpc://")) as channel:
            ask = channel.unary_unary(f"/inference.GRPCInferenceService/{call}")
            try:
                ask(b"\n" + bytes([len(model)]) + model.encode(), metadata=metadata, timeout=10)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    mine = ("authorization", f"Bearer {key}")
    status = grpc.StatusCode
    assert code("ServerLive", "") is status.OK
    assert code("ModelMetadata", "add") is status.UNAUTHENTICATED
    assert code("ModelMetadata", "add", ("authorization", "Bearer nonsense")) is status.UNAUTHENTICATED
    assert code("ModelMetadata", "add", mine) is status.OK
    assert code("ModelMetadata", "other", mine) is status.PERMISSION_DENIED
    assert code("RepositoryModelUnload", "", mine) is status.PERMISSION_DENIED
    assert code("ModelInfer", "add", mine) is status.INVALID_ARGUMENT
    assert code("ModelInfer", "add", mine) is status.RESOURCE_EXHAUSTED
