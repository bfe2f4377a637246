"""What all pages share: who visits, forms of ours, and what is said after an act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sardonyx.gateway.console.desk import Desk, segment
from sardonyx.gateway.console.parts import Parts
from sardonyx.protocol.errors import Code, ServeError
from sardonyx.protocol.messages import Principal
from tests.unit.gateway.console.browsing import Browser, visited


def pages(desk: Desk) -> dict[str, Any]:
    async def show(request: Request) -> Response:
        return desk.page(request, "login.html", "models", desk.admit(request), message="", following="/")

    async def act(request: Request) -> Response:
        form = await desk.form(request)
        return desk.go(request, "/shown", f"done: {form['what']}")

    return {"GET /shown": show, "POST /act": act}


def test_what_was_done_is_said_once(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        answer = await browser.submit("/act", what="<b>it</b>")
        assert (answer.status_code, answer.headers["location"]) == (303, "/shown")
        assert "done: &lt;b&gt;it" in (await browser.get("/shown")).text
        assert "done:" not in (await browser.get("/shown")).text
        browser.client.cookies.set("sardonyx_said", "forged")
        assert "forged" not in (await browser.get("/shown")).text

    visited(tmp_path, pages, use)


def test_a_form_of_elsewhere_does_nothing(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        for form in ({"what": "it"}, {"what": "it", "forgery_token": "0" * 64}):
            answer = await browser.client.post("/act", data=form)
            assert (answer.status_code, "load the page again" in answer.text) == (403, True)

    visited(tmp_path, pages, use)


class Reader:
    """Lets everybody read models that begin with a."""

    def admit(self, headers: Any, action: str, model: str) -> Principal:
        if action != "metadata":
            raise ServeError(Code.FORBIDDEN, "only metadata")
        return Principal("reader", frozenset({"metadata"}), ("a*",))


def test_places_are_those_that_a_visitor_may_see(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        text = (await browser.get("/shown")).text
        assert "/keys" not in text

    visited(tmp_path, pages, use, Reader())


def test_models_that_a_visitor_may_not_see(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        desk = browser.desk
        request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
        who = desk.admit(request)
        desk.must_see(who, "add", "all")
        with pytest.raises(ServeError, match="'reader' has no access to 'digits'"):
            desk.must_see(who, "add", "digits")
        with pytest.raises(ServeError, match="only metadata"):
            desk.admit(request, "admin")

    visited(tmp_path, pages, use, Reader())


def test_a_change_is_followed_and_a_registry_may_be_missing(tmp_path: Path) -> None:
    async def use(browser: Browser) -> None:
        parts, told = browser.desk.parts, list[str]()
        plain = Desk(Parts(parts.core, parts.monitoring), ())
        with pytest.raises(ServeError, match="this server has no registry"):
            _ = plain.administration
        assert plain.parts.changed() is None
        following = Desk(Parts(parts.core, parts.monitoring, changed=lambda: told.append("changed")), ())
        assert await following.act(lambda: told.append("done") or 3) == 3
        assert told == ["done", "changed"]

    visited(tmp_path, pages, use)


def test_a_name_is_one_segment() -> None:
    assert segment("a/b ?") == "a%2Fb%20%3F"
