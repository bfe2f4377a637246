"""The pages of keys and of the audit log: a secret shown once, and the way through old entries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sardonyx.gateway.console.access import COOKIE, TOKEN
from sardonyx.gateway.console.desk import Desk
from sardonyx.gateway.console.pages.keys import AccessPages
from tests.unit.gateway.console.browsing import NAME, Browser, visited
from tests.unit.gateway.console.pages import test_ask
from tests.unit.serve.steps import adding


def pages(desk: Desk) -> dict[str, Any]:
    made = AccessPages(desk)
    return {
        "GET /keys": made.keys,
        "POST /keys": made.create,
        "POST /keys/{prefix}/revoke": made.revoke,
        "GET /audit": made.audit,
    }


def test_a_secret_is_shown_once_and_the_first_admin_is_logged_in(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        form = {"name": "boss", "role": "admin", "quotas": "3/minute, 9/hour", "days": "2"}
        answer = await browser.submit("/keys", **form)
        assert answer.status_code == 200, answer.text
        assert COOKIE in answer.headers["set-cookie"]
        (key,) = browser.desk.administration.keys.keys()
        assert (key.name, key.models, key.quotas) == ("boss", ["*"], ["3/minute", "9/hour"])
        assert key.expires_at is not None
        (secret,) = set(re.findall(rf"{key.prefix}[\w-]{{10,}}", answer.text)) or {""}
        assert secret
        assert secret not in (await browser.get("/keys")).text
        browser.client.cookies.clear()
        browser.client.cookies.set(COOKIE, NAME)
        gone = await browser.submit(f"/keys/{key.prefix}/revoke")
        assert (gone.status_code, gone.headers["location"]) == (303, "/keys")
        assert "boss is good no more" in (await browser.get("/keys")).text
        assert "boss" not in (await browser.get("/keys")).text

    visited(tmp_path, pages, use)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        for form in ({"name": "x", "role": "nobody"}, {"name": "x", "role": "user", "days": "many"}):
            assert (await browser.submit("/keys", **form)).status_code == 400
        assert (await browser.client.post("/keys", data={"name": "x", "role": "admin"})).status_code == 403
        assert browser.desk.administration.keys.keys() == []

    visited(tmp_path, pages, use)


def test_old_entries_are_a_page_further(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        for number in range(51):
            browser.desk.administration.endpoints.create(_endpoint(f"e{number}"), "tester")
        first = await browser.get("/audit")
        (older,) = re.findall(r"before=(\d+)", first.text)
        second = await browser.get(f"/audit?before={older}")
        assert ("e50" in first.text, "e50" in second.text) == (True, False)
        for wrong in ("x", "-1", "9" * 18):
            assert (await browser.get(f"/audit?before={wrong}")).status_code == 400

    visited(tmp_path, pages, use)


def _endpoint(name: str) -> Any:
    from sardonyx.protocol.records import NewEndpoint

    return NewEndpoint(name=name)


def test_questions_for_a_shell_name_the_key_that_they_need(tmp_path: Path) -> None:
    adding(tmp_path / "models")

    def both(desk: Desk) -> dict[str, Any]:
        return {**pages(desk), **test_ask.pages(desk)}

    async def use(browser: Browser) -> None:
        numbers = {"in.a": "[[1, 2]]", "in.b": "[[3, 4]]"}
        assert "curl http://" in (await browser.submit("/models/add/ask", **numbers)).text
        answer = await browser.submit("/keys", name="boss", role="admin")
        name = answer.cookies[COOKIE]
        browser.client.cookies.clear()
        browser.client.cookies.set(COOKIE, name)
        token = browser.desk.sessions.token(name)
        asked = await browser.client.post("/models/add/ask", data={TOKEN: token, **numbers})
        assert 'curl -H "Authorization: Bearer $KEY" http://' in asked.text

    visited(tmp_path, both, use)
