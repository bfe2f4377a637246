"""The pages without a browser: what they show, what they change, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from sardonyx.gateway.console.view import STATIC, duration_text, fact_text, number_text, size_text, span_text
from sardonyx.gateway.gateway import Gateway
from tests.console.conftest import FLOWERS, Browser, labelled
from tests.gateway.running import client_of, running
from tests.unit.serve.steps import ADD_CONFIG, adding

PAGES = (
    *(
        "/",
        "/models",
        "/models/flowers",
        "/models/flowers/ask",
        "/models/flowers/profile",
        "/models/flowers/graph",
    ),
    *("/endpoints", "/requests", "/monitors", "/monitors/new", "/monitors/new?kind=performance", "/alerts"),
    *("/keys", "/audit", "/login"),
)


@pytest.fixture(scope="module")
def kept() -> set[str]:
    """The files beside the pages that were found already."""
    return set()


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_and_need_nothing_from_elsewhere(browser: Browser, kept: set[str], path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    for name, value in (
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ):
        assert answer.headers[name] == value
    text = answer.text
    assert not re.search(r'<script(?! src=)|\son\w+="|\sstyle="|<style', text)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//(?!127\.0\.0\.1)', text)
    assert text.count("<h1>") == 1 and '<html lang="en">' in text and "<title>" in text
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for asset in set(re.findall(r'(?:src|href)="/console(/static/[^"#]+)', text)) - kept:
        file = browser.get(asset)
        assert file.status_code == 200 and "immutable" in file.headers["cache-control"]
        kept.add(asset)


def test_every_static_file_is_used() -> None:
    templates = "".join(p.read_text(encoding="utf-8") for p in (STATIC.parent / "templates").iterdir())
    assert all(path.name in templates for path in STATIC.iterdir())


def test_what_is_not_there_is_said(browser: Browser) -> None:
    for path in ("/nowhere", "/models/none", "/endpoints/none", "/monitors/none", "/models/none/ask"):
        answer = browser.get(path)
        assert answer.status_code == 404 and "Not found" in answer.text, path
    for path in (
        "/static/../view.py",
        "/static/%2e%2e/view.py",
        "/netron/__init__.py",
        "/netron/%2e%2e/sardonyx",
    ):
        assert browser.get(path).status_code == 404, path


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
        {"origin": "null"},
    ],
)
def test_forms_of_other_pages_are_refused(browser: Browser, headers: dict[str, str]) -> None:
    data = {"forgery_token": browser.token, "name": "forged"}
    assert browser.post("/endpoints", data=data, headers=headers).status_code == 403
    assert "forged" not in browser.get("/endpoints").text


def test_forms_need_the_token_of_their_browser(browser: Browser, gateway: Gateway) -> None:
    token = browser.token
    assert browser.post("/endpoints", data={"name": "forged"}).status_code == 403
    assert browser.post("/endpoints", data={"name": "forged", "forgery_token": "0" * 64}).status_code == 403
    with Browser(gateway.server.http_url) as other:
        assert other.post("/endpoints", data={"name": "forged", "forgery_token": token}).status_code == 403


def test_a_name_that_was_made_to_mean_this_machine_is_refused(browser: Browser) -> None:
    assert browser.get("/", headers={"host": "rebound.example:80"}).status_code == 403


def test_models_are_asked_with_cells_and_answers_are_escaped(browser: Browser) -> None:
    token = browser.token
    cells = {"forgery_token": token, "cell.x": ["0", "1", "5", "0"]}
    answer = browser.post("/models/flowers/ask", data=cells)
    assert "&lt;b&gt;virginica&lt;/b&gt;" in answer.text and "<b>virginica" not in answer.text
    assert "<html" in answer.text and "curl" in answer.text
    fragment = browser.post("/models/flowers/ask", data=cells, headers={"x-fragment": "1"})
    assert "<html" not in fragment.text and "virginica" in fragment.text
    for wrong in (
        {"cell.x": ["one"] * 4},
        {"in.x": "[[1, 2], [3]]"},
        {"in.x": "[" * 2000},
        {},
        {"in.x": '{"a": 1}'},
    ):
        refused = browser.post("/models/flowers/ask", data={"forgery_token": token, **wrong})
        assert refused.status_code == 200 and 'role="alert"' in refused.text, wrong
    texts = browser.submit("/models/echo/ask", **{"in.t": "<script>alert(1)</script>\nzwei"})
    assert "<script>alert" not in texts.text and "&lt;script&gt;alert(1)" in texts.text
    assert browser.submit("/models/flowers/ask", **{"in.x": "random"}).text.count("meter") >= 3


def test_a_picture_is_asked_as_pixels(browser: Browser) -> None:
    fields = {
        "forgery_token": browser.token,
        "size.images": "32x64",
        "scale.images": "unit",
        "order.images": "rgb",
    }
    sent = {"picture.images": ("pixels", bytes(32 * 64 * 3))}
    answer = browser.post("/models/detector/ask", data=fields, files=sent, headers={"x-fragment": "1"})
    assert "2 found" in answer.text and "dog" in answer.text and answer.text.count("<rect class=") >= 2
    short = {"picture.images": ("pixels", bytes(5))}
    assert "not a picture" in browser.post("/models/detector/ask", data=fields, files=short).text
    huge = {**fields, "size.images": "99999x99999"}
    assert "not a picture of" in browser.post("/models/detector/ask", data=huge, files=sent).text


def test_profiles_name_kernels(browser: Browser) -> None:
    answer = browser.submit("/models/flowers/profile", **{"size.N": "8"})
    assert (
        answer.status_code == 200 and "MatMul" in answer.text and "each kernel at its quickest" in answer.text
    )
    assert browser.submit("/models/flowers/profile", **{"size.N": "-1"}).status_code == 400


def test_netron_is_told_that_it_is_no_release(browser: Browser) -> None:
    page = browser.get("/netron/index.html")
    assert '<meta name="version" content="0.0.0">' in page.text and 'name="date"' not in page.text
    assert (
        "consent=1" in page.headers["set-cookie"]
        and "connect-src 'self'" in page.headers["content-security-policy"]
    )
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    content = browser.get("/models/flowers/file/flowers.onnx")
    assert content.status_code == 200 and b"MatMul" in content.content


def test_models_are_unloaded_and_loaded(browser: Browser) -> None:
    assert "is unloaded" in browser.submit("/models/echo", act="unload").text
    assert "Unavailable" in browser.get("/models/echo").text
    assert "not loaded" in browser.get("/models/echo/ask").text
    assert "is loaded" in browser.submit("/models/echo", act="load").text


def test_a_pipeline_whose_step_is_gone_says_so_on_its_page_and_in_metrics(tmp_path: Path) -> None:
    models = adding(tmp_path / "models")
    maps = 'input_map { key: "a" value: "a" } input_map { key: "b" value: "b" }'
    maps += ' output_map { key: "sum" value: "sum" }'
    steps = f'ensemble_scheduling {{ step [ {{ model_name: "add" model_version: -1 {maps} }} ] }}'
    (models / "whole/1").mkdir(parents=True)
    (models / "whole/config.pbtxt").write_text(ADD_CONFIG + steps)
    with running(tmp_path / "home", [models]) as gateway, Browser(gateway.server.http_url) as browser:
        for act, state, ready in (("load", "Ready", 1), ("unload", "Unavailable", 0), ("load", "Ready", 1)):
            browser.submit("/models/add", act=act)
            for path in ("/models/whole", "/models"):
                page = browser.get(path).text
                assert ("step &#39;add&#39;" in page) == (state == "Unavailable")
            assert state in browser.get("/models/whole").text
            metrics = browser.get(f"{gateway.server.http_url}/metrics").text
            assert f'sardonyx_model_ready{{model="whole",version="1"}} {ready}.0' in metrics


def test_endpoints_live_from_making_to_removal(browser: Browser, gateway: Gateway, tmp_path: Path) -> None:
    with client_of(gateway) as client:
        for aliases in (["champion"], []):
            client.register("lilies", labelled(FLOWERS, "[]", tmp_path / "lilies.onnx"), aliases=aliases)
    assert (
        "lilies-live is there"
        in browser.submit("/endpoints", name="lilies-live", model="lilies", version="1").text
    )
    path = "/endpoints/lilies-live"
    assert "is deployed" in browser.submit(f"{path}/deploy", model="lilies", version="2", weight="10").text
    page = browser.submit(
        f"{path}/traffic", **{"weight.blue": "60", "weight.green": "40", "reason": "<i>why</i>"}
    )
    assert "60 % to blue" in page.text and "&lt;i&gt;why&lt;/i&gt;" in page.text
    assert browser.submit(f"{path}/traffic", **{"weight.blue": "60", "weight.green": "50"}).status_code == 400
    assert browser.submit(f"{path}/traffic", **{"weight.blue": "x"}).status_code == 400
    assert "has all traffic" in browser.submit(f"{path}/promote", deployment="green").text
    assert "as before" in browser.submit(f"{path}/rollback").text
    canary = {"steps": "50 100", "minutes": "5", "min_requests": "5", "max_errors": "1", "max_ratio": "2"}
    assert "has begun" in browser.submit(f"{path}/canary", deployment="green", **canary).text
    assert "Step 1 of 2" in browser.get("/endpoints").text
    assert "stays where it is" in browser.submit(f"{path}/cancel").text
    acts = browser.get("/audit?subject=lilies-live").text
    assert "traffic" in acts and "canary" in acts
    assert browser.submit(f"{path}/paint").status_code == 404
    assert "its models stay" in browser.submit(f"{path}/delete").text


def test_monitors_are_made_run_and_removed(browser: Browser, gateway: Gateway) -> None:
    for _ in range(4):
        browser.submit("/models/flowers/ask", **{"in.x": "random"})
    assert gateway.monitoring.payload is not None
    gateway.monitoring.payload.flush()
    page = browser.submit(
        "/monitors", name="watch-it", model="flowers", kind="service", metric="error_rate", min_rows="2"
    )
    assert "watch-it is there" in page.text and "error rate" in page.text, page.text
    baseline = b"x0,x1,x2,x3\n" + b"1,2,3,4\n5,6,7,8\n" * 40
    fields = {"name": "drifted", "model": "flowers", "kind": "data_drift", "metric": "psi", "min_rows": "2"}
    sent = {"baseline_file": ("b.csv", baseline)}
    page = browser.post(
        "/monitors", data={"forgery_token": browser.token, **fields}, files=sent, follow_redirects=True
    )
    assert "in.x[0]" in page.text and "<svg" in page.text, page.text
    for verb, said in (
        ("pause", "is paused"),
        ("resume", "by its schedule"),
        ("run", "Run "),
        ("remove", "is removed"),
    ):
        assert said in browser.submit(f"/monitors/drifted/{verb}").text
    wrong = browser.submit("/monitors", name="bad name!", model="flowers", kind="service")
    assert wrong.status_code == 400
    assert browser.submit("/monitors", name="x", model="flowers", kind="nonsense").status_code == 400


def test_kept_requests_are_asked_in_sql(browser: Browser, gateway: Gateway) -> None:
    browser.submit("/models/echo/ask", **{"in.t": "<u>kept</u>"})
    assert gateway.monitoring.payload is not None
    gateway.monitoring.payload.flush()
    page = browser.get("/requests", params={"model": "echo"})
    assert "&lt;u&gt;kept&lt;/u&gt;" in page.text
    count = browser.get("/requests", params={"model": "echo", "sql": "SELECT count(*) AS many FROM requests"})
    assert "many" in count.text
    for sql in ("SELECT * FROM read_csv('/etc/passwd')", "DROP TABLE requests", "nonsense"):
        refused = browser.get("/requests", params={"model": "echo", "sql": sql})
        assert 'role="alert"' in refused.text and "root:" not in refused.text
    assert browser.get("/requests", params={"model": "../.."}).status_code == 400


def test_live_numbers_are_a_stream(browser: Browser) -> None:
    with browser.stream("GET", "/live", params={"model": "flowers"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        seen = [next(lines) for _ in range(7)]
    assert "event: past" in seen and "event: now" in seen


def test_metrics_stand_beside_the_console(gateway: Gateway) -> None:
    text = httpx.get(f"{gateway.server.http_url}/metrics", trust_env=False, verify=False).text
    assert 'sardonyx_model_ready{model="flowers",version="1"} 1.0' in text


def test_keys_shut_the_door_and_open_it(models: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", [models]) as gateway, Browser(gateway.server.http_url) as first:
        page = first.submit("/keys", name="ada", role="admin")
        secret = re.search(r'id="secret">(sdx_\w+_[\w-]+)<', page.text)
        assert secret is not None and page.headers["cache-control"] == "no-store"
        assert (
            httpx.get(f"{gateway.server.http_url}/metrics", trust_env=False, verify=False).status_code == 401
        )
        with Browser(gateway.server.http_url) as second:
            gone = second.get("/models")
            assert gone.status_code == 303 and gone.headers["location"] == "/console/login?next=%2Fmodels"
            login = second.get("/login?next=/models").text
            token = re.search(r'name="forgery_token" value="(\w+)"', login)
            assert token is not None
            fields = {"forgery_token": token[1], "next": "/models", "key": secret[1]}
            assert "unknown" in second.post("/login", data={**fields, "key": "sdx_0_wrong"}).text
            entered = second.post("/login", data=fields)
            assert entered.headers["location"] == "/console/models"
            cookie = next(c for c in entered.headers.get_list("set-cookie") if "sardonyx_session" in c)
            assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and secret[1] not in cookie
            assert "ada" in second.get("/models").text
            assert secret[1] not in second.get("/keys").text
            for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
                moved = second.post("/login", data={**fields, "next": target, "forgery_token": second.token})
                assert moved.headers["location"] == "/console/"
            second.submit("/logout")
            assert second.get("/models").status_code == 303


def test_readers_see_no_acts_and_may_not_act(models: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", [models]) as gateway, client_of(gateway) as client:
        viewer = client.create_key("eve", role="viewer", models=["flowers"]).secret
        with Browser(gateway.server.http_url) as reader:
            reader.headers["authorization"] = f"Bearer {viewer}"
            assert "Reload" not in reader.get("/models/flowers").text
            assert reader.submit("/models/flowers", act="unload").status_code == 403
            assert reader.get("/keys").status_code == 403
            assert reader.get("/models/detector").status_code == 403
            assert "detector" not in reader.get("/").text
            assert reader.submit("/models/flowers/ask", **{"in.x": "random"}).status_code == 403


def test_numbers_as_people_read_them() -> None:
    assert [duration_text(s) for s in (0, 3e-9, 4.2e-6, 0.0123, 1.5, 90, 7200, 200000)] == [
        *("0 ms", "3 ns", "4.2 µs", "12.3 ms", "1.5 s", "1.5 min", "2 h", "2.31 d")
    ]
    assert [number_text(n) for n in (0, 0.00123, 1234.5, 2.5e6, None, float("nan"), float("inf"))] == [
        *("0", "0.00123", "1,234", "2.5 M", "–", "–", "∞")
    ]
    assert [size_text(n) for n in (12, 3400, 97_500_000, None)] == ["12 B", "3.4 kB", "97.5 MB", "–"]


def test_facts_are_words() -> None:
    facts = ({"blue": 95.0, "green": 5.5}, [5.0, 25.0], (), None, True, 7, 0.25, "{}")
    assert [fact_text(fact) for fact in facts] == [
        *("blue 95, green 5.5", "5, 25", "", "–", "yes", "7", "0.25", "{}")
    ]


def test_spans_are_words() -> None:
    assert [span_text(text) for text in ("P1D", "P7D", "PT1H", "90s", "PT90M")] == [
        "day",
        "7 days",
        "hour",
        "90 seconds",
        "90 minutes",
    ]


def test_before_the_first_key_who_is_on_the_machine_sees_what_can_be_done(
    browser: Browser, gateway: Gateway
) -> None:
    with client_of(gateway) as client:
        client.create_endpoint("acts")
    acts = ("Roll back", "Remove", "Deploy")
    assert all(f">{act}</button>" in browser.get("/endpoints/acts").text for act in acts)
    elsewhere = browser.get("/endpoints/acts", headers={"x-forwarded-for": "203.0.113.9"})
    assert not any(f">{act}</button>" in elsewhere.text for act in acts)
