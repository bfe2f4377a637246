"""Which page answers which path, who logs in, and what is said when something fails."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sardonyx.gateway.console.application import Console
from sardonyx.gateway.console.parts import Parts
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from tests.unit.gateway.console.browsing import Browser, visited


class Keyed:
    """Lets in who has the key."""

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        if headers.get("authorization") != "Bearer good":
            raise ServeError(Code.UNAUTHENTICATED, "this needs a key")
        return Principal("boss")


def console(
    root: Path, use: Callable[[httpx.AsyncClient, Console], Awaitable[None]], guard: Any = None, **parts: Any
) -> None:
    """Run `use` with a client of the whole console, below /console."""

    async def inside(browser: Browser) -> None:
        known = browser.desk.parts
        given = {"administration": known.administration, "guard": guard or known.guard, **parts}
        made = Console(Parts(known.core, known.monitoring, **given))
        transport = httpx.ASGITransport(made, root_path="/console")
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            await use(client, made)

    visited(root, lambda desk: {}, inside)


async def token(client: httpx.AsyncClient) -> str:
    text = (await client.get("/console/login")).text
    (found,) = set(re.findall(r'name="forgery_token" value="(\w+)"', text))
    return str(found)


def test_a_visitor_logs_in_and_out(tmp_path: Path) -> None:
    async def use(client: httpx.AsyncClient, _: Console) -> None:
        answer = await client.get("/console/keys")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login?next=%2Fkeys")
        fields = {"forgery_token": await token(client), "next": "/keys"}
        wrong = await client.post("/console/login", data={**fields, "key": "bad"})
        assert (wrong.status_code, "this needs a key" in wrong.text) == (401, True)
        answer = await client.post("/console/login", data={**fields, "key": " good "})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/keys")
        page = await client.get("/console/keys")
        assert page.status_code == 200
        (fresh,) = set(re.findall(r'name="forgery_token" value="(\w+)"', page.text))
        await client.post("/console/logout", data={"forgery_token": fresh})
        assert (await client.get("/console/keys")).status_code == 303

    console(tmp_path, use, Keyed())


@pytest.mark.parametrize("following", ["//evil.example", "https://evil.example", "/\\evil.example", "keys"])
def test_logging_in_leads_nowhere_else(tmp_path: Path, following: str) -> None:
    async def use(client: httpx.AsyncClient, _: Console) -> None:
        fields = {"forgery_token": await token(client), "next": following, "key": "good"}
        answer = await client.post("/console/login", data=fields)
        assert answer.headers["location"] == "/console/"

    console(tmp_path, use, Keyed())


def test_faults_have_a_page_and_no_details(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(client: httpx.AsyncClient, made: Console) -> None:
        gone = await client.get("/console/nowhere")
        assert (gone.status_code, "There is no page" in gone.text) == (404, True)
        alone = await client.get("/console/endpoints/none", headers={"x-fragment": "1"})
        assert (alone.status_code, "<html" in alone.text) == (404, False)

        def fail(*_: object, **__: object) -> None:
            raise KeyError("secret")

        monkeypatch.setattr(made._desk.parts.core, "index", fail)
        broken = await client.get("/console/models")
        assert (broken.status_code, "secret" in broken.text) == (500, False)

    console(tmp_path, use)


def test_pages_of_parts_that_are_missing_are_not_in_the_navigation(tmp_path: Path) -> None:
    async def use(client: httpx.AsyncClient, _: Console) -> None:
        text = (await client.get("/console/")).text
        assert 'href="/console/models"' in text
        assert 'href="/console/keys"' not in text
        assert (await client.get("/console/keys")).status_code == 404

    console(tmp_path, use, administration=None)


def test_static_files_are_kept_by_browsers(tmp_path: Path) -> None:
    async def use(client: httpx.AsyncClient, made: Console) -> None:
        text = (await client.get("/console/")).text
        (asset, *_) = re.findall(r'(?:src|href)="(/console/static/[^"#]+)', text)
        assert "immutable" in (await client.get(asset)).headers["cache-control"]
        made.close()
        assert made._closing.is_set()

    console(tmp_path, use)
